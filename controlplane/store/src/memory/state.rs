//! What the store in memory holds, and what each transaction does to it.

use super::book::Book;
use crate::{
    Change, ConfigSummary, Cursor, HintChange, NewConfig, NodeBatches, NodeRecord, RETAINED_EVENTS,
    StoredConfig, hints,
    ledger::{self, CellKey, CursorKey, Sums},
};
use cliproxy_domain::{
    ConfigId, Hint, HintKey, HintVersion, HistoryId, LedgerKey, LedgerRow, NodeId, ProviderName, Seq,
    UrgentEvent, WallTime,
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

/// All tables. Sorted maps, so that answers do not depend on hashing.
#[derive(Clone)]
pub(super) struct State {
    pub(super) history: HistoryId,
    configs: BTreeMap<ConfigId, (StoredConfig, ConfigSummary)>,
    cursors: BTreeMap<CursorKey, Seq>,
    cells: BTreeMap<CellKey, Sums>,
    events: BTreeMap<String, WallTime>,
    hint_version: HintVersion,
    hints: BTreeMap<HintKey, Hint>,
    changes: VecDeque<HintChange>,
    nodes: BTreeMap<NodeId, NodeRecord>,
    pub(super) book: Book,
}

impl State {
    pub(super) fn new(history: HistoryId) -> Self {
        Self {
            history,
            configs: BTreeMap::new(),
            cursors: BTreeMap::new(),
            cells: BTreeMap::new(),
            events: BTreeMap::new(),
            hint_version: HintVersion(0),
            hints: BTreeMap::new(),
            changes: VecDeque::new(),
            nodes: BTreeMap::new(),
            book: Book::default(),
        }
    }

    pub(super) fn active_config(&self) -> Option<&StoredConfig> {
        self.configs.last_key_value().map(|(_, (config, _))| config)
    }

    pub(super) fn config(&self, id: ConfigId) -> Option<&StoredConfig> {
        self.configs.get(&id).map(|(config, _)| config)
    }

    pub(super) fn put_config(&mut self, new: NewConfig) -> ConfigId {
        let highest = match self.active_config() {
            Some(active) if active.hash == new.hash => return active.id,
            Some(active) => active.id,
            None => ConfigId(0),
        };
        let id = highest.next();
        let hash = new.hash;
        let summary =
            ConfigSummary { id, hash, author: new.author.clone(), reason: new.reason.clone(), at: new.at };
        self.configs.insert(id, (StoredConfig { id, hash, entries: new.into_sorted_entries() }, summary));
        id
    }

    pub(super) fn apply_batches(&mut self, nodes: &[NodeBatches], now: WallTime) -> Vec<Cursor> {
        let settled = ledger::settle(nodes, &self.cursors, now);
        for (key, sums) in settled.cells {
            self.cells.entry(key).or_default().add(&sums);
        }
        self.cursors.extend(settled.cursors);
        settled.answers
    }

    fn cells_within(&self, minutes: &Range<WallTime>) -> impl Iterator<Item = (&CellKey, &Sums)> {
        self.cells.iter().filter(|(key, _)| minutes.contains(&key.minute))
    }

    pub(super) fn usage(&self, minutes: &Range<WallTime>) -> Vec<LedgerRow> {
        let mut totals: BTreeMap<LedgerKey, Sums> = BTreeMap::new();
        for (key, sums) in self.cells_within(minutes) {
            totals.entry(key.ledger.clone()).or_default().add_cell(sums);
        }
        totals.into_iter().map(|(key, sums)| sums.into_row(key)).collect()
    }

    pub(super) fn answered_share(&self, minutes: &Range<WallTime>) -> BTreeMap<ProviderName, f64> {
        let mut answered: BTreeMap<(ProviderName, WallTime), bool> = BTreeMap::new();
        for (key, sums) in self.cells_within(minutes) {
            let attempts = sums.attempts();
            if attempts.were_heard() {
                let minute = answered.entry((key.ledger.provider.clone(), key.minute)).or_default();
                *minute |= attempts.were_answered();
            }
        }
        let mut counts: BTreeMap<ProviderName, (u32, u32)> = BTreeMap::new();
        for ((provider, _), answered) in answered {
            let (good, all) = counts.entry(provider).or_default();
            *good += u32::from(answered);
            *all += 1;
        }
        let share = |(good, all): (u32, u32)| f64::from(good) / f64::from(all);
        counts.into_iter().map(|(provider, count)| (provider, share(count))).collect()
    }

    pub(super) fn record_events(&mut self, events: Vec<UrgentEvent>, now: WallTime) {
        for event in events {
            self.events.entry(event.id).or_insert(now);
        }
        let horizon = now.minus(RETAINED_EVENTS);
        self.events.retain(|_, at| *at >= horizon);
    }

    pub(super) fn event_ids(&self) -> Vec<String> {
        self.events.keys().cloned().collect()
    }

    pub(super) fn change(&mut self, change: Change) -> Vec<HintChange> {
        if change.outcome.as_ref().is_some_and(|outcome| self.book.remembers(outcome)) {
            return Vec::new();
        }
        self.book.write(change.audit, change.outcome);
        let changes = hints::merge_and_number(&mut self.hints, self.hint_version, change.hints);
        if let Some(newest) = changes.last() {
            self.hint_version = newest.version;
        }
        self.changes.extend(changes.iter().cloned());
        let forgotten = hints::forgotten_up_to(self.hint_version);
        while self.changes.front().is_some_and(|oldest| oldest.version <= forgotten) {
            self.changes.pop_front();
        }
        changes
    }

    pub(super) fn hints(&self) -> (HintVersion, Vec<Hint>) {
        (self.hint_version, self.hints.values().cloned().collect())
    }

    pub(super) fn forget_cooldowns(&mut self, ended_before: WallTime) {
        self.hints.retain(|_, hint| hints::settled_at(hint).is_none_or(|settled| settled >= ended_before));
    }

    pub(super) fn configs(&self, limit: u32) -> Vec<ConfigSummary> {
        let newest = self.configs.values().rev().map(|(_, summary)| summary.clone());
        newest.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
    }

    pub(super) fn changes_since(&self, version: HintVersion, limit: u32) -> Option<Vec<HintChange>> {
        if version > self.hint_version || version < hints::forgotten_up_to(self.hint_version) {
            return None;
        }
        let after = self.changes.iter().filter(|change| change.version > version);
        Some(after.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    pub(super) fn see_node(&mut self, node: NodeRecord) {
        match self.nodes.get_mut(&node.node) {
            Some(known) if node.replaces(known) => *known = node,
            Some(_) => {}
            None => {
                self.nodes.insert(node.node.clone(), node);
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<NodeRecord> {
        self.nodes.values().cloned().collect()
    }
}
