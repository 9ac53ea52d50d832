//! The loop that stores what was decided and sends it out with its number.

use super::{Decided, Log, Tell};
use crate::{backoff::Backoff, metrics::PlaneMetrics, state::State};
use cliproxy_domain::Fence;
use cliproxy_store::{Change, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many decisions are stored together.
const GROUP: usize = 64;

/// What stores decisions.
struct Clerk {
    state: Arc<State>,
    log: Arc<Log>,
    metrics: PlaneMetrics,
}

/// Stores decisions in the order in which they came, until all senders are gone; or until `give_up`, after which
/// nodes keep what is not acknowledged.
pub(crate) async fn run(
    mut decided: mpsc::Receiver<Decided>,
    state: Arc<State>,
    log: Arc<Log>,
    metrics: PlaneMetrics,
    give_up: CancellationToken,
) {
    let clerk = Clerk { state, log, metrics };
    let mut group = Vec::with_capacity(GROUP);
    while decided.recv_many(&mut group, GROUP).await > 0 {
        let mut backoff = Backoff::default();
        while let Err(error) = clerk.store(&group).await {
            clerk.metrics.store_errors.inc();
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
                Some(Tell::Version(told)) => drop(told.send(clerk.state.hints.version())),
                None => {}
            }
        }
    }
}

impl Clerk {
    /// Stores one group; safe to repeat. What it was decided on is recorded beside it: the other replicas wait for what
    /// was decided alone.
    async fn store(&self, group: &[Decided]) -> Result<(), StoreError> {
        let (changed, recorded) = tokio::join!(self.change(group), self.record(group));
        changed.and(recorded)
    }

    async fn record(&self, group: &[Decided]) -> Result<(), StoreError> {
        let events: Vec<_> = group.iter().filter_map(|decided| decided.event.clone()).collect();
        if events.is_empty() {
            return Ok(());
        }
        self.state.store.record_events(events, self.state.clock.wall()).await
    }

    async fn change(&self, group: &[Decided]) -> Result<(), StoreError> {
        for change in changes_of(group) {
            let (has_hints, fence) = (!change.hints.is_empty(), change.fence.clone());
            match (self.state.store.change(change).await, fence) {
                (Ok(numbered), _) if has_hints => self.log.take(numbered).await?,
                (Ok(_), _) => {}
                (Err(StoreError::Fenced(_)), Some(fence)) => self.refused(&fence).await?,
                (Err(error), _) => return Err(error),
            }
        }
        Ok(())
    }

    /// Drops what another replica decides now.
    async fn refused(&self, fence: &Fence) -> Result<(), StoreError> {
        self.log.forget_uncommitted().await?;
        self.metrics.fenced_writes.inc();
        tracing::warn!(epoch = fence.epoch, "a decision was refused, as another replica leads");
        self.state.leading.refused(fence.epoch);
        Ok(())
    }
}

/// Puts decisions together to as few transactions as there can be, in order. One with an outcome has its own: were its
/// call remembered already, nothing of the transaction would be done. Those under a lease are not with others: were it
/// lost, nothing of the transaction would be done either.
fn changes_of(group: &[Decided]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut current = Change::default();
    for decided in group {
        let alone = decided.outcome.is_some() || current.outcome.is_some();
        if alone || decided.fence != current.fence {
            changes.push(std::mem::take(&mut current));
        }
        current.fence.clone_from(&decided.fence);
        current.hints.extend(decided.hints.iter().cloned());
        current.audit.extend(decided.audit.iter().cloned());
        current.outcome = decided.outcome.clone();
    }
    changes.push(current);
    changes.retain(|change| *change != Change { fence: change.fence.clone(), ..Change::default() });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{Health, HealthState, Hint, LeaseName, WallTime};
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

    #[test]
    fn what_is_decided_under_a_lease_shares_no_transaction_with_other_decisions() {
        let lease = |epoch| Fence { lease: LeaseName::control_loop(), holder: "cp-1".into(), epoch };
        let under = |provider, epoch| Decided { fence: Some(lease(epoch)), ..on_health(provider) };
        let group = [under("x", 1), under("y", 1), on_health("z"), under("x", 2)];
        let parts: Vec<_> = changes_of(&group)
            .into_iter()
            .map(|change| (change.hints.len(), change.fence.map(|fence| fence.epoch)))
            .collect();
        assert_eq!(parts, [(2, Some(1)), (1, None), (1, Some(2))]);
    }
}
