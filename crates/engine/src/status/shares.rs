//! How calls are spread.

use super::out;
use crate::outlook::{Outlook, ProviderOutlook};
use cliproxy_domain::{
    Alias, AliasTarget, ConfigId, Decision, Provider, ProviderName, Snapshot, WallTime,
    status::{AliasShares, LoadBalancingStatus, ProviderShare, Source, TargetShare},
};
use std::collections::BTreeMap;

/// What the shares are told of.
pub struct ShareView<'a> {
    /// The number of the configuration.
    pub config: ConfigId,
    /// The configuration.
    pub snapshot: &'a Snapshot,
    /// What is known of its providers.
    pub outlook: &'a Outlook,
    /// Upstream calls of each provider that ended in the last 60 s.
    pub calls: BTreeMap<ProviderName, u64>,
    /// Whose knowledge this is.
    pub source: Source,
    /// When.
    pub now: WallTime,
}

/// Tells how calls are spread. `decide` gives what would be decided now for an alias.
pub fn load_balancing(view: &ShareView<'_>, decide: impl Fn(&Alias) -> Decision) -> LoadBalancingStatus {
    let all: u64 = view.calls.values().sum();
    let providers = view.snapshot.providers.values();
    let models = view.snapshot.models.values().map(|alias| {
        let strategy = alias.strategy.unwrap_or(view.snapshot.policy.strategy);
        let targets = alias.targets.iter().map(|entry| target_share(view, entry)).collect();
        (alias.name.clone(), AliasShares { strategy, targets, decision: decide(alias) })
    });
    LoadBalancingStatus {
        source: view.source,
        as_of: view.now,
        config: view.config,
        strategy: view.snapshot.policy.strategy,
        models: models.collect(),
        providers: providers.map(|known| (known.name.clone(), provider_share(view, known, all))).collect(),
    }
}

fn provider_share(view: &ShareView<'_>, provider: &Provider, all: u64) -> ProviderShare {
    let calls = view.calls.get(&provider.name).copied().unwrap_or(0);
    let out = view.outlook.provider(provider.name.as_str()).and_then(|known| out(known, "", view.now));
    ProviderShare {
        priority: provider.priority,
        weight: provider.weight,
        available: out.is_none(),
        excluded: out.map(|out| out.reason.as_str().to_owned()),
        until: out.and_then(|out| out.until),
        requests_last_minute: calls,
        share_percent: if all == 0 { 0.0 } else { percent(calls as f64 / all as f64) },
    }
}

fn target_share(view: &ShareView<'_>, entry: &AliasTarget) -> TargetShare {
    let provider = view.snapshot.providers.get(&entry.target.provider);
    let takes = |known: &ProviderOutlook| out(known, entry.target.model.as_str(), view.now).is_none();
    TargetShare {
        provider: entry.target.provider.clone(),
        model: entry.target.model.clone(),
        priority: entry.priority.or(provider.map(|known| known.priority)).unwrap_or_default(),
        weight: entry.weight.or(provider.map(|known| known.weight)).unwrap_or_default(),
        available: view.outlook.provider(entry.target.provider.as_str()).is_some_and(takes),
    }
}

/// Turns a share into per cent with two places, which is what people read.
pub fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}
