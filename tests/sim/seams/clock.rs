//! Time as a host believes it to be.

use cliproxy_domain::WallTime;
use cliproxy_host::{Clock, SystemClock};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// What the calendar says when a run begins, on a clock that is right.
pub const START: WallTime = WallTime(1_800_000_000_000);

/// The clocks of one host. Clones are the same, over restarts as well.
///
/// The monotonic clock is the simulated one, which goes alike everywhere: timers run by it. The calendar may be off,
/// go too fast or too slow, and be set.
#[derive(Clone)]
pub struct SimClock {
    off_ms: Arc<AtomicI64>,
    /// Parts per million that it gains.
    drift: i64,
}

impl SimClock {
    /// Makes a clock that is off by so much at first, and gains `drift` parts per million.
    pub fn new(off: i64, drift: i64) -> Self {
        Self { off_ms: Arc::new(AtomicI64::new(off)), drift }
    }

    /// Sets it forward by so many milliseconds, or back.
    pub fn step(&self, by_ms: i64) {
        self.off_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Tells what it shows so long after the beginning.
    pub fn wall_at(&self, elapsed: Duration) -> WallTime {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        WallTime(START.0 + elapsed + elapsed * self.drift / 1_000_000 + self.off_ms.load(Ordering::Relaxed))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        self.wall_at(turmoil::sim_elapsed().unwrap_or_default())
    }
}
