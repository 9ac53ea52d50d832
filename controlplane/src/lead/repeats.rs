//! Hints that are never stored: sent when they change, and repeated while they hold, as nodes forget them otherwise.

use super::Lead;
use cliproxy_domain::{Hint, HintKey, WallTime};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often they are repeated: a node forgets after three times as long.
const EVERY: Duration = Duration::from_secs(5);

/// The values of one kind that hold now.
#[derive(Default)]
pub(super) struct Repeats {
    current: BTreeMap<HintKey, (Hint, Instant)>,
}

impl Repeats {
    /// Gives the value of a key that was sent last.
    pub(super) fn last(&self, key: &HintKey) -> Option<&Hint> {
        self.current.get(key).map(|(hint, _)| hint)
    }

    /// Gives all values that hold, sorted by key.
    pub(super) fn hints(&self) -> impl Iterator<Item = &Hint> {
        self.current.values().map(|(hint, _)| hint)
    }

    /// Sends a value to all nodes and keeps it for those that connect.
    pub(super) fn send(&mut self, lead: &Lead, hint: Hint) {
        lead.state.hints.merge(hint.clone(), lead.state.clock.wall());
        lead.publish.hint_now(&hint);
        self.current.insert(hint.key(), (hint, lead.state.clock.now()));
    }

    /// Repeats what was not sent for a while.
    pub(super) fn repeat(&mut self, lead: &Lead) {
        let now = lead.state.clock.now();
        for (hint, sent) in self.current.values_mut() {
            if now.saturating_duration_since(*sent) >= EVERY {
                lead.publish.hint_now(hint);
                *sent = now;
            }
        }
    }

    /// Lets the values go that `holds` does not hold of. Nodes forget them as they are not repeated.
    pub(super) fn keep(&mut self, lead: &Lead, holds: impl Fn(&HintKey) -> bool) {
        self.current.retain(|key, _| {
            let held = holds(key);
            if !held {
                lead.state.hints.remove(key);
            }
            held
        });
    }
}

/// Gives the revision that follows `last`. It outgrows those of a control plane before this one, which went by the
/// same clock.
pub(super) fn revision(last: Option<u64>, now: WallTime) -> u64 {
    last.map_or(0, |last| last + 1).max(u64::try_from(now.0).unwrap_or(0))
}
