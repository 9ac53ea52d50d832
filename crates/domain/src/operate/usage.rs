//! Which usage is asked for: the parameters of `GET …/usage`.

use super::{
    OrderError, cut,
    question::{choose, single},
};
use crate::{
    name::{ModelName, ProviderName},
    period::{UsageBy, UsagePeriod},
    time::WallTime,
};
use std::{ops::Range, time::Duration};

/// How far back is told where the call does not say.
const USUAL_SPAN: Duration = Duration::from_secs(24 * 60 * 60);
/// How many sums are told where the call does not say.
pub const USUAL_SUMS: u32 = 500;
/// How many sums are told at most.
const MOST_SUMS: u32 = 2_000;
/// How many periods an answer looks at, at most: all the hours that are kept.
const MOST_PERIODS: u32 = 2_200;
const PARAMETERS: [&str; 7] = ["from", "to", "period", "by", "provider", "model", "limit"];
const TIME: &str = "give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or leave it out";

/// Which usage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageAsked {
    /// From when on; `None`: for 24 hours.
    pub from: Option<WallTime>,
    /// Until when; `None`: until now.
    pub to: Option<WallTime>,
    /// By which period.
    pub period: UsagePeriod,
    /// By what it is told apart.
    pub by: UsageBy,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this model, as the provider knows it.
    pub model: Option<ModelName>,
    /// So many sums at most.
    pub limit: u32,
}

impl Default for UsageAsked {
    fn default() -> Self {
        let by = UsageBy { provider: true, ..UsageBy::default() };
        Self {
            from: None,
            to: None,
            period: UsagePeriod::default(),
            by,
            provider: None,
            model: None,
            limit: USUAL_SUMS,
        }
    }
}

impl UsageAsked {
    /// Reads the parameters of a query, decoded, as they are meant at `now`.
    ///
    /// # Errors
    /// [`OrderError`] names the parameter, what it holds, and what to do.
    pub fn read(parameters: &[(String, String)], now: WallTime) -> Result<Self, OrderError> {
        single(parameters, &PARAMETERS)?;
        let mut asked = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "from" => asked.from = Some(time("from", value, now)?),
                "to" => asked.to = Some(time("to", value, now)?),
                "period" => asked.period = Self::read_period(value)?,
                "by" => asked.by = Self::read_by(value.split(','))?,
                "provider" => asked.provider = Some(value.as_str().into()),
                "model" => asked.model = Some(value.as_str().into()),
                _ => {
                    let shown = || format!("{:?}", cut(value));
                    asked.limit = value.parse().map_err(|_| limit(shown()))?;
                }
            }
        }
        Ok(asked)
    }

    /// Reads the word of a period.
    ///
    /// # Errors
    /// Names the words that there are.
    pub fn read_period(word: &str) -> Result<UsagePeriod, OrderError> {
        choose("period", word, &UsagePeriod::WORDS)
    }

    /// Reads the words for what is told apart; `none` alone is for nothing.
    ///
    /// # Errors
    /// Names the words that there are.
    pub fn read_by<'a>(words: impl Iterator<Item = &'a str>) -> Result<UsageBy, OrderError> {
        let mut by = UsageBy::default();
        let words: Vec<&str> = words.collect();
        if words == ["none"] {
            return Ok(by);
        }
        for word in words {
            match word {
                "provider" => by.provider = true,
                "credential" => by.credential = true,
                "model" => by.model = true,
                _ => {
                    let remedy = "give some of provider, credential and model with commas between them, or none, or \
                                  leave it out";
                    return Err(OrderError::field("by", format_args!("{:?}", cut(word)), remedy));
                }
            }
        }
        Ok(by)
    }

    /// Gives the range that is meant at `now`: it begins where a period does.
    ///
    /// # Errors
    /// [`OrderError`] when it ends before it begins, or has too many periods; and when too many sums are asked for, or
    /// none.
    pub fn range(&self, now: WallTime) -> Result<Range<WallTime>, OrderError> {
        if self.limit == 0 || self.limit > MOST_SUMS {
            return Err(limit(self.limit.to_string()));
        }
        // What begins at this very moment is told as well.
        let to = self.to.unwrap_or(now.plus(Duration::from_millis(1)));
        let from = self.from.unwrap_or(to.minus(USUAL_SPAN));
        if from >= to {
            let remedy = format!("give an earlier time than {to}, where the range ends");
            return Err(OrderError::field("from", from, remedy));
        }
        let from = self.period.start_of(from);
        if to.since(from) > self.period.length() * MOST_PERIODS {
            let remedy = format!(
                "a range has at most {MOST_PERIODS} periods; give a later time, or a longer period than {}",
                self.period.as_str()
            );
            return Err(OrderError::field("from", from, remedy));
        }
        Ok(from..to)
    }
}

fn limit(value: String) -> OrderError {
    let remedy = format!("give a whole number from 1 to {MOST_SUMS}, or leave it out for {USUAL_SUMS}");
    OrderError::field("limit", value, remedy)
}

/// Reads a time, or how long ago it is.
fn time(field: &'static str, text: &str, now: WallTime) -> Result<WallTime, OrderError> {
    let refused = || OrderError::field(field, format_args!("{:?}", cut(text)), TIME);
    let ago = match text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        // A day has no fixed length for whoever reads durations; in UTC it has.
        Some(days) => UsagePeriod::Day.length().checked_mul(days),
        None => text.parse::<jiff::SignedDuration>().ok().and_then(|ago| Duration::try_from(ago).ok()),
    };
    match ago {
        Some(ago) => Ok(now.minus(ago)),
        None => text.parse().map_err(|_| refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-02-19T22:50:30Z.
    const NOW: WallTime = WallTime(1_771_541_430_000);

    fn read(query: &[(&str, &str)]) -> Result<UsageAsked, OrderError> {
        let pairs: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UsageAsked::read(&pairs, NOW)
    }

    fn range(query: &[(&str, &str)]) -> String {
        let range = read(query).and_then(|asked| asked.range(NOW));
        range.map_or_else(|error| error.to_string(), |range| format!("{} to {}", range.start, range.end))
    }

    #[test]
    fn without_parameters_it_is_the_last_day_by_hour_and_provider() {
        let asked = read(&[]).unwrap();
        assert_eq!(asked, UsageAsked::default());
        assert_eq!((asked.period, asked.by.providers(), asked.by.model), (UsagePeriod::Hour, true, false));
        assert_eq!(range(&[]), "2026-02-18T22:00:00Z to 2026-02-19T22:50:30Z");
    }

    #[test]
    fn every_parameter_is_read() {
        let asked = read(&[
            ("from", "2026-02-01T00:00:00Z"),
            ("to", "48h"),
            ("period", "day"),
            ("by", "model,credential"),
            ("provider", "claude"),
            ("model", "m"),
            ("limit", "7"),
        ]);
        let expected = UsageAsked {
            from: Some("2026-02-01T00:00:00Z".parse().unwrap()),
            to: Some("2026-02-17T22:50:30Z".parse().unwrap()),
            period: UsagePeriod::Day,
            by: UsageBy { credential: true, model: true, ..UsageBy::default() },
            provider: Some("claude".into()),
            model: Some("m".into()),
            limit: 7,
        };
        assert_eq!(asked, Ok(expected));
        assert_eq!(read(&[("by", "none")]).unwrap().by, UsageBy::default());
    }

    #[test]
    fn a_range_begins_where_a_period_does() {
        let cases = [
            ([("from", "90m"), ("period", "minute")], "2026-02-19T21:20:00Z to 2026-02-19T22:50:30Z"),
            ([("from", "90m"), ("period", "hour")], "2026-02-19T21:00:00Z to 2026-02-19T22:50:30Z"),
            ([("from", "30d"), ("period", "day")], "2026-01-20T00:00:00Z to 2026-02-19T22:50:30Z"),
            (
                [("to", "2026-02-19T22:00:00+01:00"), ("period", "hour")],
                "2026-02-18T21:00:00Z to 2026-02-19T21:00:00Z",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(range(&query), expected);
        }
    }

    #[test]
    fn a_refusal_names_the_parameter_and_the_remedy() {
        let cases: [(&[(&str, &str)], &str); 10] = [
            (
                &[("since", "1h")],
                "there is no parameter `since`; known are from, to, period, by, provider, model, limit",
            ),
            (
                &[("by", "model"), ("by", "provider")],
                "by is \"provider\" after it was given before; give it once",
            ),
            (
                &[("from", "yesterday")],
                "from is \"yesterday\"; give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or \
                 leave it out",
            ),
            (
                &[("to", "-1h")],
                "to is \"-1h\"; give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or leave it \
                 out",
            ),
            (&[("period", "week")], "period is \"week\"; give one of minute, hour, day, or leave it out"),
            (
                &[("by", "provider,")],
                "by is \"\"; give some of provider, credential and model with commas between them, or none, or leave \
                 it out",
            ),
            (
                &[("limit", "many")],
                "limit is \"many\"; give a whole number from 1 to 2000, or leave it out for 500",
            ),
            (&[("limit", "0")], "limit is 0; give a whole number from 1 to 2000, or leave it out for 500"),
            (
                &[("from", "1h"), ("to", "2h")],
                "from is 2026-02-19T21:50:30Z; give an earlier time than 2026-02-19T20:50:30Z, where the range ends",
            ),
            (
                &[("from", "7d"), ("period", "minute")],
                "from is 2026-02-12T22:50:00Z; a range has at most 2200 periods; give a later time, or a longer period \
                 than minute",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(range(query), expected);
        }
    }

    #[test]
    fn times_far_away_are_refused_and_not_wrapped() {
        let far =
            UsageAsked { from: Some(WallTime(i64::MIN)), to: Some(WallTime(i64::MAX)), ..Default::default() };
        assert!(far.range(NOW).is_err());
        assert!(read(&[("from", "4294967295d")]).unwrap().range(NOW).is_err());
        let nothing = UsageAsked { from: Some(NOW), to: Some(NOW), ..Default::default() };
        assert!(nothing.range(NOW).is_err());
    }
}
