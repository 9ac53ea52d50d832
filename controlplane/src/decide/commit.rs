//! The loop that stores what was decided and sends it out with its number.

use super::Decided;
use crate::{backoff::Backoff, metrics::PlaneMetrics, publish::Publish, state::State};
use cliproxy_store::{HintChange, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many events are stored together.
const GROUP: usize = 64;
/// How many changes are read from the log at a time.
const PAGE: u32 = 1_000;

/// Stores decided events in the order in which they came, until all senders are gone; or until `give_up`, after
/// which nodes keep what is not acknowledged.
pub(crate) async fn run(
    mut decided: mpsc::Receiver<Decided>,
    state: Arc<State>,
    publish: Arc<Publish>,
    metrics: PlaneMetrics,
    give_up: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP);
    while decided.recv_many(&mut group, GROUP).await > 0 {
        let mut backoff = Backoff::default();
        while let Err(error) = store(&group, &state, &publish).await {
            metrics.store_errors.inc();
            backoff.report("events wait for the store", &error);
            tokio::select! {
                () = give_up.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
        for Decided { event, stored, .. } in group.drain(..) {
            // A node that does not read its acknowledgements sends the event again.
            let _ = stored.try_send(event.id);
        }
    }
}

/// Stores one group; safe to repeat.
async fn store(group: &[Decided], state: &State, publish: &Publish) -> Result<(), StoreError> {
    let events = group.iter().map(|decided| decided.event.clone()).collect();
    state.store.record_events(events, state.clock.wall()).await?;
    let cooldowns: Vec<_> = group.iter().filter_map(|decided| decided.cooldown.clone()).collect();
    if cooldowns.is_empty() {
        return Ok(());
    }
    let changes = state.store.merge_cooldowns(cooldowns).await?;
    let changes = without_gap(changes, state).await?;
    state.rests.numbered(&changes);
    publish.numbered(&changes);
    Ok(())
}

/// Gives all changes after the ones that are known here. What the last merge numbered is not all of them when
/// an earlier one committed without saying so.
async fn without_gap(merged: Vec<HintChange>, state: &State) -> Result<Vec<HintChange>, StoreError> {
    let known = state.rests.version();
    if merged.first().is_some_and(|change| change.version == known.next()) {
        return Ok(merged);
    }
    let mut all = Vec::new();
    let mut after = known;
    loop {
        let Some(page) = state.store.changes_since(after, PAGE).await? else {
            return everything(state).await;
        };
        let Some(last) = page.last() else { return Ok(all) };
        after = last.version;
        all.extend(page);
    }
}

/// Gives all that rests under the newest number, for when the log no longer reaches back.
async fn everything(state: &State) -> Result<Vec<HintChange>, StoreError> {
    let (version, cooldowns) = state.store.cooldowns(state.clock.wall()).await?;
    let number = |cooldown| HintChange { version, cooldown };
    Ok(cooldowns.into_iter().map(number).collect())
}
