//! `GET /v0/operations/providers/status`

use super::Ops;
use cliproxy_domain::status::{ProviderStatus, ProvidersStatus, Source};

/// Answers for the cluster, or for this node when the control plane cannot be asked.
pub(super) fn answer(ops: &Ops) -> ProvidersStatus {
    of_this_node(ops)
}

fn of_this_node(ops: &Ops) -> ProvidersStatus {
    let now = ops.clock.wall();
    let Some(known) = ops.live.known() else {
        return ProvidersStatus { source: Source::Node, as_of: now, ..ProvidersStatus::default() };
    };
    let providers = known.snapshot.providers.keys().map(|name| {
        let glance = ops.recent.glance(name, now);
        let rests = ops.live.provider_rests(name, now);
        let counts = glance.counts;
        let status = ProviderStatus {
            status: glance.health,
            in_cooldown: rests.is_some(),
            last_check: glance.last,
            uptime_percent: glance.uptime_percent,
            requests_last_minute: counts.attempts(),
            errors_last_minute: counts.errors(),
            average_latency_ms: counts.latency_us.checked_div(counts.ok).unwrap_or(0) / 1_000,
            cooldown_reason: rests,
            ..ProviderStatus::default()
        };
        (name.clone(), status)
    });
    ProvidersStatus { source: Source::Node, as_of: now, providers: providers.collect() }
}
