//! The log of who is not let in, which must not grow with how often they try.

use super::HandshakeError;
use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines within [`SPAN`].
const LINES: u32 = 20;
const SPAN: Duration = Duration::from_secs(10);

/// Who was not let in lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    lately: Mutex<Lately>,
}

#[derive(Debug, Default)]
struct Lately {
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Refusals {
    /// Logs a refusal; in a flood of them, how many there were instead.
    pub(super) fn tell(&self, now: Instant, address: SocketAddr, error: &HandshakeError) {
        let (tell, before) = self.count(now);
        if before > 0 {
            tracing::warn!(connections = before, "more connections were refused than are told one by one");
        }
        if tell {
            tracing::warn!(%address, %error, "a connection is refused");
        }
    }

    /// Counts a refusal; gives whether to tell of it, and how many before it were not told.
    fn count(&self, now: Instant) -> (bool, u64) {
        // Each holder makes one change: a panic elsewhere leaves it whole.
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let mut untold = 0;
        if lately.since.is_none_or(|since| now.saturating_duration_since(since) >= SPAN) {
            untold = std::mem::take(&mut *lately).untold;
            lately.since = Some(now);
        }
        if lately.told < LINES {
            lately.told += 1;
            return (true, untold);
        }
        lately.untold += 1;
        (false, untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock as _, SystemClock};

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_of_by_its_number() {
        let refusals = Refusals::default();
        let told = || refusals.count(SystemClock.now());
        assert_eq!((0..30).filter(|_| told() == (true, 0)).count(), 20);
        tokio::time::advance(SPAN).await;
        assert_eq!((told(), told()), ((true, 10), (true, 0)));
    }
}
