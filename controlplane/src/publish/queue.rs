//! One node's queue of hints.

use cliproxy_domain::{Hint, HintKey, HintVersion};
use cliproxy_store::HintChange;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many keys of hints that are stored may wait for one node. The others do not count: there are no more of them
/// than providers and targets that are measured.
pub(crate) const MAX_PENDING: usize = 256;

/// What waits for one node, newest value for each key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Not stored yet.
    pub(crate) urgent: BTreeMap<HintKey, Hint>,
    /// Never stored.
    pub(crate) passing: BTreeMap<HintKey, Hint>,
    /// Stored; their numbers are at most `version`.
    pub(crate) numbered: BTreeMap<HintKey, Hint>,
    /// The newest number; 0 when `numbered` is empty.
    pub(crate) version: HintVersion,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.passing.is_empty() && self.numbered.is_empty()
    }

    fn counted(&self) -> usize {
        self.urgent.len() + self.numbered.len()
    }
}

#[derive(Default)]
pub(super) struct Queue {
    pending: Mutex<Pending>,
    ready: Notify,
    overflow: CancellationToken,
}

impl Queue {
    pub(super) fn push_now(&self, hint: &Hint) {
        self.push(|pending| {
            let lane = if hint.is_stored() { &mut pending.urgent } else { &mut pending.passing };
            merge_into(lane, hint.clone());
        });
    }

    pub(super) fn push_numbered(&self, changes: &[HintChange]) {
        if changes.is_empty() {
            return;
        }
        self.push(|pending| {
            for HintChange { version, hint } in changes {
                // The same value comes again with its number: once is enough.
                if let Some(urgent) = pending.urgent.remove(&hint.key()) {
                    merge_into(&mut pending.numbered, urgent);
                }
                merge_into(&mut pending.numbered, hint.clone());
                pending.version = pending.version.max(*version);
            }
        });
    }

    fn push(&self, change: impl FnOnce(&mut Pending)) {
        if self.overflow.is_cancelled() {
            return;
        }
        let mut pending = self.pending.lock();
        change(&mut pending);
        if pending.counted() > MAX_PENDING {
            *pending = Pending::default();
            self.overflow.cancel();
        }
        drop(pending);
        self.ready.notify_one();
    }

    pub(super) async fn ready(&self) {
        while self.pending.lock().is_empty() {
            self.ready.notified().await;
        }
    }

    pub(super) fn take(&self) -> Pending {
        std::mem::take(&mut *self.pending.lock())
    }

    pub(super) async fn overflowed(&self) {
        self.overflow.cancelled().await;
    }
}

fn merge_into(lane: &mut BTreeMap<HintKey, Hint>, hint: Hint) {
    let key = hint.key();
    let merged = match lane.remove(&key) {
        Some(known) => known.merge(hint),
        None => hint,
    };
    lane.insert(key, merged);
}
