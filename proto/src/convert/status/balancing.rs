//! How calls are spread.

use super::{super::word::Word, decision::decision_to_wire};
use crate::v1;
use cliproxy_domain::status::{AliasShares, LoadBalancingStatus, ProviderShare};

/// Turns the balancing state into its message.
pub fn load_balancing_to_wire(status: &LoadBalancingStatus) -> v1::GetLoadBalancingStatusResponse {
    let providers = status.providers.iter().map(|(name, share)| (name.to_string(), share_to_wire(share)));
    let models = status.models.iter().map(|(name, shares)| (name.to_string(), alias_to_wire(shares)));
    v1::GetLoadBalancingStatusResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        config: status.config.0,
        strategy: status.strategy.word().to_owned(),
        providers: providers.collect(),
        models: models.collect(),
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
        until_ms: share.until.map(|until| until.0),
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
    v1::AliasShares {
        strategy: shares.strategy.word().to_owned(),
        targets: targets.collect(),
        decision: Some(decision_to_wire(&shares.decision)),
    }
}
