//! Where the log is kept: one short lock per start and per end of a request.

use super::{ENTRIES_KEPT, Entry, Log, Totals, TotalsOf};
use crate::script::Operation;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// The number of pairs of key and model with counts of their own; later ones share one row.
const ROWS_KEPT: usize = 10_000;
/// The key and model of the row that later pairs share.
const OTHER: &str = "(other)";

/// The log of one mock provider.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    last_id: AtomicU64,
    keep_bodies: AtomicUsize,
}

#[derive(Debug, Default)]
struct Pages {
    /// Grows with each clearing, so that requests of before do not count afterwards.
    era: u64,
    totals: Totals,
    /// Of these, those that asked for models.
    probes: Totals,
    by: BTreeMap<Row, Counts>,
    entries: VecDeque<Entry>,
    /// How many of the newest entries may hold a body.
    with_bodies: usize,
}

type Row = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
struct Counts {
    totals: Totals,
    last_started_us: u64,
}

impl Pages {
    fn row(&mut self, key: &Arc<str>, model: &Arc<str>) -> &mut Counts {
        let row = (Arc::clone(key), Arc::clone(model));
        if self.by.len() < ROWS_KEPT || self.by.contains_key(&row) {
            return self.by.entry(row).or_default();
        }
        self.by.entry((OTHER.into(), OTHER.into())).or_default()
    }

    fn forget_bodies(&mut self, keep: usize) {
        while self.with_bodies > keep {
            let oldest = self.entries.len() - self.with_bodies;
            self.entries[oldest].body = None;
            self.with_bodies -= 1;
        }
    }
}

impl Book {
    /// Numbers a request.
    pub(crate) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Says how many bodies are kept from now on.
    pub(crate) fn keep_bodies(&self, count: usize) {
        self.keep_bodies.store(count, Ordering::Relaxed);
        self.pages.lock().forget_bodies(count);
    }

    /// Tells whether bodies are kept at all.
    pub(crate) fn keeps_bodies(&self) -> bool {
        self.keep_bodies.load(Ordering::Relaxed) > 0
    }

    /// Counts a request as begun; gives the era that its end must name.
    pub(crate) fn start(&self, entry: &Entry) -> u64 {
        let mut pages = self.pages.lock();
        pages.totals.start();
        if entry.operation == Some(Operation::Models) {
            pages.probes.start();
        }
        let counts = pages.row(&entry.key, &entry.model);
        counts.totals.start();
        counts.last_started_us = counts.last_started_us.max(entry.started_us);
        pages.era
    }

    /// Counts a request as ended. One that began before the log was cleared leaves no trace.
    pub(crate) fn finish(&self, era: u64, entry: Entry) {
        let mut pages = self.pages.lock();
        if pages.era != era {
            return;
        }
        pages.totals.finish(entry.outcome, entry.usage);
        if entry.operation == Some(Operation::Models) {
            pages.probes.finish(entry.outcome, entry.usage);
        }
        pages.row(&entry.key, &entry.model).totals.finish(entry.outcome, entry.usage);
        if pages.entries.len() == ENTRIES_KEPT {
            pages.entries.pop_front();
            pages.with_bodies = pages.with_bodies.min(pages.entries.len());
        }
        pages.entries.push_back(entry);
        let keep = self.keep_bodies.load(Ordering::Relaxed);
        if keep > 0 || pages.with_bodies > 0 {
            pages.with_bodies += 1;
            pages.forget_bodies(keep);
        }
    }

    /// Copies the log with the `newest` entries.
    pub(crate) fn copy(&self, newest: usize) -> Log {
        let pages = self.pages.lock();
        let row = |((key, model), counts): (&Row, &Counts)| TotalsOf {
            key: Arc::clone(key),
            model: Arc::clone(model),
            totals: counts.totals,
            last_started_us: counts.last_started_us,
        };
        let skipped = pages.entries.len().saturating_sub(newest);
        Log {
            totals: pages.totals,
            probes: pages.probes,
            by: pages.by.iter().map(row).collect(),
            entries: pages.entries.iter().skip(skipped).cloned().collect(),
        }
    }

    /// Forgets everything; requests in flight are forgotten as well.
    pub(crate) fn clear(&self) {
        let mut pages = self.pages.lock();
        *pages = Pages { era: pages.era + 1, ..Pages::default() };
    }
}
