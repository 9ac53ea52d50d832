//! What is left of each quota.

use super::{
    Lead,
    repeats::{Repeats, revision},
};
use crate::{
    backoff::Backoff,
    state::{ActiveConfig, Used},
};
use cliproxy_domain::{Hint, HintKey, ProviderName, QuotaSignal};
use cliproxy_store::StoreError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often what changed is sent.
const EVERY: Duration = Duration::from_secs(2);
/// How often what is used is read anew where other replicas commit too: what these tell may be lost, and what is read
/// may be told afterwards.
const ANEW: Duration = Duration::from_secs(5 * 60);

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut signals, mut backoff) = (Repeats::default(), Backoff::default());
    let mut read = lead.state.clock.now();
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(active) = lead.state.active() else { continue };
        let now = lead.state.clock.now();
        if lead.term.fence.is_some() && now.saturating_duration_since(read) >= ANEW {
            lead.state.quotas.forget();
            read = now;
        }
        match follow(lead, &active).await {
            Ok(()) => backoff = Backoff::default(),
            Err(error) => {
                lead.metrics.store_errors.inc();
                backoff.report("what is used of quotas waits for the store", &error);
            }
        }
        send(lead, &mut signals, &active);
    }
}

/// Reads what was used in each period that is not followed yet.
async fn follow(lead: &Lead, active: &ActiveConfig) -> Result<(), StoreError> {
    let state = &lead.state;
    state.quotas.keep(|provider| has_quota(active, provider));
    for provider in active.snapshot.providers.values() {
        let now = state.clock.wall();
        if let Some(minutes) = state.quotas.stale(provider, now) {
            let _turn = state.ledger.lock().await;
            let rows = state.store.usage(minutes).await?;
            state.quotas.follow(provider, &rows, now);
        }
    }
    Ok(())
}

/// Sends what changed and repeats the rest.
fn send(lead: &Lead, signals: &mut Repeats, active: &ActiveConfig) {
    let now = lead.state.clock.wall();
    for Used { provider, used, resets_at } in lead.state.quotas.used() {
        let key = HintKey::Quota(provider.clone());
        let known = match signals.last(&key) {
            Some(Hint::Quota(last)) => Some((last.used, last.resets_at)),
            _ => None,
        };
        if known == Some((used, resets_at)) {
            continue;
        }
        let revision = revision(lead, &key, now);
        signals.send(lead, Hint::Quota(QuotaSignal { revision, provider, used, resets_at }));
    }
    signals.keep(lead, |key| matches!(key, HintKey::Quota(provider) if has_quota(active, provider)));
    signals.repeat(lead);
}

fn has_quota(active: &ActiveConfig, provider: &ProviderName) -> bool {
    active.snapshot.providers.get(provider).is_some_and(|provider| provider.quota.is_some())
}
