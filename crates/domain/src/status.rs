//! The answers of the operations endpoints. REST shows them as JSON in the guide's words; gRPC carries the same
//! fields.

use crate::{
    cooldown::CooldownCause,
    name::{ModelName, ProviderName},
    snapshot::Strategy,
    time::WallTime,
    version::ConfigId,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Whose knowledge an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The control plane's: all nodes together.
    #[default]
    Cluster,
    /// One node's own, as it cannot reach a control plane.
    Node,
}

/// The answer of `GET /v0/operations/providers/status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProvidersStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// One entry for each configured provider.
    pub providers: BTreeMap<ProviderName, ProviderStatus>,
}

/// Whether a provider answers, as live traffic shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Nothing was asked of it yet. It takes traffic.
    #[default]
    Unknown,
    /// It answered lately.
    Healthy,
    /// All that was asked of it in the last minute failed.
    Unhealthy,
}

/// One provider's state; the first seven fields are the guide's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProviderStatus {
    /// Whether it answers.
    pub status: HealthState,
    /// Whether all its credentials rest.
    pub in_cooldown: bool,
    /// When it was last heard of; absent before the first call.
    pub last_check: Option<WallTime>,
    /// Of the minutes of the last 24 h in which it was called, the share in which it answered at least once.
    /// 100 before the first call.
    pub uptime_percent: f64,
    /// Upstream calls that ended in the last 60 s.
    pub requests_last_minute: u64,
    /// Of these, those that speak against the provider.
    pub errors_last_minute: u64,
    /// Mean time of the calls of the last 60 s that were answered in full; 0 when there were none.
    pub average_latency_ms: u64,
    /// Why it rests, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_reason: Option<CooldownCause>,
}

/// The answer of `GET /v0/operations/load_balancing/status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadBalancingStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The number of the configuration in force.
    pub config: ConfigId,
    /// The strategy where an alias names no other.
    pub strategy: Strategy,
    /// One entry for each configured provider.
    pub providers: BTreeMap<ProviderName, ProviderShare>,
    /// One entry for each alias.
    pub models: BTreeMap<ModelName, AliasShares>,
}

/// How one provider takes part in balancing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProviderShare {
    /// Its tier.
    pub priority: u32,
    /// Its weight within the tier.
    pub weight: u32,
    /// Whether it is a candidate now.
    pub available: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// Upstream calls that ended in the last 60 s.
    pub requests_last_minute: u64,
    /// Its part of all such calls, 0 to 100.
    pub share_percent: f64,
}

/// How an alias is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AliasShares {
    /// How its targets are chosen.
    pub strategy: Strategy,
    /// Its targets in the order of the configuration.
    pub targets: Vec<TargetShare>,
}

/// One target of an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetShare {
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
    /// Its tier.
    pub priority: u32,
    /// Its weight within the tier.
    pub weight: u32,
    /// Whether it is a candidate now.
    pub available: bool,
}
