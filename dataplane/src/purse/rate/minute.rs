//! What was used within the last minute.

use crate::purse::seconds::Seconds;
use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

/// A minute, the second that runs, since what happened at the end of a second is still of the minute when 60 others have
/// begun, and one for a clock that runs fast by no more than a hundredth.
const SECONDS: usize = 62;

/// The use of a sliding minute, counted by the second. Its sum is kept apart, so that taking is one exchange; it is never
/// less than what the seconds hold.
#[derive(Debug, Default)]
pub(super) struct Minute {
    used: AtomicU64,
    seconds: Seconds<SECONDS>,
    /// The second in which old ones were last taken out.
    swept: AtomicU64,
}

impl Minute {
    /// Gives what is used at `at`, in milliseconds.
    pub(super) fn used(&self, at: u64) -> u64 {
        let second = at / 1_000;
        let swept = self.swept.load(Relaxed);
        if second > swept && self.swept.compare_exchange(swept, second, Relaxed, Relaxed).is_ok() {
            self.used.fetch_sub(self.seconds.expire(second), SeqCst);
        }
        self.used.load(SeqCst)
    }

    /// Takes `amount` if no more than `capacity` is used then.
    pub(super) fn take(&self, at: u64, amount: u64, capacity: u64) -> bool {
        let more = |used: u64| used.checked_add(amount).filter(|used| *used <= capacity);
        if self.used.fetch_update(SeqCst, SeqCst, more).is_err() {
            return false;
        }
        self.count(at, amount)
    }

    /// Counts `amount`, whatever the capacity.
    pub(super) fn force(&self, at: u64, amount: u64) {
        self.used.fetch_add(amount, SeqCst);
        self.count(at, amount);
    }

    /// Takes out again what was counted at `at`, as far as it is still of the minute.
    pub(super) fn take_out(&self, at: u64, amount: u64) {
        let out = self.seconds.take_out(at / 1_000, amount);
        self.used.fetch_sub(out, SeqCst);
    }

    /// Gives how long after `at` so much will be free again.
    pub(super) fn frees(&self, at: u64, amount: u64) -> Option<Duration> {
        let seconds = self.seconds.frees(at / 1_000, amount)?;
        Some(Duration::from_millis(seconds.saturating_mul(1_000) - at % 1_000))
    }

    fn count(&self, at: u64, amount: u64) -> bool {
        match self.seconds.add(at / 1_000, amount) {
            Some(past) => {
                self.used.fetch_sub(past, SeqCst);
                true
            }
            None => {
                self.used.fetch_sub(amount, SeqCst);
                false
            }
        }
    }
}
