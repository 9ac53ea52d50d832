//! Time.

mod steady;

pub use steady::{SteadyClock, uptime};

use cliproxy_domain::WallTime;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Tells the time, in two kinds that must not be mixed: the monotonic one measures, the wall clock dates.
///
/// Waiting is done with `tokio::time`, which tests and simulations pause or replace by themselves.
pub trait Clock: Send + Sync + 'static {
    /// Gives the monotonic time.
    fn now(&self) -> Instant;

    /// Gives the monotonic time with that in which the machine was suspended: what is granted for a while ends also
    /// when the machine sleeps through it. Not for timers, which stand still meanwhile.
    fn passed(&self) -> Instant {
        self.now()
    }

    /// Gives the wall-clock time, which may step in either direction.
    fn wall(&self) -> WallTime;
}

/// The machine's clocks. The monotonic one is tokio's, so that it stands still where a test pauses time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam that the ban points to")]
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn passed(&self) -> Instant {
        let now = self.now();
        now.checked_add(steady::suspended()).unwrap_or(now)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the seam that the ban points to")]
    fn wall(&self) -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
