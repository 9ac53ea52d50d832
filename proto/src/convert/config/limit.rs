//! Budgets and rates. What an older sender does not know has its default.

use super::{
    super::{
        ConvertError, millis, required,
        word::{self, Word},
    },
    operations::some_ms,
};
use crate::v1;
use cliproxy_domain::{LossMode, Quota, QuotaReset, RateLimits};

pub(super) fn quota_to_wire(quota: &Quota) -> v1::QuotaDef {
    let (reset, reset_day, every_ms) = match quota.reset {
        QuotaReset::Hourly => ("hourly", 0, 0),
        QuotaReset::Daily => ("daily", 0, 0),
        QuotaReset::Weekly => ("weekly", 0, 0),
        QuotaReset::Monthly { day } => ("monthly", day.into(), 0),
        QuotaReset::Every(period) => ("every", 0, millis(period)),
    };
    v1::QuotaDef {
        limit: quota.limit,
        unit: quota.unit.word().to_owned(),
        reset: reset.to_owned(),
        reset_day,
        every_ms,
        timezone: quota.timezone.clone(),
        on_loss: quota.on_loss.word().to_owned(),
        policy: quota.policy.word().to_owned(),
        reserve_output: quota.reserve_output,
    }
}

pub(super) fn quota_from_wire(wire: &v1::QuotaDef) -> Result<Quota, ConvertError> {
    let reset = match wire.reset.as_str() {
        "hourly" => QuotaReset::Hourly,
        "daily" => QuotaReset::Daily,
        "weekly" => QuotaReset::Weekly,
        "monthly" => QuotaReset::Monthly {
            day: u8::try_from(wire.reset_day).ok().filter(|day| (1..=28).contains(day)).ok_or(
                ConvertError::OutOfRange {
                    field: "Quota.reset_day",
                    value: wire.reset_day.into(),
                    expected: "1 to 28",
                },
            )?,
        },
        "every" => QuotaReset::Every(some_ms("Quota.every_ms", wire.every_ms)?),
        other => {
            return Err(ConvertError::UnknownWord {
                field: "Quota.reset",
                value: other.to_owned(),
                expected: "hourly, daily, weekly, monthly, every".to_owned(),
            });
        }
    };
    if wire.limit == 0 {
        return Err(ConvertError::OutOfRange { field: "Quota.limit", value: 0, expected: "at least 1" });
    }
    Ok(Quota {
        limit: wire.limit,
        unit: word::read("Quota.unit", &wire.unit)?,
        reset,
        timezone: required("Quota.timezone", &wire.timezone)?.to_owned(),
        on_loss: loss_from_wire(&wire.on_loss)?,
        policy: word::read_or_default("Quota.policy", &wire.policy)?,
        reserve_output: match wire.reserve_output {
            0 => Quota::RESERVE_OUTPUT,
            tokens => tokens,
        },
    })
}

/// Reads what a budget does on loss. It has no fair share to fall back to: what others hold of it is spent for good.
fn loss_from_wire(word: &str) -> Result<LossMode, ConvertError> {
    match word {
        "" | "strict" => Ok(LossMode::Strict),
        "optimistic" => Ok(LossMode::Optimistic),
        other => Err(ConvertError::UnknownWord {
            field: "Quota.on_loss",
            value: other.to_owned(),
            expected: "strict, optimistic".to_owned(),
        }),
    }
}

/// Says nothing of those that limit nothing by any default, which is how older senders say it.
pub(super) fn rates_to_wire(limits: &RateLimits) -> Option<v1::RateLimits> {
    (*limits != RateLimits::default()).then(|| v1::RateLimits {
        requests_per_minute: limits.requests_per_minute,
        tokens_per_minute: limits.tokens_per_minute,
        concurrent_requests: limits.concurrent_requests,
        on_loss: limits.on_loss.word().to_owned(),
    })
}

pub(super) fn rates_from_wire(wire: Option<&v1::RateLimits>) -> Result<RateLimits, ConvertError> {
    let Some(wire) = wire else { return Ok(RateLimits::default()) };
    let some = |field: &'static str, value: Option<u64>| match value {
        Some(0) => Err(ConvertError::OutOfRange { field, value: 0, expected: "at least 1, or unset" }),
        value => Ok(value),
    };
    Ok(RateLimits {
        requests_per_minute: some("RateLimits.requests_per_minute", wire.requests_per_minute)?,
        tokens_per_minute: some("RateLimits.tokens_per_minute", wire.tokens_per_minute)?,
        concurrent_requests: some("RateLimits.concurrent_requests", wire.concurrent_requests)?,
        on_loss: word::read_or_default("RateLimits.on_loss", &wire.on_loss)?,
    })
}
