//! The last minute of every provider, by the second.

use cliproxy_domain::{AttemptCounts, LedgerRow, ProviderName, WallTime};
use std::collections::BTreeMap;

/// How many seconds are looked back on.
const SECONDS: usize = 60;
/// How many providers are followed; rows of more are counted in the store alone.
const PROVIDERS: usize = 1_000;

/// The last minute of every provider.
#[derive(Default)]
pub(crate) struct Traffic {
    providers: BTreeMap<ProviderName, Track>,
}

/// What a provider's last minute looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    /// The sums.
    pub(crate) attempts: AttemptCounts,
    /// When it was last called and the call told something of it.
    pub(crate) last_heard: Option<WallTime>,
}

struct Track {
    seconds: [Second; SECONDS],
    last_heard: Option<WallTime>,
}

#[derive(Clone, Copy, Default)]
struct Second {
    /// Seconds since 1970.
    at: i64,
    attempts: AttemptCounts,
}

impl Traffic {
    /// Adds rows whose window ended at `end` by their node's clock. What ended in the future counts as ended
    /// now; what ended more than a minute ago only tells when the provider was last heard of.
    pub(crate) fn fold(&mut self, rows: &[LedgerRow], end: WallTime, now: WallTime) {
        let end = end.min(now);
        for row in rows {
            if let Some(track) = self.track(&row.key.provider, now) {
                track.add(&row.attempts, end, now);
            }
        }
    }

    /// Gives a provider's last minute.
    pub(crate) fn minute(&self, provider: &ProviderName, now: WallTime) -> Minute {
        self.providers.get(provider).map(|track| track.minute(now)).unwrap_or_default()
    }

    fn track(&mut self, provider: &ProviderName, now: WallTime) -> Option<&mut Track> {
        if !self.providers.contains_key(provider) {
            if self.providers.len() >= PROVIDERS {
                self.providers.retain(|_, track| track.minute(now).attempts.attempts() > 0);
            }
            if self.providers.len() >= PROVIDERS {
                return None;
            }
        }
        Some(self.providers.entry(provider.clone()).or_insert_with(Track::new))
    }
}

impl Track {
    fn new() -> Self {
        Self { seconds: [Second::default(); SECONDS], last_heard: None }
    }

    fn add(&mut self, attempts: &AttemptCounts, end: WallTime, now: WallTime) {
        if attempts.were_heard() {
            self.last_heard = self.last_heard.max(Some(end));
        }
        let at = second_of(end);
        if !within(at, now) {
            return;
        }
        // The remainder is less than SECONDS.
        let slot = &mut self.seconds[usize::try_from(at.rem_euclid(SECONDS as i64)).unwrap_or(0)];
        if slot.at != at {
            *slot = Second { at, attempts: AttemptCounts::default() };
        }
        slot.attempts += *attempts;
    }

    fn minute(&self, now: WallTime) -> Minute {
        let mut attempts = AttemptCounts::default();
        for second in self.seconds.iter().filter(|second| within(second.at, now)) {
            attempts += second.attempts;
        }
        Minute { attempts, last_heard: self.last_heard }
    }
}

fn second_of(time: WallTime) -> i64 {
    time.0.div_euclid(1_000)
}

/// Tells whether a second lies within the minute that ends at `now`.
fn within(second: i64, now: WallTime) -> bool {
    let now = second_of(now);
    second <= now && second > now - SECONDS as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{LedgerKey, TokenUsage};

    const NOW: WallTime = WallTime(1_771_541_430_500);

    fn rows(attempts: AttemptCounts) -> Vec<LedgerRow> {
        let key = LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() };
        vec![LedgerRow { key: key.into(), attempts, tokens: TokenUsage::default(), cost_nanos: 0 }]
    }

    fn answered_once() -> Vec<LedgerRow> {
        rows(AttemptCounts { ok: 1, ..Default::default() })
    }

    fn failed_once() -> Vec<LedgerRow> {
        rows(AttemptCounts { err_5xx: 1, ..Default::default() })
    }

    fn seconds(count: u64) -> std::time::Duration {
        std::time::Duration::from_secs(count)
    }

    fn requests(traffic: &Traffic, now: WallTime) -> u64 {
        traffic.minute(&"claude".into(), now).attempts.attempts()
    }

    #[test]
    fn a_minute_holds_sixty_seconds_and_no_more() {
        let mut traffic = Traffic::default();
        for second in 0..180 {
            let now = NOW.plus(seconds(second));
            traffic.fold(&answered_once(), now, now);
            assert_eq!(requests(&traffic, now), (second + 1).min(60));
        }
    }

    #[test]
    fn what_arrives_late_counts_only_as_heard() {
        let mut traffic = Traffic::default();
        let ended = NOW.minus(seconds(600));
        traffic.fold(&answered_once(), ended, NOW);
        let minute = traffic.minute(&"claude".into(), NOW);
        assert_eq!((minute.attempts.attempts(), minute.last_heard), (0, Some(ended)));
    }

    #[test]
    fn a_node_whose_clock_is_ahead_is_counted_now() {
        let mut traffic = Traffic::default();
        traffic.fold(&answered_once(), NOW.plus(seconds(600)), NOW);
        assert_eq!(requests(&traffic, NOW), 1);
        assert_eq!(requests(&traffic, NOW.plus(seconds(61))), 0);
    }

    #[test]
    fn an_older_second_does_not_overwrite_a_newer_one() {
        let mut traffic = Traffic::default();
        traffic.fold(&answered_once(), NOW, NOW);
        // The same place in the ring, one turn earlier.
        traffic.fold(&failed_once(), NOW.minus(seconds(60)), NOW);
        assert_eq!(traffic.minute(&"claude".into(), NOW).attempts.ok, 1);
    }

    #[test]
    fn a_hang_up_is_counted_and_says_nothing_of_the_provider() {
        let heard = |attempts| {
            let mut traffic = Traffic::default();
            traffic.fold(&rows(attempts), NOW, NOW);
            assert_eq!(requests(&traffic, NOW), 1);
            traffic.minute(&"claude".into(), NOW).last_heard
        };
        assert_eq!(heard(AttemptCounts { rate_limited: 1, ..Default::default() }), Some(NOW));
        assert_eq!(heard(AttemptCounts { connect: 1, ..Default::default() }), Some(NOW));
        assert_eq!(heard(AttemptCounts { cancelled: 1, ..Default::default() }), None);
    }

    #[test]
    fn names_that_nobody_configured_do_not_grow_without_bound() {
        let mut traffic = Traffic::default();
        for i in 0..2 * PROVIDERS {
            let mut rows = answered_once();
            rows[0].key.provider = format!("p{i}").into();
            traffic.fold(&rows, NOW, NOW);
        }
        assert_eq!(traffic.providers.len(), PROVIDERS);
        let later = NOW.plus(seconds(90));
        traffic.fold(&answered_once(), later, later);
        assert_eq!(requests(&traffic, later), 1);
    }
}
