//! The streams that are open, and the way to ask one of them to go elsewhere.

use cliproxy_domain::NodeId;
use cliproxy_proto::v1::ReconnectTo;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A node that was asked to go and is still here is not asked again before so long.
const ASKED_LATELY: Duration = Duration::from_secs(60);

/// The streams that are open.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    by_id: BTreeMap<u64, Session>,
}

struct Session {
    node: NodeId,
    asked: Option<Instant>,
    word: watch::Sender<Option<ReconnectTo>>,
}

/// One stream's place among the open ones; dropping it gives it up.
pub(super) struct Seat {
    id: u64,
    sessions: Arc<Sessions>,
    word: watch::Receiver<Option<ReconnectTo>>,
}

impl Sessions {
    /// Notes a stream that was opened.
    pub(super) fn open(self: &Arc<Self>, node: NodeId) -> Seat {
        let (word, heard) = watch::channel(None);
        let mut open = self.open.lock();
        open.last_id += 1;
        let id = open.last_id;
        open.by_id.insert(id, Session { node, asked: None, word });
        self.count.send_replace(open.by_id.len());
        Seat { id, sessions: Arc::clone(self), word: heard }
    }

    /// Counts the streams.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until there is none.
    pub(crate) async fn none(&self) {
        // The sender is in `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Asks the node that has been here for longest to go, of those that were not asked lately. Gives its name.
    pub(super) fn ask_one(&self, word: ReconnectTo, now: Instant) -> Option<NodeId> {
        let mut open = self.open.lock();
        let lately = |asked: Instant| now.saturating_duration_since(asked) < ASKED_LATELY;
        let session = open.by_id.values_mut().find(|session| !session.asked.is_some_and(lately))?;
        session.asked = Some(now);
        session.word.send_replace(Some(word));
        Some(session.node.clone())
    }

    /// Asks all nodes to go.
    pub(super) fn ask_all(&self, word: &ReconnectTo) {
        for session in self.open.lock().by_id.values() {
            session.word.send_replace(Some(word.clone()));
        }
    }
}

impl Seat {
    /// Waits until the node is to be asked to go. Safe to cancel.
    pub(super) async fn asked(&mut self) -> ReconnectTo {
        loop {
            if self.word.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(word) = self.word.borrow_and_update().clone() {
                return word;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sessions.open.lock();
        open.by_id.remove(&self.id);
        self.sessions.count.send_replace(open.by_id.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock, SystemClock};

    #[tokio::test(start_paused = true)]
    async fn each_node_is_asked_once_in_a_while_the_longest_here_first() {
        let sessions = Arc::<Sessions>::default();
        let mut first = sessions.open("a".into());
        let _second = sessions.open("b".into());
        let ask = || sessions.ask_one(ReconnectTo::default(), SystemClock.now());
        assert_eq!((ask(), ask(), ask()), (Some("a".into()), Some("b".into()), None));
        first.asked().await;
        tokio::time::advance(ASKED_LATELY).await;
        assert_eq!(ask(), Some("a".into()));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_to_go_waits_so_long() {
        let sessions = Arc::<Sessions>::default();
        sessions.none().await;
        let seats = [sessions.open("a".into()), sessions.open("b".into())];
        assert_eq!(sessions.count(), 2);
        let mut none = std::pin::pin!(sessions.none());
        assert!(tokio::time::timeout(Duration::ZERO, none.as_mut()).await.is_err());
        drop(seats);
        none.await;
    }
}
