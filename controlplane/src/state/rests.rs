//! What rests now.

use cliproxy_domain::{Cooldown, CooldownKey, HintVersion, WallTime};
use cliproxy_store::HintChange;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How many keys are kept before those whose rest is over are forgotten.
const KEEP: usize = 10_000;

/// The cooldowns of all keys, merged, with the newest number of the hint line.
///
/// A value is here before it is stored: it is a hint, and merging it again changes nothing.
pub(crate) struct Rests(Mutex<Inner>);

struct Inner {
    current: BTreeMap<CooldownKey, Cooldown>,
    version: HintVersion,
}

impl Rests {
    pub(super) fn new(version: HintVersion, cooldowns: Vec<Cooldown>) -> Self {
        let current = cooldowns.into_iter().map(|cooldown| (cooldown.key.clone(), cooldown)).collect();
        Self(Mutex::new(Inner { current, version }))
    }

    /// Merges one value and gives the merged one; `None` when nothing changed.
    pub(crate) fn merge(&self, cooldown: Cooldown, now: WallTime) -> Option<Cooldown> {
        let mut inner = self.0.lock();
        if inner.current.len() >= KEEP {
            inner.current.retain(|_, known| known.until > now);
        }
        inner.merge(cooldown)
    }

    /// Takes over what the store numbered.
    pub(crate) fn numbered(&self, changes: &[HintChange]) {
        let mut inner = self.0.lock();
        for change in changes {
            inner.merge(change.cooldown.clone());
            inner.version = inner.version.max(change.version);
        }
    }

    /// Gives the epoch of a key; 0 when no operator spoke of it.
    pub(crate) fn epoch(&self, key: &CooldownKey) -> u64 {
        self.0.lock().current.get(key).map_or(0, |known| known.epoch)
    }

    /// Gives the newest number of the hint line.
    pub(crate) fn version(&self) -> HintVersion {
        self.0.lock().version
    }

    /// Gives the newest number and what rests at `now`, sorted by key.
    pub(crate) fn current(&self, now: WallTime) -> (HintVersion, Vec<Cooldown>) {
        let inner = self.0.lock();
        (inner.version, inner.current.values().filter(|known| known.until > now).cloned().collect())
    }
}

impl Inner {
    fn merge(&mut self, cooldown: Cooldown) -> Option<Cooldown> {
        let merged = match self.current.get(&cooldown.key) {
            None => cooldown,
            Some(known) => {
                let merged = known.clone().merge(cooldown);
                if merged == *known {
                    return None;
                }
                merged
            }
        };
        self.current.insert(merged.key.clone(), merged.clone());
        Some(merged)
    }
}
