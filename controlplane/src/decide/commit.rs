//! The loop that stores what was decided and sends it out with its number.

use super::{Decided, Tell};
use crate::{backoff::Backoff, metrics::PlaneMetrics, publish::Publish, state::State};
use cliproxy_store::{Change, HintChange, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many decisions are stored together.
const GROUP: usize = 64;
/// How many changes are read from the log at a time.
const PAGE: u32 = 1_000;

/// Stores decisions in the order in which they came, until all senders are gone; or until `give_up`, after which
/// nodes keep what is not acknowledged.
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
            backoff.report("decisions wait for the store", &error);
            tokio::select! {
                () = give_up.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
        for decision in group.drain(..) {
            match decision.tell {
                // A node that does not read its acknowledgements sends the event again.
                Some(Tell::Event(id, stored)) => drop(stored.try_send(id)),
                // An operator who has gone asks again.
                Some(Tell::Version(told)) => drop(told.send(state.hints.version())),
                None => {}
            }
        }
    }
}

/// Stores one group; safe to repeat.
async fn store(group: &[Decided], state: &State, publish: &Publish) -> Result<(), StoreError> {
    let events: Vec<_> = group.iter().filter_map(|decided| decided.event.clone()).collect();
    if !events.is_empty() {
        state.store.record_events(events, state.clock.wall()).await?;
    }
    for change in changes_of(group) {
        let has_hints = !change.hints.is_empty();
        let numbered = state.store.change(change).await?;
        if has_hints {
            let numbered = without_gap(numbered, state).await?;
            state.hints.numbered(&numbered);
            publish.numbered(&numbered);
        }
    }
    Ok(())
}

/// Puts decisions together to as few transactions as there can be, in order. One with an outcome has its own: were its
/// call remembered already, nothing of the transaction would be done.
fn changes_of(group: &[Decided]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut current = Change::default();
    for decided in group {
        let alone = decided.outcome.is_some();
        if alone || current.outcome.is_some() {
            changes.push(std::mem::take(&mut current));
        }
        current.hints.extend(decided.hints.iter().cloned());
        current.audit.extend(decided.audit.iter().cloned());
        current.outcome = decided.outcome.clone();
    }
    changes.push(current);
    changes.retain(|change| *change != Change::default());
    changes
}

/// Gives all changes after the ones that are known here. What the last change numbered is not all of them when
/// an earlier one committed without saying so.
async fn without_gap(merged: Vec<HintChange>, state: &State) -> Result<Vec<HintChange>, StoreError> {
    let known = state.hints.version();
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

/// Gives all hints under the newest number, for when the log no longer reaches back.
async fn everything(state: &State) -> Result<Vec<HintChange>, StoreError> {
    let (version, hints) = state.store.hints().await?;
    let number = |hint| HintChange { version, hint };
    Ok(hints.into_iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{Health, HealthState, Hint, WallTime};
    use cliproxy_store::Outcome;

    fn of_operator(request_id: &str) -> Decided {
        let (request_id, answer) = (request_id.to_owned(), "{}".to_owned());
        let outcome = Outcome { request_id, answer, at: WallTime(0) };
        Decided { outcome: Some(outcome), ..Decided::default() }
    }

    fn on_health(provider: &str) -> Decided {
        let health = Health {
            revision: 1,
            provider: provider.into(),
            state: HealthState::Healthy,
            since: WallTime(0),
            recovered: false,
            recoveries: 0,
            why: String::new(),
        };
        Decided { hints: vec![Hint::Health(health)], ..Decided::default() }
    }

    #[test]
    fn decisions_share_a_transaction_and_an_operators_call_has_its_own() {
        let group = [
            on_health("x"),
            on_health("y"),
            of_operator("a"),
            on_health("z"),
            of_operator("b"),
            of_operator("c"),
            Decided::default(),
        ];
        let parts: Vec<_> = changes_of(&group)
            .into_iter()
            .map(|change| (change.hints.len(), change.outcome.map(|outcome| outcome.request_id)))
            .collect();
        let call = |id: &str| (0, Some(id.to_owned()));
        assert_eq!(parts, [(2, None), call("a"), (1, None), call("b"), call("c")]);
        assert_eq!(changes_of(&[Decided::default()]), []);
    }
}
