//! What each replica does for itself: it forgets what is past its time, and counts what it shows.

use crate::{
    decide::Decide,
    metrics::PlaneMetrics,
    state::{ActiveConfig, REMEMBERED, State},
};
use cliproxy_domain::{Cooldown, CredentialName, Provider, ProviderName};
use cliproxy_engine::cooldown::{Stage, stage};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(2);
/// How often what ended long ago is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// The hashes of all keys, so that no key is kept longer than its configuration.
type Keys = BTreeMap<(ProviderName, CredentialName), [u8; 32]>;

/// Runs until `end`.
pub(super) async fn run(state: Arc<State>, decide: Decide, metrics: PlaneMetrics, end: CancellationToken) {
    let mut configs = state.config.subscribe();
    let [mut gauges, mut forget] = [GAUGES, FORGET].map(|every| {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick
    });
    let mut keys = Keys::new();
    loop {
        if let Some(active) = configs.borrow_and_update().clone() {
            decide.keep_configured();
            let now = keys_of(&active);
            let changed = changed(&keys, &now);
            if !changed.is_empty() {
                state.rotated.push(changed, state.clock.now());
            }
            keys = now;
        }
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            // The sender is in the state.
            _ = configs.changed() => {}
            _ = gauges.tick() => set_gauges(&state, &metrics),
            _ = forget.tick() => state.hints.forget_ended(state.clock.wall().minus(REMEMBERED)),
        }
    }
}

/// Counts what rests, by provider and scope, and tells what is left of budgets.
fn set_gauges(state: &State, metrics: &PlaneMetrics) {
    let Some(active) = state.active() else { return };
    let now = state.clock.wall();
    let in_force = |rest: &Cooldown| matches!(stage(rest, now), Stage::Resting | Stage::HalfOpen(_));
    let mut counts: BTreeMap<(ProviderName, &'static str), i64> = BTreeMap::new();
    for rest in state.hints.cooldowns_that(in_force) {
        *counts.entry((rest.key.provider.clone(), rest.key.scope.as_str())).or_default() += 1;
    }
    metrics.resting(&active.snapshot, &counts);
    metrics.quota.budgets(&active.snapshot, &state.hints.passing(), now);
}

fn keys_of(active: &ActiveConfig) -> Keys {
    let of_provider = |provider: &Provider| {
        let name = provider.name.clone();
        provider
            .credentials
            .iter()
            .map(move |credential| {
                let hash = Sha256::digest(credential.api_key.expose()).into();
                ((name.clone(), credential.name.clone()), hash)
            })
            .collect::<Vec<_>>()
    };
    active.snapshot.providers.values().flat_map(of_provider).collect()
}

/// Gives the credentials that have another key than before.
fn changed(before: &Keys, now: &Keys) -> Vec<(ProviderName, CredentialName)> {
    let differs = |(name, hash): &(&(ProviderName, CredentialName), &[u8; 32])| {
        before.get(*name).is_some_and(|known| known != *hash)
    };
    now.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}
