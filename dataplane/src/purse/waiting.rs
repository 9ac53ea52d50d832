//! What requests wait for: the smallest of them, and all of them.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The amounts that requests wait for. Only those that wait take its lock.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<BTreeMap<u64, usize>>);

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waited {
    /// By the smallest request; 0 when none waits.
    pub(super) least: u64,
    /// By all of them.
    pub(super) all: u64,
}

impl Waiting {
    /// Notes that a request waits for `amount`.
    pub(super) fn begin(&self, amount: u64) {
        *self.0.lock().entry(amount.max(1)).or_default() += 1;
    }

    /// Notes that it does no more.
    pub(super) fn end(&self, amount: u64) {
        let mut amounts = self.0.lock();
        if let Some(how_many) = amounts.get_mut(&amount.max(1)) {
            *how_many -= 1;
            if *how_many == 0 {
                amounts.remove(&amount.max(1));
            }
        }
    }

    /// Gives what is waited for now.
    pub(super) fn sum(&self) -> Waited {
        let amounts = self.0.lock();
        let least = amounts.keys().next().copied().unwrap_or(0);
        let all = amounts.iter().fold(0_u64, |sum, (amount, how_many)| {
            sum.saturating_add(amount.saturating_mul(*how_many as u64))
        });
        Waited { least, all }
    }
}
