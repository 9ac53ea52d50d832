//! Usage, summed as it is asked for.

use cliproxy_domain::{AttemptCounts, CredentialName, ModelName, ProviderName, TokenUsage, WallTime};
use std::{ops::Range, time::Duration};

/// By what usage is told apart. What is not told apart is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageBy {
    /// By provider.
    pub provider: bool,
    /// By credential, which implies by provider.
    pub credential: bool,
    /// By the upstream's name of the model.
    pub model: bool,
}

impl UsageBy {
    /// Tells whether providers are told apart.
    pub fn providers(self) -> bool {
        self.provider || self.credential
    }
}

/// How long each period is that usage is summed over, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsagePeriod {
    /// Minutes; kept for [`RETAINED_MINUTES`].
    Minute,
    /// Hours; kept for [`RETAINED_HOURS`].
    Hour,
    /// Days; kept for ever.
    Day,
}

impl UsagePeriod {
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

/// Which usage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Periods that begin within this range.
    pub within: Range<WallTime>,
    /// How long each is.
    pub period: UsagePeriod,
    /// By what it is told apart.
    pub by: UsageBy,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this model.
    pub model: Option<ModelName>,
    /// How many sums at most, the newest first.
    pub limit: u32,
}

/// Usage of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// When the period begins.
    pub at: WallTime,
    /// Of which provider; `None` where all are summed.
    pub provider: Option<ProviderName>,
    /// Of which credential; `None` where all are summed.
    pub credential: Option<CredentialName>,
    /// Of which model; `None` where all are summed.
    pub model: Option<ModelName>,
    /// How the attempts ended.
    pub attempts: AttemptCounts,
    /// The tokens they took.
    pub tokens: TokenUsage,
}
