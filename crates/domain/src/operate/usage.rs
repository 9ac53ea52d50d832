//! Which usage is asked for: the parameters of `GET …/usage`.

use super::{
    MAX_NAME, OrderError, cut,
    question::{choose, single},
};
use crate::{
    name::{ClientName, ModelName, ProviderName},
    period::{UsageBy, UsagePeriod},
    time::WallTime,
};
use std::{collections::BTreeSet, ops::Range, time::Duration};

/// How far back is told where the call does not say.
const USUAL_SPAN: Duration = Duration::from_secs(24 * 60 * 60);
/// How many sums are told where the call does not say.
pub const USUAL_SUMS: u32 = 500;
/// How many sums are told at most.
const MOST_SUMS: u32 = 2_000;
/// How many sums a table has at most: what a node can hand on in one answer.
pub const MOST_LINES: u32 = 20_000;
/// By how many tags usage is told apart at most.
const MOST_TAGS: usize = 4;
/// What the name of a tag stands behind.
const TAG: &str = "tag:";
/// How many periods an answer looks at, at most: all the hours that are kept.
const MOST_PERIODS: u32 = 2_200;
const PARAMETERS: [&str; 9] =
    ["from", "to", "period", "by", "provider", "model", "client", "limit", "format"];
const FORMATS: [(UsageFormat, &str); 2] = [(UsageFormat::Json, "json"), (UsageFormat::Csv, "csv")];
const TIME: &str = "give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or leave it out";

/// In which form usage is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageFormat {
    /// As every answer.
    #[default]
    Json,
    /// As a table of text, for spreadsheets.
    Csv,
}

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
    /// By which tags of the clients as well: their names, sorted.
    pub tags: Vec<String>,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this model, as the provider knows it.
    pub model: Option<ModelName>,
    /// Only of this client.
    pub client: Option<ClientName>,
    /// So many sums at most.
    pub limit: u32,
    /// In which form.
    pub format: UsageFormat,
}

impl Default for UsageAsked {
    fn default() -> Self {
        let by = UsageBy { provider: true, ..UsageBy::default() };
        Self {
            from: None,
            to: None,
            period: UsagePeriod::default(),
            by,
            tags: Vec::new(),
            provider: None,
            model: None,
            client: None,
            limit: USUAL_SUMS,
            format: UsageFormat::default(),
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
        if let Some((_, word)) = parameters.iter().find(|(name, _)| name == "format") {
            asked.format = choose("format", word, &FORMATS)?;
            if asked.format == UsageFormat::Csv {
                asked.limit = MOST_LINES;
            }
        }
        for (name, value) in parameters {
            match name.as_str() {
                "from" => asked.from = Some(time("from", value, now)?),
                "to" => asked.to = Some(time("to", value, now)?),
                "period" => asked.period = Self::read_period(value)?,
                "by" => (asked.by, asked.tags) = Self::read_by(value.split(','))?,
                "provider" => asked.provider = Some(value.as_str().into()),
                "model" => asked.model = Some(value.as_str().into()),
                "client" => asked.client = Some(value.as_str().into()),
                "format" => {}
                _ => {
                    let shown = || format!("{:?}", cut(value));
                    asked.limit = value.parse().map_err(|_| asked.limit_is(shown()))?;
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

    /// Reads the words for what is told apart, and the names of tags; `none` alone is for nothing.
    ///
    /// # Errors
    /// Names the words that there are.
    pub fn read_by<'a>(words: impl Iterator<Item = &'a str>) -> Result<(UsageBy, Vec<String>), OrderError> {
        let (mut by, mut tags) = (UsageBy::default(), BTreeSet::new());
        let words: Vec<&str> = words.collect();
        if words == ["none"] {
            return Ok((by, Vec::new()));
        }
        for word in words {
            match word {
                "provider" => by.provider = true,
                "credential" => by.credential = true,
                "model" => by.model = true,
                "client" => by.client = true,
                "price" => by.price = true,
                _ => {
                    let tag = word.strip_prefix(TAG).filter(|tag| !tag.is_empty() && tag.len() <= MAX_NAME);
                    tags.insert(tag.ok_or_else(|| unknown_word(word))?.to_owned());
                }
            }
        }
        if tags.len() > MOST_TAGS {
            let remedy = format!("give at most {MOST_TAGS}");
            return Err(OrderError::field("by", format_args!("{} tags", tags.len()), remedy));
        }
        Ok((by, tags.into_iter().collect()))
    }

    /// Tells how many sums may be asked for.
    fn most(&self) -> u32 {
        match self.format {
            UsageFormat::Json => MOST_SUMS,
            UsageFormat::Csv => MOST_LINES,
        }
    }

    /// Says that so many sums cannot be asked for.
    fn limit_is(&self, value: String) -> OrderError {
        let usual = if self.format == UsageFormat::Csv { MOST_LINES } else { USUAL_SUMS };
        let remedy = format!("give a whole number from 1 to {}, or leave it out for {usual}", self.most());
        OrderError::field("limit", value, remedy)
    }

    /// Gives the range that is meant at `now`: it begins where a period does.
    ///
    /// # Errors
    /// [`OrderError`] when it ends before it begins, or has too many periods; and when too many sums are asked for, or
    /// none.
    pub fn range(&self, now: WallTime) -> Result<Range<WallTime>, OrderError> {
        if self.limit == 0 || self.limit > self.most() {
            return Err(self.limit_is(self.limit.to_string()));
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

fn unknown_word(word: &str) -> OrderError {
    let remedy = "give some of provider, credential, model, client, price and tag:NAME with commas between them, or none, \
                  or leave it out";
    OrderError::field("by", format_args!("{:?}", cut(word)), remedy)
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
mod tests;
