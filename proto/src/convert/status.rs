//! The answers of the operations calls.

use super::word::Word;
use crate::v1;
use cliproxy_domain::status::{
    AliasShares, LoadBalancingStatus, ProviderShare, ProviderStatus, ProvidersStatus, TargetShare,
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
    }
}

/// Turns the balancing state into its message.
pub fn load_balancing_to_wire(status: &LoadBalancingStatus) -> v1::GetLoadBalancingStatusResponse {
    v1::GetLoadBalancingStatusResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        config: status.config.0,
        strategy: status.strategy.word().to_owned(),
        providers: status
            .providers
            .iter()
            .map(|(name, share)| (name.to_string(), share_to_wire(share)))
            .collect(),
        models: status
            .models
            .iter()
            .map(|(name, shares)| (name.to_string(), alias_to_wire(shares)))
            .collect(),
    }
}

fn share_to_wire(share: &ProviderShare) -> v1::ProviderShare {
    v1::ProviderShare {
        priority: share.priority,
        weight: share.weight,
        available: share.available,
        excluded: share.excluded.clone(),
        requests_last_minute: share.requests_last_minute,
        share_percent: share.share_percent,
    }
}

fn alias_to_wire(shares: &AliasShares) -> v1::AliasShares {
    let targets = shares.targets.iter().map(|target| v1::TargetShare {
        provider: target.provider.to_string(),
        model: target.model.to_string(),
        priority: target.priority,
        weight: target.weight,
        available: target.available,
    });
    v1::AliasShares { strategy: shares.strategy.word().to_owned(), targets: targets.collect() }
}
