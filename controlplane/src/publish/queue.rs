//! One node's queue of hints.

use cliproxy_domain::{Cooldown, CooldownKey, HintVersion};
use cliproxy_store::HintChange;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many keys may wait for one node.
pub(crate) const MAX_PENDING: usize = 256;

/// What waits for one node, newest value for each key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Not stored yet.
    pub(crate) urgent: BTreeMap<CooldownKey, Cooldown>,
    /// Stored; their numbers are at most `version`.
    pub(crate) numbered: BTreeMap<CooldownKey, Cooldown>,
    /// The newest number; 0 when `numbered` is empty.
    pub(crate) version: HintVersion,
}

impl Pending {
    fn len(&self) -> usize {
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
    pub(super) fn push_urgent(&self, cooldown: &Cooldown) {
        self.push(|pending| merge_into(&mut pending.urgent, cooldown.clone()));
    }

    pub(super) fn push_numbered(&self, changes: &[HintChange]) {
        if changes.is_empty() {
            return;
        }
        self.push(|pending| {
            for HintChange { version, cooldown } in changes {
                // The same value comes again with its number: once is enough.
                if let Some(urgent) = pending.urgent.remove(&cooldown.key) {
                    merge_into(&mut pending.numbered, urgent);
                }
                merge_into(&mut pending.numbered, cooldown.clone());
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
        if pending.len() > MAX_PENDING {
            *pending = Pending::default();
            self.overflow.cancel();
        }
        drop(pending);
        self.ready.notify_one();
    }

    pub(super) async fn ready(&self) {
        while self.pending.lock().len() == 0 {
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

fn merge_into(map: &mut BTreeMap<CooldownKey, Cooldown>, cooldown: Cooldown) {
    let merged = match map.remove(&cooldown.key) {
        Some(known) => known.merge(cooldown),
        None => cooldown,
    };
    map.insert(merged.key.clone(), merged);
}
