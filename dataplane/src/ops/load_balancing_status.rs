//! `GET /v0/operations/load_balancing/status`

use super::Ops;
use cliproxy_domain::{
    Alias, Snapshot,
    status::{AliasShares, LoadBalancingStatus, ProviderShare, Source, TargetShare},
};

/// Answers for the cluster, or for this node when the control plane cannot be asked.
pub(super) fn answer(ops: &Ops) -> LoadBalancingStatus {
    of_this_node(ops)
}

fn of_this_node(ops: &Ops) -> LoadBalancingStatus {
    let now = ops.clock.wall();
    let Some(known) = ops.live.known() else {
        return LoadBalancingStatus { source: Source::Node, as_of: now, ..LoadBalancingStatus::default() };
    };
    let snapshot = &known.snapshot;
    let calls = |name| ops.recent.glance(name, now).counts.attempts();
    let all: u64 = snapshot.providers.keys().map(calls).sum();
    let providers = snapshot.providers.values().map(|provider| {
        let requests_last_minute = calls(&provider.name);
        let rests = ops.live.provider_rests(&provider.name, now).is_some();
        let share = ProviderShare {
            priority: provider.priority,
            weight: provider.weight,
            available: !rests,
            excluded: rests.then(|| cliproxy_domain::Exclusion::Cooldown.as_str().to_owned()),
            until: None,
            requests_last_minute,
            share_percent: if all == 0 { 0.0 } else { 100.0 * requests_last_minute as f64 / all as f64 },
        };
        (provider.name.clone(), share)
    });
    let models = snapshot.models.values().map(|alias| (alias.name.clone(), shares(ops, snapshot, alias)));
    LoadBalancingStatus {
        source: Source::Node,
        as_of: now,
        config: known.config,
        strategy: snapshot.policy.strategy,
        providers: providers.collect(),
        models: models.collect(),
    }
}

fn shares(ops: &Ops, snapshot: &Snapshot, alias: &Alias) -> AliasShares {
    let now = ops.clock.wall();
    let targets = alias.targets.iter().filter_map(|entry| {
        let provider = snapshot.providers.get(&entry.target.provider)?;
        Some(TargetShare {
            provider: entry.target.provider.clone(),
            model: entry.target.model.clone(),
            priority: entry.priority.unwrap_or(provider.priority),
            weight: entry.weight.unwrap_or(provider.weight),
            available: ops.live.provider_rests(&provider.name, now).is_none(),
        })
    });
    AliasShares {
        strategy: alias.strategy.unwrap_or(snapshot.policy.strategy),
        targets: targets.collect(),
        ..AliasShares::default()
    }
}
