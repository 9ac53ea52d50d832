//! What is spent of a budget while its limit does not hold, as no control plane answers: counted, so that it is booked
//! once one does.

use super::{Purse, Reservation, pocket::Pocket};
use std::{sync::Arc, time::Instant};

impl Purse {
    /// Counts a request that is served whatever the budget has. Its period is the one that runs; where none is known, the
    /// next that is.
    pub fn count(self: &Arc<Self>, now: Instant) -> Reservation {
        let now = self.since(now);
        let known = self.pocket.load_full().filter(|pocket| pocket.open_unlimited(now));
        let pocket = known.unwrap_or_else(|| {
            self.adrift.open_adrift();
            Arc::clone(&self.adrift)
        });
        Reservation::new(Arc::clone(self), pocket, 0)
    }

    /// Takes what was spent while no period was known as spent in that of `pocket`, which runs.
    pub(super) fn book_adrift(&self, pocket: &Pocket) {
        let spent = self.adrift.take_spent();
        if spent > 0 {
            pocket.spend(spent);
        }
    }
}
