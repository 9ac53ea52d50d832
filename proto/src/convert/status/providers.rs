//! How providers are and what rests.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::status::{
    ChangeStatus, CooldownPeriod, CooldownStatus, ProviderStatus, ProvidersStatus, RestStatus,
};

/// Turns the providers' states into their message.
pub fn providers_to_wire(status: &ProvidersStatus) -> v1::GetProviderStatusResponse {
    v1::GetProviderStatusResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        providers: status.providers.iter().map(|(name, p)| (name.to_string(), provider_to_wire(p))).collect(),
    }
}

fn provider_to_wire(status: &ProviderStatus) -> v1::ProviderStatus {
    v1::ProviderStatus {
        status: status.status.word().to_owned(),
        in_cooldown: status.in_cooldown,
        last_check_ms: status.last_check.map(|at| at.0),
        uptime_percent: status.uptime_percent,
        requests_last_minute: status.requests_last_minute,
        errors_last_minute: status.errors_last_minute,
        average_latency_ms: status.average_latency_ms,
        cooldown_reason: status.cooldown_reason.map(|cause| cause.word().to_owned()),
        why: status.why.clone(),
    }
}

/// Turns what rests into its message.
pub fn cooldowns_to_wire(status: &CooldownStatus) -> v1::ListCooldownsResponse {
    let periods = status.cooldown_periods.iter();
    v1::ListCooldownsResponse {
        providers_in_cooldown: status.providers_in_cooldown.iter().map(ToString::to_string).collect(),
        cooldown_periods: periods.map(|(name, period)| (name.to_string(), period_to_wire(period))).collect(),
        resting: status.resting.iter().map(|(key, rest)| (key.clone(), rest_to_wire(rest))).collect(),
        history: status.history.iter().map(rest_to_wire).collect(),
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
    }
}

fn period_to_wire(period: &CooldownPeriod) -> v1::CooldownPeriod {
    v1::CooldownPeriod {
        started_at_ms: period.started_at.0,
        ends_at_ms: period.ends_at.0,
        remaining_seconds: period.remaining_seconds,
        reason: period.reason.clone(),
    }
}

fn rest_to_wire(rest: &RestStatus) -> v1::Rest {
    v1::Rest {
        subject: rest.subject.clone(),
        scope: rest.scope.clone(),
        stage: rest.stage.clone(),
        cause: rest.cause.word().to_owned(),
        started_at_ms: rest.started_at.0,
        ends_at_ms: rest.ends_at.0,
        remaining_seconds: rest.remaining_seconds,
        reporter: rest.reporter.as_ref().map(ToString::to_string),
        by: rest.by.clone(),
        note: rest.note.clone(),
        http_status: rest.http_status.map(u32::from),
        error_type: rest.error_type.clone(),
        hint_seconds: rest.hint_seconds,
        clamped: rest.clamped,
        errors: rest.errors,
        window_seconds: rest.window_seconds,
        streak: rest.streak,
        prober: rest.prober.as_ref().map(ToString::to_string),
        epoch: rest.epoch,
    }
}

/// Turns the outcome of an operator's word into its message.
pub fn change_to_wire(status: &ChangeStatus) -> v1::ChangeStatus {
    v1::ChangeStatus {
        provider: status.provider.to_string(),
        subject: status.subject.clone(),
        cooldown: status.cooldown.as_ref().map(period_to_wire),
        dry_run: status.dry_run,
        hint_version: status.hint_version.0,
        applied_nodes: status.applied_nodes,
        total_nodes: status.total_nodes,
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
    }
}
