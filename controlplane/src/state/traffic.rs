//! The last minute of every provider, by the second.

use cliproxy_domain::{AttemptCounts, LedgerRow, ProviderName, WallTime, status::HealthState};
use cliproxy_store::ledger::{answered, called};
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
    /// Whether it answers: by the last minute, or by the last second in which it was called when that is longer
    /// ago.
    pub(crate) health: HealthState,
    /// When it was last called and the call told something of it.
    pub(crate) last_heard: Option<WallTime>,
}

struct Track {
    seconds: [Second; SECONDS],
    last_heard: Option<WallTime>,
    last_answered: Option<WallTime>,
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
        Self { seconds: [Second::default(); SECONDS], last_heard: None, last_answered: None }
    }

    fn add(&mut self, attempts: &AttemptCounts, end: WallTime, now: WallTime) {
        if called(attempts) {
            self.last_heard = self.last_heard.max(Some(end));
        }
        if answered(attempts) {
            self.last_answered = self.last_answered.max(Some(end));
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
        Minute { attempts, health: self.health(&attempts), last_heard: self.last_heard }
    }

    fn health(&self, last_minute: &AttemptCounts) -> HealthState {
        let answers = if called(last_minute) {
            answered(last_minute)
        } else {
            match (self.last_heard, self.last_answered) {
                (None, _) => return HealthState::Unknown,
                (Some(_), None) => false,
                // Windows of several nodes end a little apart.
                (Some(heard), Some(answered)) => second_of(answered) + 1 >= second_of(heard),
            }
        };
        if answers { HealthState::Healthy } else { HealthState::Unhealthy }
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
