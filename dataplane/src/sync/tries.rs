//! Which control plane is tried when. Each place waits for itself: what happened at one keeps the node from no other.

use super::{connect::SessionError, pace::Backoff};
use cliproxy_host::Entropy;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// A session that ended by somebody's word was healthy when it lasted so long: what failed before is forgotten.
const HEALTHY: Duration = Duration::from_secs(10);
/// The same of one whose connection was lost: nobody wanted the node gone, and another such loss takes as long again.
const STOOD: Duration = Duration::from_secs(1);

/// What happened at each place lately.
#[derive(Default)]
pub(super) struct Tries {
    by_place: BTreeMap<String, Tried>,
    /// Where the last session was. It is tried after all others.
    left: Option<String>,
}

struct Tried {
    /// Sessions that were lost before they were healthy, and tries in vain.
    failures: u32,
    backoff: Backoff,
    not_before: Instant,
    outcome: Outcome,
}

/// How the last try of a place ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nobody answered there.
    InVain,
    /// Whoever is there asked the node to come later.
    PutOff,
    /// The node was welcome, and the session ended.
    Lost,
}

impl Tries {
    /// Gives which of `places` is to be tried next, and when; those in `trying` are being tried. None when all are.
    pub(super) fn next(
        &mut self,
        places: &[String],
        trying: &BTreeSet<String>,
        now: Instant,
    ) -> Option<(String, Instant)> {
        self.by_place.retain(|place, _| places.contains(place));
        let is_left = |place: &&String| self.left.as_ref() == Some(*place);
        let in_order = places.iter().filter(|place| !is_left(place)).chain(places.iter().filter(is_left));
        let waits = in_order.filter(|place| !trying.contains(*place)).map(|place| {
            let not_before = self.by_place.get(place).map_or(now, |tried| tried.not_before);
            (place, not_before.max(now))
        });
        // Of those that are due at the same time the first.
        let (place, at) = waits.min_by_key(|(_, at)| *at)?;
        Some((place.clone(), at))
    }

    /// Notes that a place was tried in vain: it waits.
    pub(super) fn failed(&mut self, place: &str, error: &SessionError, entropy: &Entropy, now: Instant) {
        let tried = self.by_place.entry(place.to_owned()).or_insert_with(|| Tried::new(now));
        tried.failures = tried.failures.saturating_add(1);
        (tried.outcome, tried.not_before) = match error {
            SessionError::Later { after, .. } => (Outcome::PutOff, now + *after),
            _ => (Outcome::InVain, now + tried.backoff.next(entropy)),
        };
    }

    /// Notes that a session was lost that had lasted for `lived`. Where nobody answered before is tried once more now,
    /// however long it was to wait: where the node was, it is no more.
    pub(super) fn lost(
        &mut self,
        place: &str,
        error: &SessionError,
        lived: Duration,
        entropy: &Entropy,
        now: Instant,
    ) {
        for tried in self.by_place.values_mut().filter(|tried| tried.outcome == Outcome::InVain) {
            tried.not_before = tried.not_before.min(now);
        }
        let enough = if error.is_of_the_connection() { STOOD } else { HEALTHY };
        let tried = self.by_place.entry(place.to_owned()).or_insert_with(|| Tried::new(now));
        if lived >= enough {
            (tried.failures, tried.backoff) = (0, Backoff::default());
        }
        tried.failures = tried.failures.saturating_add(1);
        tried.outcome = Outcome::Lost;
        tried.not_before = match error {
            SessionError::Later { after, .. } => now + *after,
            _ if tried.failures == 1 => now,
            _ => now + tried.backoff.next(entropy),
        };
        self.left = Some(place.to_owned());
    }
}

impl Tried {
    fn new(now: Instant) -> Self {
        Self { failures: 0, backoff: Backoff::default(), not_before: now, outcome: Outcome::Lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock, SystemClock};

    const SECOND: Duration = Duration::from_secs(1);

    fn broken() -> SessionError {
        SessionError::Broken("reset".to_owned())
    }

    fn refused() -> SessionError {
        SessionError::Connect("refused".to_owned())
    }

    fn told_off() -> SessionError {
        SessionError::Status("the node does not keep up".to_owned())
    }

    /// Tries of three places, and the draws.
    struct Story {
        tries: Tries,
        places: Vec<String>,
        entropy: Entropy,
        now: Instant,
    }

    impl Story {
        fn new(places: &[&str]) -> Self {
            let places = places.iter().map(|place| (*place).to_owned()).collect();
            Self { tries: Tries::default(), places, entropy: Entropy::seeded(5), now: SystemClock.now() }
        }

        fn lost(&mut self, place: &str, error: &SessionError, lived: Duration) {
            self.tries.lost(place, error, lived, &self.entropy, self.now);
        }

        fn failed(&mut self, place: &str, error: &SessionError) {
            self.tries.failed(place, error, &self.entropy, self.now);
        }

        /// Gives what is tried next while some are being tried, and in what time.
        fn next(&mut self, trying: &[&str]) -> Option<(String, Duration)> {
            let trying = trying.iter().map(|place| (*place).to_owned()).collect();
            let next = self.tries.next(&self.places, &trying, self.now);
            next.map(|(place, at)| (place, at - self.now))
        }

        fn is_next(&mut self, trying: &[&str], place: &str) {
            assert_eq!(self.next(trying), Some((place.to_owned(), Duration::ZERO)));
        }
    }

    #[test]
    fn places_are_tried_in_their_order_and_where_the_node_was_last_of_all() {
        let mut story = Story::new(&["a", "b", "c"]);
        story.is_next(&[], "a");
        story.lost("a", &broken(), 60 * SECOND);
        story.is_next(&[], "b");
        story.is_next(&["b"], "c");
        story.is_next(&["b", "c"], "a");
        assert_eq!(story.next(&["a", "b", "c"]), None);
    }

    #[test]
    fn however_often_replicas_are_lost_the_next_is_tried_at_once() {
        let mut story = Story::new(&["a", "b"]);
        for _ in 0..20 {
            for (lost, other) in [("a", "b"), ("b", "a")] {
                story.now += 2 * SECOND;
                story.lost(lost, &broken(), 2 * SECOND);
                story.is_next(&[], other);
            }
        }
    }

    #[test]
    fn whoever_does_not_answer_waits_ever_longer_and_keeps_the_node_from_no_other() {
        let mut story = Story::new(&["a", "b"]);
        let mut longest = Duration::ZERO;
        for _ in 0..30 {
            story.failed("a", &refused());
            story.is_next(&[], "b");
            let (place, wait) = story.next(&["b"]).unwrap();
            assert_eq!(place, "a");
            longest = longest.max(wait);
            story.now += wait;
        }
        assert!((5 * SECOND..=10 * SECOND).contains(&longest), "{longest:?}");
    }

    #[test]
    fn when_a_session_is_lost_whoever_did_not_answer_before_is_tried_once_more() {
        let mut story = Story::new(&["a", "b", "c"]);
        (0..9).for_each(|_| story.failed("b", &refused()));
        story.failed("c", &SessionError::Later { after: 5 * SECOND, said: String::new() });
        story.lost("a", &broken(), SECOND);
        story.is_next(&[], "b");
        story.failed("b", &refused());
        story.is_next(&[], "a");
        assert_eq!(story.next(&["a", "b"]), Some(("c".to_owned(), 5 * SECOND)), "it asked for it");
    }

    #[test]
    fn replicas_that_welcome_the_node_and_send_it_away_are_not_asked_for_ever() {
        let mut story = Story::new(&["a", "b"]);
        let (begun, mut sessions) = (story.now, 0);
        while story.now - begun < 60 * SECOND {
            let (place, wait) = story.next(&[]).unwrap();
            story.now += wait;
            story.lost(&place, &told_off(), Duration::ZERO);
            sessions += 1;
        }
        assert!((10..60).contains(&sessions), "{sessions} in a minute");
    }

    #[test]
    fn a_place_that_is_no_more_is_forgotten() {
        let mut story = Story::new(&["a", "b"]);
        story.failed("a", &refused());
        story.places.remove(0);
        story.next(&[]);
        assert!(story.tries.by_place.is_empty());
    }
}
