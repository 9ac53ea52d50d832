//! The answer of `GET /v0/operations/usage`.

use super::Source;
use crate::{
    name::{ClientName, CredentialName, ModelName, PriceVersion, ProviderName},
    period::UsagePeriod,
    time::WallTime,
    usage::{AttemptCounts, TokenUsage},
};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What was used, by period.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Periods are told that begin from then on: the beginning of the first.
    pub from: WallTime,
    /// Those that begin before this.
    pub to: WallTime,
    /// How long each is.
    pub period: UsagePeriod,
    /// The sums, those of the newest period first.
    pub usage: Vec<UsageEntry>,
    /// Whether there are more than were asked for.
    pub truncated: bool,
    /// All of the range, also what is not told one by one.
    pub total: UsageCounts,
    /// What came within the range but is counted nowhere, as it may have been counted before. Absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<UsageCounts>,
}

/// What was used in one period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageEntry {
    /// When the period begins.
    pub at: WallTime,
    /// Of which provider; absent where all are summed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Of which credential; absent where all are summed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// Of which model, as the provider knows it; absent where all are summed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// For which client; absent where all are summed, and where nobody said who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// At which price; absent where all are summed, and where none was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceVersion>,
    /// For clients with which tags, by the configuration in force: those that were asked for, by their names.
    pub tags: BTreeMap<String, String>,
    /// What was used.
    #[serde(flatten)]
    pub counts: UsageCounts,
}

/// Calls of providers, and the tokens they took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageCounts {
    /// How the calls ended.
    pub attempts: UsageAttempts,
    /// The tokens they took.
    pub tokens: UsageTokens,
    /// What they cost, in billionths of a US dollar; shown in US dollars.
    #[serde(rename = "cost_usd", serialize_with = "in_dollars")]
    pub cost_nanos: u64,
}

impl UsageCounts {
    /// Shows counters. What passes the type stays at its end.
    pub fn of(attempts: &AttemptCounts, tokens: &TokenUsage, cost_nanos: u64) -> Self {
        Self { attempts: UsageAttempts::of(attempts), tokens: UsageTokens::of(tokens), cost_nanos }
    }

    /// Gives the cost in US dollars.
    pub fn cost_usd(&self) -> f64 {
        self.cost_nanos as f64 / 1e9
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference to the field")]
fn in_dollars<S: Serializer>(nanos: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(*nanos as f64 / 1e9)
}

/// How calls of providers ended, each counted in exactly one from `ok` to `cancelled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageAttempts {
    /// All of them.
    pub total: u64,
    /// Answered in full.
    pub ok: u64,
    /// Refused for the request's or the credential's sake (4xx other than 429 and 402).
    pub err_4xx: u64,
    /// Refused for rate or quota (429 and 402).
    pub rate_limited: u64,
    /// Failed at the provider.
    pub err_5xx: u64,
    /// Not answered in time.
    pub timeout: u64,
    /// Not connected.
    pub connect: u64,
    /// Cancelled as the client had gone.
    pub cancelled: u64,
    /// Of all these, those that were not their request's first.
    pub retried: u64,
    /// Of those in `ok`, the streams.
    pub streams: u64,
    /// Of those in `ok`; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_latency_ms: Option<u64>,
    /// Of the streams, to their first event; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_first_event_ms: Option<u64>,
}

impl UsageAttempts {
    fn of(counts: &AttemptCounts) -> Self {
        Self {
            total: counts.attempts(),
            ok: counts.ok,
            err_4xx: counts.err_4xx,
            rate_limited: counts.rate_limited,
            err_5xx: counts.err_5xx,
            timeout: counts.timeout,
            connect: counts.connect,
            cancelled: counts.cancelled,
            retried: counts.retried,
            streams: counts.streams,
            average_latency_ms: counts.latency_us.checked_div(counts.ok).map(to_millis),
            average_first_event_ms: counts.first_event_us.checked_div(counts.streams).map(to_millis),
        }
    }
}

fn to_millis(micros: u64) -> u64 {
    micros / 1_000
}

/// The tokens of calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageTokens {
    /// Input and output.
    pub total: u64,
    /// All prompt tokens.
    pub input: u64,
    /// All generated tokens.
    pub output: u64,
    /// Of `input`, those read from the provider's cache.
    pub cache_read: u64,
    /// Of `input`, those written to the provider's cache.
    pub cache_write: u64,
    /// Of `output`, those spent on reasoning.
    pub reasoning: u64,
    /// Of `total`, those that were estimated as the provider reported none.
    pub estimated: u64,
}

impl UsageTokens {
    fn of(tokens: &TokenUsage) -> Self {
        Self {
            total: tokens.total(),
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_write: tokens.cache_write,
            reasoning: tokens.reasoning,
            estimated: tokens.estimated,
        }
    }
}
