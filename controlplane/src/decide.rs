//! From an urgent event to a rest that every node keeps.
//!
//! A provider's own word is believed at once: the credential rests as long as it said. The value goes to all
//! nodes before it is stored, and again with its number afterwards; merging makes the second time a no-op.

mod commit;
mod recent;

use crate::{publish::Publish, state::State};
use cliproxy_domain::{Cooldown, CooldownCause, UrgentEvent, UrgentKind};
use parking_lot::Mutex;
use recent::Recent;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

pub(crate) use commit::run;

/// The longest rest that a hint is believed for; after that one request may find out whether it goes on.
const MAX_REST: Duration = Duration::from_secs(60 * 60);
/// The shortest rest that is worth telling.
const MIN_REST: Duration = Duration::from_millis(250);
/// How many decided events may wait for the store.
const WAITING: usize = 1_024;

/// An event that waits to be stored.
pub(crate) struct Decided {
    event: UrgentEvent,
    /// What was decided; `None` when the event changed nothing.
    cooldown: Option<Cooldown>,
    /// Gets the event's id once all is stored.
    stored: mpsc::Sender<String>,
}

/// Decides on urgent events. Clones are the same.
#[derive(Clone)]
pub(crate) struct Decide {
    state: Arc<State>,
    publish: Arc<Publish>,
    recent: Arc<Mutex<Recent>>,
    commits: mpsc::Sender<Decided>,
}

impl Decide {
    /// Makes the decider, and the queue that [`run`] stores from.
    pub(crate) fn new(state: Arc<State>, publish: Arc<Publish>) -> (Self, mpsc::Receiver<Decided>) {
        let (commits, decided) = mpsc::channel(WAITING);
        (Self { state, publish, recent: Arc::default(), commits }, decided)
    }

    /// Takes one event: tells all nodes at once, then waits for a place among those to be stored. `stored` gets
    /// the event's id when it is; a full `stored` loses it, and the node sends the event again.
    pub(crate) async fn on_event(&self, event: UrgentEvent, stored: mpsc::Sender<String>) {
        let cooldown = if self.recent.lock().insert(&event.id) { self.decide(&event) } else { None };
        if let Some(cooldown) = &cooldown {
            tracing::info!(
                provider = %cooldown.key.provider, credential = %cooldown.key.credential, node = %event.node,
                cause = ?cooldown.cause, until = %cooldown.until, "a credential rests"
            );
            self.publish.hint_now(cooldown);
        }
        // Nobody receives any more: the process is ending, and the node keeps what has no acknowledgement.
        let _ = self.commits.send(Decided { event, cooldown, stored }).await;
    }

    /// Gives the rest that follows from an event, merged with what is known; `None` when it changes nothing.
    fn decide(&self, event: &UrgentEvent) -> Option<Cooldown> {
        if event.seen_epoch < self.state.rests.epoch(&event.key) {
            // An operator spoke after this request had started.
            return None;
        }
        let now = self.state.clock.wall();
        let cooldown = Cooldown {
            key: event.key.clone(),
            epoch: event.seen_epoch,
            started_at: now,
            until: now.plus(event.rest.clamp(MIN_REST, MAX_REST)),
            cause: cause(event.kind),
            source: event.node.clone(),
        };
        self.state.rests.merge(cooldown, now)
    }
}

fn cause(kind: UrgentKind) -> CooldownCause {
    match kind {
        UrgentKind::RateLimited => CooldownCause::RateLimit,
        UrgentKind::QuotaExhausted => CooldownCause::QuotaExhausted,
        UrgentKind::CredentialRejected => CooldownCause::CredentialRejected,
    }
}
