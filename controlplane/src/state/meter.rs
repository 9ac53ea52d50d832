//! What was measured of every target over the latency window, over all nodes.

use cliproxy_domain::{LedgerRow, Measured, ModelName, ProviderName, WallTime};
use cliproxy_engine::measured::Sums;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Into how many slots a window is cut at most; it slides by one of them at a time.
const SLOTS: u128 = 60;
const SHORTEST_SLOT_MS: u128 = 1_000;
/// How many targets are measured; what is called beyond that is not.
const TARGETS: usize = 1_000;

/// A provider and the model as it knows it.
pub(crate) type TargetKey = (ProviderName, ModelName);

/// The sums of every target, by slots of the window.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    window: Duration,
    /// Slots by number, sorted.
    targets: BTreeMap<TargetKey, VecDeque<(i64, Sums)>>,
}

impl Meter {
    /// Forgets everything and measures over `window` from now on.
    pub(crate) fn restart(&self, window: Duration) {
        *self.0.lock() = Inner { window, targets: BTreeMap::new() };
    }

    /// Adds rows whose window ended at `end`; what is older than the window is left out.
    pub(crate) fn fold<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a LedgerRow>,
        end: WallTime,
        now: WallTime,
    ) {
        let mut inner = self.0.lock();
        let (slot, newest) = (inner.slot_of(end.min(now)), inner.slot_of(now));
        if inner.window.is_zero() || slot <= newest - inner.slots() {
            return;
        }
        for row in rows {
            let sums = Sums::of(row);
            if let Some(slots) = inner.target(row, newest).filter(|_| !sums.is_empty()) {
                let place = slots.partition_point(|(known, _)| *known < slot);
                match slots.get_mut(place) {
                    Some((known, found)) if *known == slot => found.add(&sums),
                    _ => slots.insert(place, (slot, sums)),
                }
            }
        }
    }

    /// Gives the means of every target over the window that ends at `now`, sorted by target. Targets of which the
    /// window holds nothing are forgotten.
    pub(crate) fn measured(&self, now: WallTime) -> Vec<(TargetKey, Measured)> {
        let mut inner = self.0.lock();
        let newest = inner.slot_of(now);
        inner.forget(newest);
        let measured = |slots: &VecDeque<(i64, Sums)>| {
            let mut all = Sums::default();
            slots.iter().for_each(|(_, sums)| all.add(sums));
            all.means()
        };
        inner.targets.iter().map(|(target, slots)| (target.clone(), measured(slots))).collect()
    }
}

impl Inner {
    /// Gives the length of a slot, in milliseconds.
    fn slot_ms(&self) -> i64 {
        let slot = self.window.as_millis().div_ceil(SLOTS).max(SHORTEST_SLOT_MS);
        i64::try_from(slot).unwrap_or(i64::MAX)
    }

    /// Counts the slots of the window.
    fn slots(&self) -> i64 {
        let window = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        window.div_euclid(self.slot_ms()).max(1)
    }

    fn slot_of(&self, time: WallTime) -> i64 {
        time.0.div_euclid(self.slot_ms())
    }

    fn target(&mut self, row: &LedgerRow, newest: i64) -> Option<&mut VecDeque<(i64, Sums)>> {
        let target = (row.key.provider.clone(), row.key.model.clone());
        if self.targets.len() >= TARGETS && !self.targets.contains_key(&target) {
            self.forget(newest);
            if self.targets.len() >= TARGETS {
                return None;
            }
        }
        Some(self.targets.entry(target).or_default())
    }

    fn forget(&mut self, newest: i64) {
        let oldest = newest - self.slots();
        self.targets.retain(|_, slots| {
            while slots.front().is_some_and(|(slot, _)| *slot <= oldest) {
                slots.pop_front();
            }
            !slots.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
