//! `GET /v0/operations/providers/status`

use crate::ops::Ops;
use cliproxy_domain::{
    HealthState, WallTime,
    status::{ProviderStatus, ProvidersStatus, Source},
};
use cliproxy_engine::{
    ProviderOutlook,
    status::{all_rejected, percent, provider_rest},
};

/// Tells how every provider is as far as this node knows; of none before it has a configuration.
pub(super) fn status(ops: &Ops) -> ProvidersStatus {
    let now = ops.clock.wall();
    let mut status = ProvidersStatus { source: Source::Node, as_of: now, ..ProvidersStatus::default() };
    let Some(known) = ops.live.known() else { return status };
    for provider in &known.outlook().providers {
        status.providers.insert(provider.name.clone(), of(ops, provider, now));
    }
    status
}

fn of(ops: &Ops, provider: &ProviderOutlook, now: WallTime) -> ProviderStatus {
    let glance = ops.recent.glance(&provider.name, now);
    let (status, why) = match judged(provider, now) {
        // Nothing was decided of it yet: what clients' requests met is all there is.
        (HealthState::Unknown, why) => (glance.health, why),
        judged => judged,
    };
    let rest = provider_rest(provider, now);
    ProviderStatus {
        status,
        in_cooldown: rest.is_some(),
        last_check: glance.last,
        uptime_percent: percent(glance.uptime_percent / 100.0),
        requests_last_minute: glance.counts.attempts(),
        errors_last_minute: glance.counts.errors(),
        average_latency_ms: glance.counts.latency_us.checked_div(glance.counts.ok).unwrap_or(0) / 1_000,
        cooldown_reason: rest.map(|rest| rest.cause),
        why,
    }
}

/// Gives the word in force on a provider's health, and what it was decided on. One that takes none of its credentials
/// answers, but nobody's requests.
fn judged(provider: &ProviderOutlook, now: WallTime) -> (HealthState, String) {
    let (state, why) = match &provider.health {
        Some(health) => (health.state, health.why.clone()),
        None => (HealthState::Unknown, String::new()),
    };
    if !state.is_down() && all_rejected(provider, now) {
        return (HealthState::Unhealthy, "it refused all of its credentials".to_owned());
    }
    (state, why)
}
