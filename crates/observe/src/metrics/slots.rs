//! Counters by a small closed set of names, found without a lock.

use prometheus_client::metrics::counter::Counter;
use std::sync::OnceLock;

/// The names that fit; the closed sets that are counted here have fewer than twenty.
const SLOTS: usize = 32;

/// An append-only table of counters. A name's first use makes its counter, so that only what happened is
/// shown; later uses compare a few pointers.
#[derive(Debug)]
pub(super) struct Slots {
    counters: [OnceLock<(&'static str, Counter)>; SLOTS],
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { counters: [const { OnceLock::new() }; SLOTS] }
    }

    /// Counts `name` once; `make` gives the family's counter of a name that is new. Names beyond the last slot
    /// count as that of the last.
    pub(super) fn count(&self, name: &'static str, make: impl Fn(&'static str) -> Counter) {
        let mut last = None;
        for slot in &self.counters {
            let (known, counter) = slot.get_or_init(|| (name, make(name)));
            if is_same(known, name) {
                counter.inc();
                return;
            }
            last = Some(counter);
        }
        if let Some(counter) = last {
            counter.inc();
        }
    }

    /// Lists the names in use.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.counters.iter().map_while(|slot| slot.get().map(|(name, _)| *name))
    }
}

fn is_same(one: &'static str, other: &'static str) -> bool {
    std::ptr::eq(one, other) || one == other
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::{collections::HashMap, thread};

    #[test]
    fn threads_that_meet_at_a_new_name_share_its_counter() {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
        let family: Mutex<HashMap<&str, Counter>> = Mutex::default();
        let slots = Slots::new();
        thread::scope(|scope| {
            for thread in 0..4 {
                let (slots, family) = (&slots, &family);
                scope.spawn(move || {
                    for round in 0..1_000 {
                        let name = NAMES[(thread + round) % NAMES.len()];
                        slots.count(name, |name| family.lock().entry(name).or_default().clone());
                    }
                });
            }
        });
        assert_eq!(slots.names().count(), NAMES.len());
        for name in NAMES {
            assert_eq!(family.lock()[name].get(), 800, "{name}");
        }
    }

    #[test]
    fn names_without_a_slot_count_as_the_last() {
        let names: Vec<&'static str> =
            (0..SLOTS + 3).map(|number| &*Box::leak(number.to_string().into_boxed_str())).collect();
        let slots = Slots::new();
        names.iter().for_each(|name| slots.count(name, |_| Counter::default()));
        assert_eq!(slots.names().count(), SLOTS);
        assert_eq!(slots.counters[SLOTS - 1].get().unwrap().1.get(), 4);
    }
}
