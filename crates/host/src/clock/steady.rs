//! A calendar that is not set.

use super::Clock;
use cliproxy_domain::WallTime;
use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How often the calendar beneath is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What is made good of a difference, as a part of the time that passes: rests and leases are off by no more.
const PACE: f64 = 0.01;

/// Gives the calendar of another clock as it was at the start, and from then on as monotonic time passes.
///
/// What rests, rests until a date; whoever sets the calendar of a machine by ten minutes must not end that rest for
/// the whole cluster. A difference to the calendar beneath is made good slowly, at one per cent of the time that
/// passes, so that dates are right again in the end. Telling the time takes no lock.
pub struct SteadyClock<C, U> {
    beneath: C,
    uptime: U,
    started: Duration,
    /// What the calendar said then.
    date: WallTime,
    /// What was made good so far, in milliseconds.
    made_good: AtomicI64,
    /// When the calendar beneath was last looked at, in milliseconds since the start.
    looked: AtomicU64,
}

/// Gives the time since the machine began, that in which it was suspended included.
pub fn uptime() -> Duration {
    let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(passed.tv_sec).unwrap_or(0), u32::try_from(passed.tv_nsec).unwrap_or(0))
}

/// Gives how long the machine was suspended since it began. What passes between looking at two clocks is no part of it,
/// and it never gets less, so that a time made with it never goes back.
pub(super) fn suspended() -> Duration {
    /// The most that was seen, in nanoseconds.
    static SEEN: AtomicU64 = AtomicU64::new(0);
    // First the one that may be ahead: then the difference is no more than it really is.
    let uptime = uptime();
    let running = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let running = Duration::new(
        u64::try_from(running.tv_sec).unwrap_or(0),
        u32::try_from(running.tv_nsec).unwrap_or(0),
    );
    let suspended = u64::try_from(uptime.saturating_sub(running).as_nanos()).unwrap_or(u64::MAX);
    let seen = SEEN.load(Relaxed);
    // Written only after the machine was suspended: requests would wait for each other to write.
    let most = if suspended > seen { SEEN.fetch_max(suspended, Relaxed).max(suspended) } else { seen };
    Duration::from_nanos(most)
}

impl<C: Clock, U: Fn() -> Duration + Send + Sync + 'static> SteadyClock<C, U> {
    /// Starts from what `beneath` says now. `uptime` gives how much time has passed since whenever: for a machine that
    /// may be suspended [`uptime`], as the calendar goes on meanwhile and the monotonic clock does not.
    pub fn over(beneath: C, uptime: U) -> Self {
        let (started, date) = (uptime(), beneath.wall());
        Self { beneath, uptime, started, date, made_good: AtomicI64::new(0), looked: AtomicU64::new(0) }
    }

    /// Makes good a part of the difference, once each [`LOOK`], whichever thread comes first.
    fn follow(&self, passed: Duration) {
        let now = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Relaxed);
        let since = Duration::from_millis(now.saturating_sub(looked));
        if since < LOOK || self.looked.compare_exchange(looked, now, Relaxed, Relaxed).is_err() {
            return;
        }
        let most = i64::try_from(since.mul_f64(PACE).as_millis()).unwrap_or(i64::MAX);
        let said = self.date.plus(passed).0.saturating_add(self.made_good.load(Relaxed));
        let difference = self.beneath.wall().0.saturating_sub(said);
        self.made_good.fetch_add(difference.clamp(-most, most), Relaxed);
    }
}

impl<C: Clock, U: Fn() -> Duration + Send + Sync + 'static> Clock for SteadyClock<C, U> {
    fn now(&self) -> Instant {
        self.beneath.now()
    }

    fn passed(&self) -> Instant {
        self.beneath.passed()
    }

    fn wall(&self) -> WallTime {
        let passed = (self.uptime)().saturating_sub(self.started);
        self.follow(passed);
        WallTime(self.date.plus(passed).0.saturating_add(self.made_good.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A clock that shows what it is told: since when it runs, and its date.
    struct Told(Mutex<(Duration, WallTime)>);

    impl Clock for &'static Told {
        fn now(&self) -> Instant {
            crate::SystemClock.now()
        }

        fn wall(&self) -> WallTime {
            self.0.lock().unwrap().1
        }
    }

    impl Told {
        fn new() -> &'static Self {
            Box::leak(Box::new(Self(Mutex::new((Duration::ZERO, WallTime(1_800_000_000_000))))))
        }

        fn steady(&'static self) -> impl Clock {
            SteadyClock::over(self, || self.0.lock().unwrap().0)
        }

        fn pass(&self, time: Duration) {
            let mut told = self.0.lock().unwrap();
            *told = (told.0 + time, told.1.plus(time));
        }

        fn set(&self, by_ms: i64) {
            self.0.lock().unwrap().1.0 += by_ms;
        }
    }

    const MINUTES_10: i64 = 600_000;

    #[test]
    fn the_calendar_goes_on_as_it_did_when_it_is_set() {
        let told = Told::new();
        let steady = told.steady();
        for by in [MINUTES_10, -2 * MINUTES_10] {
            let before = steady.wall();
            told.set(by);
            told.pass(Duration::from_secs(60));
            let off = steady.wall().0 - before.0 - 60_000;
            assert!(off.abs() <= 600, "{off} ms off after a minute");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn looking_at_the_clock_takes_no_time() {
        let first = crate::SystemClock.passed();
        for _ in 0..10_000 {
            assert_eq!(crate::SystemClock.passed(), first, "time stands still");
        }
    }

    #[test]
    fn dates_are_right_again_in_the_end_and_never_go_back() {
        let told = Told::new();
        let steady = told.steady();
        told.set(-MINUTES_10);
        let mut last = steady.wall();
        for _ in 0..MINUTES_10 / 10 {
            told.pass(LOOK);
            let now = steady.wall();
            assert!(now > last);
            last = now;
        }
        assert_eq!(steady.wall(), told.wall());
    }
}
