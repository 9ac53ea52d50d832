//! The answers of the operations calls.

use super::{
    ConvertError, required,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{
    ConfigId, CooldownCause, ModelName, ProviderName, WallTime,
    status::{AliasShares, LoadBalancingStatus, ProviderShare, ProviderStatus, ProvidersStatus, TargetShare},
};

/// Turns the providers' states into their message.
pub fn providers_to_wire(status: &ProvidersStatus) -> v1::GetProviderStatusResponse {
    v1::GetProviderStatusResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        providers: status.providers.iter().map(|(name, p)| (name.to_string(), provider_to_wire(p))).collect(),
    }
}

/// Reads the providers' states.
///
/// # Errors
///
/// Fails on words that this program does not know.
pub fn providers_from_wire(wire: &v1::GetProviderStatusResponse) -> Result<ProvidersStatus, ConvertError> {
    let providers = wire.providers.iter().map(|(name, p)| {
        Ok((ProviderName::from(required("ProviderStatus.name", name)?), provider_from_wire(p)?))
    });
    Ok(ProvidersStatus {
        source: word::read("GetProviderStatusResponse.source", &wire.source)?,
        as_of: WallTime(wire.as_of_ms),
        providers: providers.collect::<Result<_, _>>()?,
    })
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

fn provider_from_wire(wire: &v1::ProviderStatus) -> Result<ProviderStatus, ConvertError> {
    let cooldown_reason = wire.cooldown_reason.as_deref();
    Ok(ProviderStatus {
        status: word::read("ProviderStatus.status", &wire.status)?,
        in_cooldown: wire.in_cooldown,
        last_check: wire.last_check_ms.map(WallTime),
        uptime_percent: wire.uptime_percent,
        requests_last_minute: wire.requests_last_minute,
        errors_last_minute: wire.errors_last_minute,
        average_latency_ms: wire.average_latency_ms,
        cooldown_reason: cooldown_reason
            .map(|word| word::read::<CooldownCause>("ProviderStatus.cooldown_reason", word))
            .transpose()?,
    })
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

/// Reads the balancing state.
///
/// # Errors
///
/// Fails on words that this program does not know.
pub fn load_balancing_from_wire(
    wire: &v1::GetLoadBalancingStatusResponse,
) -> Result<LoadBalancingStatus, ConvertError> {
    let models = wire.models.iter().map(|(name, shares)| {
        Ok((ModelName::from(required("AliasShares.name", name)?), alias_from_wire(shares)?))
    });
    Ok(LoadBalancingStatus {
        source: word::read("GetLoadBalancingStatusResponse.source", &wire.source)?,
        as_of: WallTime(wire.as_of_ms),
        config: ConfigId(wire.config),
        strategy: word::read("GetLoadBalancingStatusResponse.strategy", &wire.strategy)?,
        providers: wire
            .providers
            .iter()
            .map(|(name, share)| (ProviderName::from(name.as_str()), share_from_wire(share)))
            .collect(),
        models: models.collect::<Result<_, _>>()?,
    })
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

fn share_from_wire(wire: &v1::ProviderShare) -> ProviderShare {
    ProviderShare {
        priority: wire.priority,
        weight: wire.weight,
        available: wire.available,
        excluded: wire.excluded.clone(),
        requests_last_minute: wire.requests_last_minute,
        share_percent: wire.share_percent,
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

fn alias_from_wire(wire: &v1::AliasShares) -> Result<AliasShares, ConvertError> {
    let targets = wire.targets.iter().map(|target| TargetShare {
        provider: ProviderName::from(target.provider.as_str()),
        model: ModelName::from(target.model.as_str()),
        priority: target.priority,
        weight: target.weight,
        available: target.available,
    });
    Ok(AliasShares {
        strategy: word::read("AliasShares.strategy", &wire.strategy)?,
        targets: targets.collect(),
    })
}

#[cfg(test)]
mod tests;
