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
        let now = lead.state.clock.now();
        lead.state.hints.merge(hint.clone(), lead.state.clock.wall());
        say(lead, &hint, now);
        self.current.insert(hint.key(), (hint, now));
    }

    /// Repeats what was not sent for a while.
    pub(super) fn repeat(&mut self, lead: &Lead) {
        let now = lead.state.clock.now();
        for (hint, sent) in self.current.values_mut() {
            if now.saturating_duration_since(*sent) >= EVERY {
                say(lead, hint, now);
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

/// Says a value to the nodes of all replicas.
fn say(lead: &Lead, hint: &Hint, now: Instant) {
    lead.publish.hint_now(hint);
    lead.state.hints.said(hint.key(), now);
    lead.state.outbox.passing(hint);
}

/// Gives the revision of the next value of a key. It outgrows those of whoever led before: what is known of them, and
/// where nothing is, by the clock.
pub(super) fn revision(lead: &Lead, key: &HintKey, now: WallTime) -> u64 {
    let known = lead.state.hints.revision(key);
    known.map_or(0, |known| known + 1).max(u64::try_from(now.0).unwrap_or(0))
}
