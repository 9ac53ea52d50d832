//! The hints that a node has, and for how long it goes by those that nobody stores.

use super::measured::Measurements;
use cliproxy_domain::{
    Cooldown, Hint, HintKey, KeyRecord, LedgerRow, Snapshot, WallTime, health::ASSIGNMENT_TTL,
};
use cliproxy_engine::{Outlook, cooldown::RISE};
use std::{collections::BTreeMap, time::Duration};

/// Hints at most. Clients choose models within a provider's patterns, and a rest may be of one model.
const MAX_HINTS: usize = 10_000;
/// How long a rest that is over stays known, so that late reports of it do not begin it anew.
const OVER_KEPT: Duration = Duration::from_secs(10 * 60);
/// How long a rest that nobody probed after its end stays known.
const UNPROBED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// All hints by what they are about, and what the node measured itself.
#[derive(Default)]
pub(super) struct Board {
    hints: BTreeMap<HintKey, Held>,
    own: Measurements,
    /// Something was said of a client's key.
    key_news: bool,
}

struct Held {
    hint: Hint,
    /// When this very value was last heard.
    heard: WallTime,
}

impl Board {
    /// Merges a hint. Tells whether what is known changed.
    pub(super) fn merge(&mut self, hint: Hint, now: WallTime) -> bool {
        let key = hint.key();
        let of_a_key = matches!(hint, Hint::ClientKey(_));
        let Some(held) = self.hints.get_mut(&key) else {
            self.make_room();
            self.hints.insert(key, Held { hint, heard: now });
            self.key_news |= of_a_key;
            return true;
        };
        let merged = held.hint.clone().merge(hint.clone());
        if merged == hint {
            held.heard = now;
        }
        let changed = merged != held.hint;
        held.hint = merged;
        self.key_news |= changed && of_a_key;
        changed
    }

    /// Forgets what nobody repeated, and rests that are long over. Tells whether anything was forgotten.
    pub(super) fn forget(&mut self, now: WallTime) -> bool {
        let before = self.hints.len();
        self.hints.retain(|_, held| match &held.hint {
            Hint::Cooldown(rest) => is_kept(rest, now),
            Hint::Health(_) => true,
            Hint::ClientKey(record) => record.settled_at().is_none_or(|settled| settled > now),
            Hint::Probe(_) | Hint::Signal(_) | Hint::Quota(_) => now.since(held.heard) < ASSIGNMENT_TTL,
        });
        self.hints.len() != before
    }

    /// Adds what one window of the ledger measured.
    pub(super) fn measured(&mut self, rows: &[LedgerRow], window: Duration, now: WallTime) -> bool {
        self.own.fold(rows, window, now)
    }

    /// Lays out what is known for `snapshot`. Where the cluster says nothing of a target, the node goes by what it
    /// measured itself.
    pub(super) fn lay_out(&self, snapshot: &Snapshot) -> Outlook {
        let own: Vec<Hint> = self
            .own
            .signals()
            .map(Hint::Signal)
            .filter(|signal| !self.hints.contains_key(&signal.key()))
            .collect();
        Outlook::of(snapshot, self.hints.values().map(|held| &held.hint).chain(&own))
    }

    pub(super) fn get(&self, key: &HintKey) -> Option<&Hint> {
        self.hints.get(key).map(|held| &held.hint)
    }

    pub(super) fn hints(&self) -> impl Iterator<Item = &Hint> {
        self.hints.values().map(|held| &held.hint)
    }

    /// Gives what is known of clients' keys beside the configuration.
    pub(super) fn key_records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.hints().filter_map(|hint| match hint {
            Hint::ClientKey(record) => Some(record),
            _ => None,
        })
    }

    /// Tells whether anything was said of clients' keys since this was asked last.
    pub(super) fn take_key_news(&mut self) -> bool {
        std::mem::take(&mut self.key_news)
    }

    /// Drops the rest that ended first when there are too many; an operator's word stays.
    fn make_room(&mut self) {
        if self.hints.len() < MAX_HINTS {
            return;
        }
        let droppable = self.hints.iter().filter_map(|(key, held)| match &held.hint {
            Hint::Cooldown(rest) if !rest.outlives_its_end() => Some((rest.until, key)),
            _ => None,
        });
        if let Some(oldest) = droppable.min().map(|(_, key)| key.clone()) {
            self.hints.remove(&oldest);
        }
    }
}

/// Tells whether a rest may still matter. An operator's word outlives its end: older evidence must not undo it.
fn is_kept(rest: &Cooldown, now: WallTime) -> bool {
    let kept = if rest.cleared { OVER_KEPT.max(RISE) } else { UNPROBED_KEPT };
    rest.outlives_its_end() || now.since(rest.until) < kept
}
