//! From what nodes report and operators say to what every node does.
//!
//! A provider's own word is believed at once, and too many errors within a window over all nodes let the provider
//! rest. What is decided goes to all nodes before it is stored, and again with its number afterwards; merging makes
//! the second time a no-op.
//!
//! What follows from a single event is decided here by whichever replica it reached: hints merge, so that it does not
//! matter who was first. What must be decided by one alone is [`lead`](crate::lead)'s.

mod audit;
mod commit;
mod events;
mod healing;
mod health;
mod log;
mod memory;
mod permits;
mod recent;
mod told;
mod turn;
mod verdicts;
mod windows;

pub(crate) use commit::run;
pub(crate) use health::Wanted;
pub(crate) use log::Log;
pub(crate) use memory::Memory;
pub(crate) use turn::Turn;

use crate::{
    metrics::PlaneMetrics,
    publish::Publish,
    state::{State, Term},
};
pub(crate) use audit::Ids;
use cliproxy_domain::{AuditEntry, Fence, Hint, HintVersion, UrgentEvent};
use cliproxy_host::Entropy;
use cliproxy_store::{Outcome, StoreError};
use health::Healths;
use permits::Permits;
use recent::Recent;
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use windows::Windows;

/// How many decisions may wait for the store.
const WAITING: usize = 1_024;
/// How long an operator's word may wait for the store before he is told so.
const SAY: Duration = Duration::from_secs(5);

/// A decision that waits to be stored.
#[derive(Default)]
pub(crate) struct Decided {
    /// What it was decided on, to be recorded.
    event: Option<UrgentEvent>,
    hints: Vec<Hint>,
    audit: Vec<AuditEntry>,
    outcome: Option<Outcome>,
    /// The lease under which it was decided, if one only may decide it.
    fence: Option<Fence>,
    tell: Option<Tell>,
}

/// Who wants to know that a decision is stored.
enum Tell {
    /// A node: the event's id.
    Event(String, mpsc::Sender<String>),
    /// An operator.
    Version(oneshot::Sender<HintVersion>),
}

/// Decides. Clones are the same.
#[derive(Clone)]
pub(crate) struct Decide {
    state: Arc<State>,
    publish: Arc<Publish>,
    metrics: PlaneMetrics,
    ids: Ids,
    memory: Memory,
    /// Under which it decides; `None` for what every replica may decide.
    term: Option<Term>,
    /// Told when credentials should be read anew from where they live.
    reload: Arc<Notify>,
    commits: mpsc::Sender<Decided>,
}

/// What rests are decided on beside the state. One lock, held for one decision.
#[derive(Default)]
pub(crate) struct Desk {
    /// Events that were decided on.
    recent: Recent,
    /// Events that are counted in the windows: those of this replica's nodes, and those that others told.
    counted: Recent,
    windows: Windows,
    permits: Permits,
}

impl Decide {
    /// Makes the decider, and the queue that [`run`] stores from.
    pub(crate) fn new(
        state: Arc<State>,
        publish: Arc<Publish>,
        metrics: PlaneMetrics,
        reload: Arc<Notify>,
        entropy: Entropy,
    ) -> (Self, mpsc::Receiver<Decided>) {
        let (commits, decided) = mpsc::channel(WAITING);
        let ids = Ids::new(Arc::clone(&state.clock), entropy);
        let (memory, term) = (Memory::default(), None);
        (Self { state, publish, metrics, ids, memory, term, reload, commits }, decided)
    }

    /// Gives what decides under a lease.
    pub(crate) fn under(&self, term: &Term) -> Self {
        Self { term: Some(term.clone()), ..self.clone() }
    }

    /// Gives what is decided on beside the state.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Begins or ends to decide for all: what is known of the health of providers is what the words on it say.
    pub(crate) fn judge_anew(&self) {
        self.memory.forget_healths();
    }

    /// Gives what makes the entries of the audit log.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Hands in what a store that has another history lost.
    pub(crate) async fn store_again(&self, hints: Vec<Hint>) {
        self.hand_in(Decided { hints, ..Decided::default() }).await;
    }

    /// Says what one alone says: nodes hear of it when it is stored.
    pub(crate) async fn say_alone(&self, hints: Vec<Hint>) {
        let hints = self.spread(hints);
        self.hand_in(Decided { hints, ..Decided::default() }).await;
    }

    /// Takes one event: tells all nodes at once what follows, then waits for a place among what is to be stored.
    /// `stored` gets the event's id when it is; a full `stored` loses it, and the node sends the event again.
    pub(crate) async fn on_event(&self, event: UrgentEvent, stored: mpsc::Sender<String>) {
        let arrived = self.state.clock.now();
        let id = event.id.clone();
        let mut decided = self.decide_event(event);
        if !decided.hints.is_empty() {
            let took = self.state.clock.now().saturating_duration_since(arrived);
            self.metrics.propagation_seconds.observe(took.as_secs_f64());
        }
        decided.tell = Some(Tell::Event(id, stored));
        self.hand_in(decided).await;
    }

    /// Puts an operator's word in force on this replica's nodes, then stores it with its audit entry and outcome, by
    /// which the other replicas hear of it, and gives the number under which all of it is known.
    ///
    /// # Errors
    ///
    /// Fails when the store did not take it within 5 s. The word is in force on this replica's nodes all the same, and is
    /// stored as soon as the store answers, unless the process ends before.
    pub(crate) async fn say(
        &self,
        hints: Vec<Hint>,
        audit: AuditEntry,
        outcome: Option<Outcome>,
    ) -> Result<HintVersion, StoreError> {
        for hint in &hints {
            if let Hint::Cooldown(word) = hint {
                // What was counted before his word says nothing of what is after it.
                self.memory.desk.lock().windows.clear(&word.key.provider);
                if !word.cleared {
                    self.metrics.cooldown_started(word.cause);
                }
            }
        }
        let hints = self.spread(hints);
        let (tell, told) = oneshot::channel();
        let tell = Some(Tell::Version(tell));
        let handed_in = async {
            self.hand_in(Decided { hints, audit: vec![audit], outcome, tell, ..Decided::default() }).await;
            told.await
        };
        match tokio::time::timeout(SAY, handed_in).await {
            Ok(Ok(version)) => Ok(version),
            _ => Err(StoreError::CommitUnknown(format!(
                "no answer within 5 s; what was said holds at the {} nodes that are connected to this control plane, \
                 and at all others once the store answers; say it again only if this control plane ends before",
                self.state.nodes.ours().len()
            ))),
        }
    }

    /// Merges values into the state and sends all nodes those that change something. Gives these as merged. What is
    /// decided under a lease is sent when it is stored: were it refused, nodes could not forget it.
    fn spread(&self, hints: Vec<Hint>) -> Vec<Hint> {
        let now = self.state.clock.wall();
        let merged: Vec<Hint> =
            hints.into_iter().filter_map(|hint| self.state.hints.merge(hint, now)).collect();
        if self.fence().is_none() {
            merged.iter().for_each(|hint| self.publish.hint_now(hint));
        }
        merged
    }

    fn fence(&self) -> Option<&Fence> {
        self.term.as_ref()?.fence.as_ref()
    }

    /// Waits for a place among what is to be stored. All nodes have heard of it by then: it is stored even if this is
    /// dropped meanwhile, as when whoever asked has gone.
    async fn hand_in(&self, mut decided: Decided) {
        if decided.fence.is_none() {
            decided.fence = self.fence().cloned();
        }
        // Nobody receives any more: the process is ending, and a node keeps what has no acknowledgement.
        let Err(TrySendError::Full(decided)) = self.commits.try_send(decided) else { return };
        let commits = self.commits.clone();
        let waits = tokio::spawn(async move { commits.send(decided).await.is_ok() });
        let _ = waits.await;
    }
}

impl Decided {
    fn is_empty(&self) -> bool {
        self.event.is_none() && self.hints.is_empty() && self.audit.is_empty() && self.outcome.is_none()
    }

    /// Adds what else was decided at once.
    fn and(&mut self, other: Decided) {
        self.hints.extend(other.hints);
        self.audit.extend(other.audit);
        self.fence = self.fence.take().or(other.fence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::HistoryId;
    use cliproxy_host::SystemClock;
    use cliproxy_store::MemoryStore;

    #[tokio::test]
    async fn what_all_nodes_have_heard_is_stored_although_whoever_asked_has_gone() {
        let store = Arc::new(MemoryStore::new(HistoryId("history-1".into())));
        let state = Arc::new(State::load(store, Arc::new(SystemClock)).await.unwrap());
        let (decide, mut decided) = Decide::new(
            state,
            Arc::default(),
            PlaneMetrics::new(),
            Arc::<Notify>::default(),
            Entropy::seeded(1),
        );
        for _ in 0..WAITING {
            decide.hand_in(Decided::default()).await;
        }
        let entry = decide.ids().entry("cooldown_started", &"claude".into(), String::new());
        let last = Decided { audit: vec![entry.clone()], ..Decided::default() };
        let gone = tokio::time::timeout(Duration::from_millis(1), decide.hand_in(last)).await;
        assert!(gone.is_err(), "there was a place");
        drop(decide);
        let mut stored = Vec::new();
        while let Some(decided) = decided.recv().await {
            stored.push(decided.audit);
        }
        assert_eq!((stored.len(), stored.pop()), (WAITING + 1, Some(vec![entry])));
    }
}
