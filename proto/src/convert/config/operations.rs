//! What operators set of balancing, cooldown and health. What an older sender does not know has its default.

use super::super::{ConvertError, at_least_one, millis, required};
use crate::v1;
use cliproxy_domain::{CooldownDurations, CooldownPolicy, HealingPolicy, HealthCheck, HealthPolicy, Hedge};
use std::time::Duration;

/// What a health check may be asked with.
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// Takes a duration that means nothing when it is none.
pub(super) fn some_ms(field: &'static str, value: u64) -> Result<Duration, ConvertError> {
    if value == 0 {
        Err(ConvertError::OutOfRange { field, value: 0, expected: "at least 1" })
    } else {
        Ok(ms(value))
    }
}

/// Takes a share of all requests.
pub(super) fn percent(field: &'static str, value: u32) -> Result<u32, ConvertError> {
    if value > 100 {
        Err(ConvertError::OutOfRange { field, value: value.into(), expected: "at most 100" })
    } else {
        Ok(value)
    }
}

pub(super) fn durations_to_wire(durations: &CooldownDurations) -> v1::CooldownDurations {
    v1::CooldownDurations {
        enabled: durations.enabled,
        default_ms: millis(durations.default),
        rate_limit_ms: millis(durations.rate_limit),
        error_ms: millis(durations.error),
    }
}

pub(super) fn durations_from_wire(wire: &v1::CooldownDurations) -> Result<CooldownDurations, ConvertError> {
    Ok(CooldownDurations {
        enabled: wire.enabled,
        default: some_ms("CooldownDurations.default_ms", wire.default_ms)?,
        rate_limit: some_ms("CooldownDurations.rate_limit_ms", wire.rate_limit_ms)?,
        error: some_ms("CooldownDurations.error_ms", wire.error_ms)?,
    })
}

pub(super) fn check_to_wire(check: &HealthCheck) -> v1::HealthCheck {
    v1::HealthCheck { enabled: check.enabled, endpoint: check.endpoint.clone(), method: check.method.clone() }
}

pub(super) fn check_from_wire(wire: &v1::HealthCheck) -> Result<HealthCheck, ConvertError> {
    let method = required("HealthCheck.method", &wire.method)?;
    if !METHODS.contains(&method) {
        return Err(ConvertError::UnknownWord {
            field: "HealthCheck.method",
            value: method.to_owned(),
            expected: METHODS.join(", "),
        });
    }
    let is_url = |endpoint: &String| endpoint.starts_with("http://") || endpoint.starts_with("https://");
    if let Some(endpoint) = wire.endpoint.as_ref().filter(|endpoint| !is_url(endpoint)) {
        return Err(ConvertError::UnknownWord {
            field: "HealthCheck.endpoint",
            value: endpoint.clone(),
            expected: "http://…, https://…".to_owned(),
        });
    }
    Ok(HealthCheck { enabled: wire.enabled, endpoint: wire.endpoint.clone(), method: method.to_owned() })
}

pub(super) fn hedge_to_wire(hedge: Hedge) -> v1::Hedge {
    v1::Hedge { after_ms: millis(hedge.after), budget_percent: hedge.budget_percent }
}

pub(super) fn hedge_from_wire(wire: &v1::Hedge) -> Result<Hedge, ConvertError> {
    Ok(Hedge {
        after: some_ms("Hedge.after_ms", wire.after_ms)?,
        budget_percent: percent("Hedge.budget_percent", wire.budget_percent)?,
    })
}

pub(super) fn cooldown_to_wire(policy: CooldownPolicy) -> v1::CooldownPolicy {
    v1::CooldownPolicy {
        enabled: policy.enabled,
        detection_window_ms: millis(policy.detection_window),
        error_threshold: policy.error_threshold,
        honor_retry_after: policy.honor_retry_after,
        max_hint_ms: millis(policy.max_hint),
    }
}

pub(super) fn cooldown_from_wire(wire: &v1::CooldownPolicy) -> Result<CooldownPolicy, ConvertError> {
    Ok(CooldownPolicy {
        enabled: wire.enabled,
        detection_window: some_ms("CooldownPolicy.detection_window_ms", wire.detection_window_ms)?,
        error_threshold: at_least_one("CooldownPolicy.error_threshold", wire.error_threshold)?,
        honor_retry_after: wire.honor_retry_after,
        max_hint: some_ms("CooldownPolicy.max_hint_ms", wire.max_hint_ms)?,
    })
}

pub(super) fn health_to_wire(policy: HealthPolicy) -> v1::HealthPolicy {
    v1::HealthPolicy {
        enabled: policy.enabled,
        interval_ms: millis(policy.interval),
        timeout_ms: millis(policy.timeout),
        unhealthy_threshold: policy.unhealthy_threshold,
        healthy_threshold: policy.healthy_threshold,
        daily_budget: policy.daily_budget,
    }
}

pub(super) fn health_from_wire(wire: &v1::HealthPolicy) -> Result<HealthPolicy, ConvertError> {
    Ok(HealthPolicy {
        enabled: wire.enabled,
        interval: some_ms("HealthPolicy.interval_ms", wire.interval_ms)?,
        timeout: some_ms("HealthPolicy.timeout_ms", wire.timeout_ms)?,
        unhealthy_threshold: at_least_one("HealthPolicy.unhealthy_threshold", wire.unhealthy_threshold)?,
        healthy_threshold: at_least_one("HealthPolicy.healthy_threshold", wire.healthy_threshold)?,
        daily_budget: at_least_one("HealthPolicy.daily_budget", wire.daily_budget)?,
    })
}

pub(super) fn healing_to_wire(policy: HealingPolicy) -> v1::HealingPolicy {
    v1::HealingPolicy {
        enabled: policy.enabled,
        check_interval_ms: millis(policy.check_interval),
        max_attempts: policy.max_attempts,
        backoff_ms: millis(policy.backoff),
    }
}

pub(super) fn healing_from_wire(wire: &v1::HealingPolicy) -> Result<HealingPolicy, ConvertError> {
    Ok(HealingPolicy {
        enabled: wire.enabled,
        check_interval: some_ms("HealingPolicy.check_interval_ms", wire.check_interval_ms)?,
        max_attempts: at_least_one("HealingPolicy.max_attempts", wire.max_attempts)?,
        backoff: some_ms("HealingPolicy.backoff_ms", wire.backoff_ms)?,
    })
}
