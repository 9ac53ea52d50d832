//! Warns of what is sound by itself and yet does less than it seems to, as something elsewhere is missing.

use crate::{field::Field, suggest};
use cliproxy_domain::{Alias, AliasTarget, Provider, Snapshot, Strategy};

/// Looks at the whole configuration.
pub fn warn(root: &Field<'_>, snapshot: &Snapshot) {
    warn_of_global_strategy(root, snapshot);
    warn_of_alias_strategies(root, snapshot);
    warn_of_blind_healing(root, snapshot);
    warn_of_providers(root, snapshot);
}

fn warn_of_global_strategy(root: &Field<'_>, snapshot: &Snapshot) {
    let Some(field) = root.find("server.operations.load_balancing.strategy") else { return };
    let providers: Vec<&Provider> = snapshot.providers.values().collect();
    let unpriced = providers.iter().filter(|it| it.prices.is_empty()).map(|it| it.name.to_string());
    warn_of_strategy(&field, snapshot.policy.strategy, &providers, unpriced.collect());
}

fn warn_of_alias_strategies(root: &Field<'_>, snapshot: &Snapshot) {
    let Some(section) = root.section("models") else { return };
    for (name, field) in section.entries() {
        let Some(alias) = snapshot.models.get(name) else { continue };
        if let (Some(strategy), Some(field)) = (alias.strategy, field.child("strategy")) {
            warn_of_strategy(&field, strategy, &providers_of(alias, snapshot), unpriced_of(alias, snapshot));
        }
    }
}

/// Gives the providers that serve an alias, each once.
fn providers_of<'s>(alias: &Alias, snapshot: &'s Snapshot) -> Vec<&'s Provider> {
    let serves = |provider: &&Provider| alias.targets.iter().any(|it| it.target.provider == provider.name);
    snapshot.providers.values().filter(serves).collect()
}

/// Names the targets of an alias that nobody knows the price of.
fn unpriced_of(alias: &Alias, snapshot: &Snapshot) -> Vec<String> {
    let has_none = |target: &&AliasTarget| {
        let provider = snapshot.providers.get(&target.target.provider);
        provider.is_some_and(|provider| provider.price_of(target.target.model.as_str()).is_none())
    };
    let shown = |target: &AliasTarget| format!("{}/{}", target.target.provider, target.target.model);
    alias.targets.iter().filter(has_none).map(shown).collect()
}

/// Warns of a strategy at `field` that lacks the figures of some of `providers`, or the prices of `unpriced`.
fn warn_of_strategy(field: &Field<'_>, strategy: Strategy, providers: &[&Provider], unpriced: Vec<String>) {
    match strategy {
        Strategy::Cost if !unpriced.is_empty() => {
            let names = suggest::list(unpriced.iter().map(String::as_str));
            field.warn(format!(
                "what has no price is taken last; give {names} one, by `cost_per_1k_tokens` or `prices` of the provider"
            ));
        }
        Strategy::QuotaAware if !providers.is_empty() && providers.iter().all(|it| it.quota.is_none()) => {
            field.warn("no provider has a `quota`, so that all count as unlimited and take turns; give one");
        }
        Strategy::Cost | Strategy::QuotaAware | Strategy::RoundRobin | Strategy::Latency => {}
    }
}

fn warn_of_blind_healing(root: &Field<'_>, snapshot: &Snapshot) {
    let policy = &snapshot.policy;
    let Some(field) = root.find("server.operations.self_healing") else { return };
    if policy.self_healing.enabled && !policy.health_check.enabled {
        field.warn_key(
            "health checks are off, so that only requests show whether a provider is well: an unhealthy one goes on \
             getting them, and a recovery drops its connections, resolves its name and reads its keys anew, but \
             cannot ask whether that helped; enable `server.operations.health_check`",
        );
    }
}

/// Warns of what a provider asks for and the server has switched off.
fn warn_of_providers(root: &Field<'_>, snapshot: &Snapshot) {
    let Some(section) = root.section("providers") else { return };
    for (name, field) in section.entries() {
        let Some(provider) = snapshot.providers.get(name) else { continue };
        if let Some(check) = field.section("health_check")
            && provider.health_check.enabled
            && !snapshot.policy.health_check.enabled
        {
            check
                .warn_key("has no effect, as health checks are off; enable `server.operations.health_check`");
        }
        if let Some(enabled) = field.find("cooldown.enabled")
            && provider.cooldown.enabled
            && !snapshot.policy.cooldown.enabled
        {
            enabled.warn("has no effect, as `server.operations.cooldown.enabled` is `false`");
        }
    }
}
