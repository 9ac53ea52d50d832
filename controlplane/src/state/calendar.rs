//! The calendar that all replicas go by: the store's.

use cliproxy_domain::WallTime;
use cliproxy_host::Clock;
use cliproxy_store::{Store, StoreError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// An answer that took longer says too little of when it was given.
const PROMPT: Duration = Duration::from_secs(1);
/// Differences below this are those of the way to the store, not of calendars.
const NOISE_MS: i64 = 20;
/// A difference that is worth an operator's attention.
const WORTH_TELLING_MS: i64 = 5_000;

/// This machine's clock, put forward or back to what the store's says.
///
/// Rests and windows are kept with dates, and replicas read what others wrote: on machines whose calendars differ, a rest
/// of one would be over at the other. Where the store has no clock of its own, this is the machine's.
pub(crate) struct Calendar {
    beneath: Arc<dyn Clock>,
    /// By how many milliseconds the store's calendar is ahead of this machine's.
    ahead_ms: AtomicI64,
}

impl Calendar {
    pub(super) fn over(beneath: Arc<dyn Clock>) -> Self {
        Self { beneath, ahead_ms: AtomicI64::new(0) }
    }

    /// Asks the store for its time, and goes by it from now on.
    pub(crate) async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let asked = self.beneath.now();
        let Some(told) = store.time().await? else { return Ok(()) };
        self.adopt(told, self.beneath.now().saturating_duration_since(asked));
        Ok(())
    }

    /// Goes by what the store told half of `took` ago.
    fn adopt(&self, told: WallTime, took: Duration) {
        let ahead = told.plus(took / 2).0.saturating_sub(self.beneath.wall().0);
        let by = ahead.saturating_sub(self.ahead_ms.load(Relaxed));
        if took > PROMPT || by.saturating_abs() < NOISE_MS {
            return;
        }
        self.ahead_ms.store(ahead, Relaxed);
        if by.saturating_abs() >= WORTH_TELLING_MS {
            tracing::warn!(
                ahead_ms = ahead,
                "the store's calendar differs from this machine's; dates are told by the store's"
            );
        }
    }
}

impl Clock for Calendar {
    fn now(&self) -> Instant {
        self.beneath.now()
    }

    fn wall(&self) -> WallTime {
        WallTime(self.beneath.wall().0.saturating_add(self.ahead_ms.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that says one date for ever.
    struct Standing(WallTime);

    impl Clock for Standing {
        fn now(&self) -> Instant {
            cliproxy_host::SystemClock.now()
        }

        fn wall(&self) -> WallTime {
            self.0
        }
    }

    fn calendar(date: i64) -> Calendar {
        Calendar::over(Arc::new(Standing(WallTime(date))))
    }

    #[test]
    fn dates_are_the_stores_whichever_way_the_machine_is_off() {
        for date in [1_000_000, 9_000_000] {
            let calendar = calendar(date);
            calendar.adopt(WallTime(5_000_000), Duration::ZERO);
            assert_eq!(calendar.wall(), WallTime(5_000_000));
        }
    }

    #[test]
    fn half_of_the_way_has_passed_since_the_store_told() {
        let calendar = calendar(0);
        calendar.adopt(WallTime(5_000), Duration::from_millis(200));
        assert_eq!(calendar.wall(), WallTime(5_100));
    }

    #[test]
    fn a_late_answer_and_the_way_itself_move_nothing() {
        let calendar = calendar(0);
        calendar.adopt(WallTime(60_000), PROMPT + Duration::from_millis(1));
        calendar.adopt(WallTime(NOISE_MS - 1), Duration::ZERO);
        assert_eq!(calendar.wall(), WallTime(0));
    }
}
