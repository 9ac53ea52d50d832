//! How soon a control plane is tried again, and how patient the node is with the one that it has.

use cliproxy_host::{Clock, Entropy};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// HTTP/2 pings: how often, and how long the answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pings {
    pub(super) every: Duration,
    pub(super) within: Duration,
}

/// Pings even on an idle connection, so that a lost peer is noticed, and left, within a second.
const USUAL: Pings = Pings { every: Duration::from_millis(250), within: Duration::from_millis(650) };
/// Of a node whose connections come and go, as one whose CPU is throttled.
const RELAXED: Pings = Pings { every: Duration::from_secs(1), within: Duration::from_secs(1) };
/// How long a control plane may say nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const RELAXED_PATIENCE: Duration = Duration::from_secs(4);
/// A replica that answers so soon after it was lost was never away: what failed is the way there, or this node's own
/// time. One that is killed or cut off is away for longer, and patience would only hide it.
const SOON: Duration = Duration::from_secs(1);
/// So many such losses within so long make the node patient, for so long.
const FLAPS: usize = 3;
const WITHIN: Duration = Duration::from_secs(60);
const RELAX_FOR: Duration = Duration::from_secs(10 * 60);

/// How patient the node is.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// 1 while it is patient.
    shown: Gauge,
}

#[derive(Default)]
struct State {
    /// Where replicas were lost a moment ago.
    lost: VecDeque<(String, Instant)>,
    /// When losses turned out to be none.
    flaps: VecDeque<Instant>,
    relaxed_until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>, shown: Gauge) -> Self {
        Self { clock, state: Mutex::default(), shown }
    }

    /// Notes that a stream was lost that had been welcomed.
    pub(super) fn lost(&self, endpoint: &str) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.lost.retain(|(lost, at)| is_within(*at, SOON, now) && lost != endpoint);
        state.lost.push_back((endpoint.to_owned(), now));
    }

    /// Notes that a replica answers there.
    pub(super) fn answers(&self, endpoint: &str) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.lost.retain(|(_, at)| is_within(*at, SOON, now));
        let Some(place) = state.lost.iter().position(|(lost, _)| lost == endpoint) else { return };
        state.lost.remove(place);
        state.flaps.retain(|at| is_within(*at, WITHIN, now));
        state.flaps.push_back(now);
        if state.flaps.len() < FLAPS {
            return;
        }
        state.flaps.clear();
        let was_relaxed = state.relaxed_until.is_some_and(|until| until > now);
        state.relaxed_until = Some(now + RELAX_FOR);
        if !was_relaxed {
            tracing::warn!("connections to control planes come and go; the node is patient for ten minutes");
        }
    }

    /// Tells whether connections came and went lately.
    fn is_relaxed(&self) -> bool {
        let now = self.clock.now();
        let is_relaxed = self.state.lock().relaxed_until.is_some_and(|until| until > now);
        self.shown.set(i64::from(is_relaxed));
        is_relaxed
    }

    /// Gives how a connection that is opened now is watched.
    pub(super) fn pings(&self) -> Pings {
        if self.is_relaxed() { RELAXED } else { USUAL }
    }

    /// Gives how long a control plane may say nothing.
    pub(super) fn patience(&self) -> Duration {
        if self.is_relaxed() { RELAXED_PATIENCE } else { PATIENCE }
    }
}

fn is_within(at: Instant, time: Duration, now: Instant) -> bool {
    now.saturating_duration_since(at) < time
}

/// The first pause, doubled up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses between tries: at random below a ceiling that doubles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    pauses: u32,
}

impl Backoff {
    pub(super) fn next(&mut self, entropy: &Entropy) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.pauses.min(10)).min(LONGEST);
        self.pauses = self.pauses.saturating_add(1);
        ceiling.mul_f64(entropy.fraction())
    }

    pub(super) fn reset(&mut self) {
        self.pauses = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::SystemClock;

    fn pace() -> Pace {
        Pace::new(Arc::new(SystemClock), Gauge::default())
    }

    /// Loses a replica that answers again after so long.
    async fn flap(pace: &Pace, after: Duration) {
        pace.lost("a");
        tokio::time::advance(after).await;
        pace.answers("a");
    }

    #[tokio::test(start_paused = true)]
    async fn three_losses_within_a_minute_of_replicas_that_were_there_make_the_node_patient_for_ten() {
        let pace = pace();
        flap(&pace, Duration::from_millis(900)).await;
        flap(&pace, Duration::ZERO).await;
        assert_eq!((pace.pings(), pace.patience()), (USUAL, PATIENCE));
        tokio::time::advance(Duration::from_secs(58)).await;
        flap(&pace, Duration::ZERO).await;
        assert_eq!((pace.pings(), pace.patience()), (RELAXED, RELAXED_PATIENCE));
        tokio::time::advance(RELAX_FOR).await;
        assert_eq!((pace.pings(), pace.patience()), (USUAL, PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn losses_that_lie_apart_do_not() {
        let pace = pace();
        for _ in 0..10 {
            flap(&pace, Duration::ZERO).await;
            tokio::time::advance(Duration::from_secs(31)).await;
        }
        assert!(!pace.is_relaxed());
    }

    #[tokio::test(start_paused = true)]
    async fn losses_of_replicas_that_were_away_do_not_however_many() {
        let pace = pace();
        for _ in 0..10 {
            flap(&pace, SOON).await;
            pace.lost("b");
            pace.answers("a");
        }
        assert!(!pace.is_relaxed());
    }

    #[test]
    fn pauses_are_random_below_a_ceiling_that_doubles_to_ten_seconds() {
        let entropy = Entropy::seeded(3);
        let mut longest = [Duration::ZERO; 12];
        for _ in 0..500 {
            let mut backoff = Backoff::default();
            for slot in &mut longest {
                *slot = backoff.next(&entropy).max(*slot);
            }
        }
        for (n, longest) in longest.into_iter().enumerate() {
            let ceiling = (FIRST * (1 << n)).min(LONGEST);
            assert!(longest <= ceiling && longest > ceiling.mul_f64(0.95), "pause {n}: {longest:?}");
        }
    }
}
