//! What was measured of each target, for balancing.

use super::{
    Lead,
    repeats::{Repeats, revision},
};
use crate::{
    backoff::Backoff,
    state::{ActiveConfig, TargetKey},
};
use cliproxy_domain::{Hint, HintKey, Signal};
use cliproxy_store::StoreError;
use std::{collections::BTreeSet, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often what changed is sent.
const EVERY: Duration = Duration::from_secs(2);
/// Into how many parts a window is cut at most that is read from the store.
const PARTS: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut signals, mut measured_over, mut backoff) = (Repeats::default(), None, Backoff::default());
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(active) = lead.state.active() else { continue };
        let window = active.snapshot.policy.latency_window;
        if measured_over != Some(window) {
            match rebuild(lead, window).await {
                Ok(()) => (measured_over, backoff) = (Some(window), Backoff::default()),
                Err(error) => {
                    lead.metrics.store_errors.inc();
                    backoff.report("what was measured before waits for the store", &error);
                }
            }
        }
        send(lead, &mut signals, &active);
    }
}

/// Measures over `window` from now on, beginning with what the store counted within it.
async fn rebuild(lead: &Lead, window: Duration) -> Result<(), StoreError> {
    let state = &lead.state;
    let _turn = state.ledger.lock().await;
    let now = state.clock.wall();
    state.meter.restart(window);
    let part = (window / PARTS).max(MINUTE);
    let mut from = now.minus(window);
    while from <= now {
        // The store counts by the minute: the part that begins within this range.
        let rows = state.store.usage(from..from.plus(part)).await?;
        state.meter.fold(&rows, from.plus(part / 2), now);
        from = from.plus(part);
    }
    Ok(())
}

/// Sends what changed and repeats the rest.
fn send(lead: &Lead, signals: &mut Repeats, active: &ActiveConfig) {
    let now = lead.state.clock.wall();
    let mut measured = lead.state.meter.measured(now);
    measured.retain(|((provider, _), _)| active.snapshot.providers.contains_key(provider));
    let held: BTreeSet<HintKey> = measured.iter().map(|(target, _)| key(target)).collect();
    for (target, measured) in measured {
        let key = key(&target);
        if matches!(signals.last(&key), Some(Hint::Signal(last)) if last.measured == measured) {
            continue;
        }
        let (revision, (provider, model)) = (revision(lead, &key, now), target);
        signals.send(lead, Hint::Signal(Signal { revision, provider, model, measured }));
    }
    signals.keep(lead, |key| held.contains(key));
    signals.repeat(lead);
}

fn key((provider, model): &TargetKey) -> HintKey {
    HintKey::Signal(provider.clone(), model.clone())
}
