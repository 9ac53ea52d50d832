//! What was used.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::{
    WallTime,
    operate::{OrderError, USUAL_SUMS, UsageAsked},
    status::{UsageAttempts, UsageCounts, UsageEntry, UsageStatus, UsageTokens},
};

/// Reads which usage is asked for.
///
/// # Errors
/// [`OrderError`] when a word is none of those there are.
pub fn usage_asked_from_wire(wire: v1::GetUsageRequest) -> Result<UsageAsked, OrderError> {
    let usual = UsageAsked::default();
    let (by, tags) = match wire.by.as_slice() {
        [] => (usual.by, usual.tags),
        words => UsageAsked::read_by(words.iter().map(String::as_str))?,
    };
    let period = if wire.period.is_empty() { usual.period } else { UsageAsked::read_period(&wire.period)? };
    Ok(UsageAsked {
        from: wire.from_ms.map(WallTime),
        to: wire.to_ms.map(WallTime),
        period,
        by,
        tags,
        provider: wire.provider.map(Into::into),
        model: wire.model.map(Into::into),
        client: wire.client.map(Into::into),
        limit: wire.limit.unwrap_or(USUAL_SUMS),
        format: usual.format,
    })
}

/// Turns usage into its message.
pub fn usage_to_wire(status: &UsageStatus) -> v1::GetUsageResponse {
    v1::GetUsageResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        from_ms: status.from.0,
        to_ms: status.to.0,
        period: status.period.as_str().to_owned(),
        usage: status.usage.iter().map(entry).collect(),
        truncated: status.truncated,
        total: Some(counts(&status.total)),
        late: status.late.as_ref().map(counts),
    }
}

fn entry(entry: &UsageEntry) -> v1::UsageEntry {
    v1::UsageEntry {
        at_ms: entry.at.0,
        provider: entry.provider.as_ref().map(ToString::to_string),
        credential: entry.credential.as_ref().map(ToString::to_string),
        model: entry.model.as_ref().map(ToString::to_string),
        attempts: Some(attempts(&entry.counts.attempts)),
        tokens: Some(tokens(&entry.counts.tokens)),
        client: entry.client.as_ref().map(ToString::to_string),
        price: entry.price.as_ref().map(ToString::to_string),
        tags: entry.tags.clone(),
        cost_usd: entry.counts.cost_usd(),
    }
}

fn counts(counts: &UsageCounts) -> v1::UsageCounts {
    v1::UsageCounts {
        attempts: Some(attempts(&counts.attempts)),
        tokens: Some(tokens(&counts.tokens)),
        cost_usd: counts.cost_usd(),
    }
}

fn attempts(attempts: &UsageAttempts) -> v1::UsageAttempts {
    v1::UsageAttempts {
        total: attempts.total,
        ok: attempts.ok,
        err_4xx: attempts.err_4xx,
        rate_limited: attempts.rate_limited,
        err_5xx: attempts.err_5xx,
        timeout: attempts.timeout,
        connect: attempts.connect,
        cancelled: attempts.cancelled,
        retried: attempts.retried,
        streams: attempts.streams,
        average_latency_ms: attempts.average_latency_ms,
        average_first_event_ms: attempts.average_first_event_ms,
    }
}

fn tokens(tokens: &UsageTokens) -> v1::UsageTokens {
    v1::UsageTokens {
        total: tokens.total,
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_write: tokens.cache_write,
        reasoning: tokens.reasoning,
        estimated: tokens.estimated,
    }
}
