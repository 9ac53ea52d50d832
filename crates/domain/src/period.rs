//! Over what usage is summed, and by what it is told apart.

use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long each period is that usage is summed over, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePeriod {
    /// Minutes; kept for a week.
    Minute,
    /// Hours; kept for 90 days.
    #[default]
    Hour,
    /// Days; kept for ever.
    Day,
}

impl UsagePeriod {
    /// All values, each with its word.
    pub const WORDS: [(UsagePeriod, &str); 3] =
        [(UsagePeriod::Minute, "minute"), (UsagePeriod::Hour, "hour"), (UsagePeriod::Day, "day")];

    /// Gives its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Gives its length.
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(60 * 60),
            Self::Day => Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Gives the beginning of the period that `time` is in.
    pub fn start_of(self, time: WallTime) -> WallTime {
        let length = i64::try_from(self.length().as_millis()).unwrap_or(i64::MAX);
        WallTime(time.0.div_euclid(length).saturating_mul(length))
    }
}

/// By what usage is told apart. What is not told apart is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageBy {
    /// By provider.
    pub provider: bool,
    /// By credential, which implies by provider.
    pub credential: bool,
    /// By the upstream's name of the model.
    pub model: bool,
    /// By client.
    pub client: bool,
    /// By the version of the price that the cost is reckoned by.
    pub price: bool,
}

impl UsageBy {
    /// Tells whether providers are told apart.
    pub fn providers(self) -> bool {
        self.provider || self.credential
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_at_or_before_the_time_that_is_in_it() {
        let time = WallTime(1_771_541_459_999);
        let starts = UsagePeriod::WORDS.map(|(period, _)| period.start_of(time).to_string());
        assert_eq!(starts, ["2026-02-19T22:50:00Z", "2026-02-19T22:00:00Z", "2026-02-19T00:00:00Z"]);
        assert_eq!(UsagePeriod::Minute.start_of(WallTime(-1)), WallTime(-60_000));
        assert_eq!(UsagePeriod::Minute.start_of(WallTime(0)), WallTime(0));
        assert!(UsagePeriod::Day.start_of(WallTime(i64::MIN)) < WallTime(0));
    }

    #[test]
    fn words_are_those_that_are_shown() {
        for (period, word) in UsagePeriod::WORDS {
            assert_eq!(period.as_str(), word);
            assert_eq!(serde_json::to_value(period).unwrap(), word);
        }
    }
}
