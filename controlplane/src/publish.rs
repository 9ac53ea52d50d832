//! Hints on their way to the nodes: each connected node has a bounded queue, merged by key.
//!
//! The configuration needs no queue: each stream watches the newest one.

mod queue;
#[cfg(test)]
mod tests;

pub(crate) use queue::Pending;

use cliproxy_domain::Hint;
use cliproxy_store::HintChange;
use parking_lot::Mutex;
use queue::Queue;
use std::{collections::BTreeMap, sync::Arc};

/// Hands every hint to every connected node.
#[derive(Default)]
pub(crate) struct Publish(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    last_id: u64,
    by_id: BTreeMap<u64, Arc<Queue>>,
}

impl Publish {
    /// Opens a queue: every hint that is published from now on is in it.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Subscription {
        let mut queues = self.0.lock();
        queues.last_id += 1;
        let queue = Arc::new(Queue::default());
        let id = queues.last_id;
        queues.by_id.insert(id, Arc::clone(&queue));
        Subscription { id, queue, publish: Arc::clone(self) }
    }

    /// Sends a hint that is not stored yet, or that never is.
    pub(crate) fn hint_now(&self, hint: &Hint) {
        self.each(|queue| queue.push_now(hint));
    }

    /// Sends hints that were stored and numbered. Called with rising numbers only.
    pub(crate) fn numbered(&self, changes: &[HintChange]) {
        self.each(|queue| queue.push_numbered(changes));
    }

    fn each(&self, push: impl Fn(&Queue)) {
        self.0.lock().by_id.values().for_each(|queue| push(queue));
    }
}

/// One node's queue; dropping it closes the queue.
pub(crate) struct Subscription {
    id: u64,
    queue: Arc<Queue>,
    publish: Arc<Publish>,
}

impl Subscription {
    /// Waits until there is something to take. Safe to cancel.
    pub(crate) async fn ready(&self) {
        self.queue.ready().await;
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Pending {
        self.queue.take()
    }

    /// Waits until more keys wait than [`MAX_PENDING`]: what came since is lost and the node must resume.
    pub(crate) async fn overflowed(&self) {
        self.queue.overflowed().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.publish.0.lock().by_id.remove(&self.id);
    }
}
