//! What is reserved for one request.

use super::{Purse, Short, pocket::Pocket};
use std::{sync::Arc, time::Instant};

/// What is reserved of a budget for one request. It belongs to the period in which it was made, and settles there.
///
/// Dropped without being settled it counts what was [metered](Reservation::meter) so far: nothing for a request that was
/// never sent, and what is known when a client hangs up.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct Reservation {
    purse: Arc<Purse>,
    pocket: Arc<Pocket>,
    reserved: u64,
    metered: u64,
}

impl Reservation {
    pub(super) fn new(purse: Arc<Purse>, pocket: Arc<Pocket>, reserved: u64) -> Self {
        Self { purse, pocket, reserved, metered: 0 }
    }

    /// Gives the purse that it is of.
    pub fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }

    /// Gives how much is reserved.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Gives how much of it is used so far.
    pub fn metered(&self) -> u64 {
        self.metered
    }

    /// Says how much is used so far, all in all. What goes beyond what is reserved is overdrawn: who must not, tops up
    /// first.
    pub fn meter(&mut self, used: u64) {
        if used > self.reserved {
            self.pocket.overdraw(used - self.reserved);
            self.reserved = used;
        }
        self.metered = used;
    }

    /// Reserves `more` in addition. False when it cannot be had: the balance has too little, or the period is over.
    #[must_use]
    pub fn top_up(&mut self, more: u64, now: Instant) -> bool {
        self.purse.demand.note(self.purse.since(now) / 1_000, more);
        self.top_up_again(more, now)
    }

    /// Tries again: what is needed was counted as demand when it was first tried.
    #[must_use]
    pub fn top_up_again(&mut self, more: u64, now: Instant) -> bool {
        let now = self.purse.since(now);
        let got = self.pocket.top_up(more, now);
        if got {
            self.reserved = self.reserved.saturating_add(more);
        }
        got
    }

    /// Tells whether `more` may yet come before its period ends.
    pub fn may_grow(&self, more: u64, now: Instant) -> bool {
        let now = self.purse.since(now);
        now < self.pocket.ends() && matches!(self.purse.why_short(&self.pocket, more, now), Short::Lacking)
    }

    /// Ends it: so much was used.
    pub fn settle(mut self, used: u64) {
        self.meter(used);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.pocket.settle(self.reserved, self.metered) {
            self.purse.last_settled();
        }
    }
}
