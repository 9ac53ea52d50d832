use super::*;
use cliproxy_domain::LimitSubject;
use cliproxy_host::{Clock as _, SystemClock};

struct Story {
    rate: Arc<Rate>,
    start: Instant,
    req: u64,
}

impl Story {
    fn of(kind: RateKind, on_loss: LossMode) -> Self {
        let start = SystemClock.now();
        let id = RateId { subject: LimitSubject::Client("ci".into()), kind };
        Self { rate: Rate::new(id, 100, on_loss, 20, start), start, req: 0 }
    }

    fn requests() -> Self {
        Self::of(RateKind::RequestsPerMinute, LossMode::Strict)
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    /// Claims and is answered at once.
    fn granted(&mut self, share: u64, millis: u64) -> RateClaim {
        self.req += 1;
        let claim = self.rate.claim(self.req, self.at(millis));
        self.rate.apply(&self.grant(share), self.req);
        claim
    }

    fn grant(&self, share: u64) -> RateGrant {
        let ttl = Duration::from_secs(10);
        RateGrant { id: self.rate.id().clone(), share, ttl, safe_share: 20, limit: 100, recall: false }
    }

    /// Takes one at a time until it is refused. Gives how many.
    fn takes(&self, millis: u64) -> u64 {
        self.takes_as(100, millis)
    }

    fn takes_as(&self, percent: u64, millis: u64) -> u64 {
        (0..1_000).take_while(|_| self.rate.take(1, percent, self.at(millis)).is_ok()).count() as u64
    }
}

#[test]
fn a_share_is_what_may_be_used_within_any_minute() {
    let mut story = Story::requests();
    assert_eq!(story.rate.take(1, 100, story.start).unwrap_err(), Full::Unknown);
    story.granted(10, 0);
    assert_eq!(story.takes(900), 10);
    story.granted(10, 59_000);
    assert_eq!(story.takes(60_500), 0);
    let Full::Share(Some(free_in)) = story.rate.take(1, 100, story.at(60_500)).unwrap_err() else { panic!() };
    assert_eq!(free_in, Duration::from_millis(1_500));
    assert_eq!(story.takes(62_000), 10);
}

#[test]
fn a_class_uses_a_part_of_the_share_and_at_least_one() {
    let mut story = Story::requests();
    story.granted(20, 0);
    assert_eq!(story.takes_as(80, 0), 16);
    assert_eq!(story.takes_as(95, 0), 3);
    assert_eq!(story.takes_as(100, 0), 1);
    assert_eq!(part(1, 80), 1);
    assert_eq!(part(0, 80), 0);
    assert_eq!(part(u64::MAX, 99), u64::MAX / 100 * 99 + 15 * 99 / 100 + 1);
}

#[test]
fn tokens_are_corrected_by_what_they_were() {
    let mut story = Story::of(RateKind::TokensPerMinute, LossMode::Strict);
    story.granted(100, 0);
    let mut first = story.rate.take(80, 100, story.start).unwrap();
    assert!(story.rate.take(30, 100, story.start).is_err());
    first.settle(50, story.at(2_000));
    let mut second = story.rate.take(30, 100, story.at(2_000)).unwrap();
    second.settle(70, story.at(5_000));
    assert_eq!(story.rate.state(story.at(5_000)).used, 120, "it cannot be unused");
    first.undo(story.at(5_000));
    assert_eq!(story.rate.state(story.at(5_000)).used, 70);
    // What came on top came later.
    assert_eq!(story.rate.state(story.at(64_500)).used, 40);
    second.undo(story.at(64_500));
}

#[test]
fn an_open_request_has_its_place_until_it_ends() {
    let mut story = Story::of(RateKind::ConcurrentRequests, LossMode::Strict);
    story.granted(2, 0);
    let first = story.rate.take(1, 100, story.start).unwrap();
    let _second = story.rate.take(1, 100, story.start).unwrap();
    assert_eq!(story.rate.take(1, 100, story.start).unwrap_err(), Full::Share(None));
    drop(first);
    let _third = story.rate.take(1, 100, story.start).unwrap();
    assert_eq!(story.granted(2, 0).demand, 3, "two are open and one was refused");
}

#[test]
fn more_than_the_limit_can_never_be_taken() {
    let mut story = Story::of(RateKind::TokensPerMinute, LossMode::Strict);
    story.granted(100, 0);
    assert_eq!(story.rate.take(101, 100, story.start).unwrap_err(), Full::Never);
}

#[test]
fn a_node_holds_its_share_or_what_it_used_if_that_is_more() {
    let mut story = Story::requests();
    story.granted(50, 0);
    assert_eq!(story.takes(0), 50);
    assert_eq!(story.granted(10, 1_000).held, 50);
    assert!(story.rate.is_due(), "others wait to hear that it has less");
    assert_eq!(story.granted(10, 2_000).held, 50, "what was used cannot be unused");
    story.granted(10, 55_000);
    assert_eq!(story.granted(10, 62_000).held, 10);
}

#[test]
fn only_the_answer_to_the_last_claim_counts() {
    let story = Story::requests();
    story.rate.claim(1, story.start);
    story.rate.claim(2, story.start);
    story.rate.apply(&story.grant(50), 1);
    assert_eq!(story.takes(0), 0);
    story.rate.apply(&story.grant(5), 2);
    assert_eq!(story.takes(0), 5);
}

#[test]
fn a_share_ends_counted_from_when_it_was_asked_for() {
    let story = Story::requests();
    story.rate.claim(1, story.start);
    story.rate.apply(&story.grant(50), 1);
    let _last = story.rate.take(1, 100, story.at(9_999)).unwrap();
    assert_eq!(story.rate.take(1, 100, story.at(10_000)).unwrap_err(), Full::Unknown);
}

#[test]
fn a_node_that_hears_nobody_goes_by_its_safe_share_and_rises_to_it_when_others_know() {
    for (share, at_once) in [(50, 20), (5, 5)] {
        let mut story = Story::of(RateKind::RequestsPerMinute, LossMode::Safe);
        story.granted(share, 0);
        assert_eq!(story.rate.state(story.at(10_000)).share, at_once);
        assert_eq!(story.takes(10_000 + 75_000), 20);
        assert_eq!(story.rate.claim(9, story.at(90_000)).held, 20);
    }
    let mut story = Story::of(RateKind::RequestsPerMinute, LossMode::Optimistic);
    story.granted(5, 0);
    assert_eq!(story.takes(10_000), 1_000);
    let story = Story::of(RateKind::RequestsPerMinute, LossMode::Optimistic);
    story.rate.set_cut_off(true);
    assert_eq!(story.rate.claim(1, story.start).held, 100, "the limit holds again with the answer");
}

#[test]
fn a_share_that_was_never_given_is_waited_for_only_if_there_is_somebody_to_ask() {
    let story = Story::of(RateKind::RequestsPerMinute, LossMode::Safe);
    assert_eq!(story.rate.take(1, 100, story.start).unwrap_err(), Full::Unknown);
    story.rate.set_cut_off(true);
    assert_eq!(story.takes(0), 20);
}

#[test]
fn a_node_that_has_no_control_plane_has_its_share_for_good() {
    let start = SystemClock.now();
    let id = RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute };
    let rate = Rate::alone(id, 30, 10, start);
    let day = start + Duration::from_secs(86_400);
    assert_eq!((0..30).filter(|_| rate.take(1, 100, day).is_ok()).count(), 10);
    assert_eq!(rate.state(day).ends_in, None);
}

#[test]
fn who_is_asked_to_gives_up_what_it_does_not_need() {
    let mut story = Story::requests();
    story.granted(90, 0);
    let _one = story.rate.take(1, 100, story.start).unwrap();
    story.rate.recall(story.at(1_000));
    assert!(story.rate.is_due());
    assert_eq!(story.granted(90, 1_000).held, 12, "one in five seconds is twelve a minute");
}

#[test]
fn a_larger_share_is_asked_for_while_a_request_waits() {
    let mut story = Story::requests();
    story.granted(5, 0);
    assert_eq!(story.takes(0), 5);
    let waits = story.rate.wait(3);
    assert!(story.rate.is_due());
    assert_eq!(story.granted(8, 0).waiting, 3);
    let _three = waits.take(100, story.start).unwrap();
    drop(waits);
    assert_eq!(story.granted(8, 0).waiting, 0);
}

#[test]
fn the_provider_s_word_on_what_is_left_bounds_what_is_used() {
    let mut story = Story::requests();
    story.granted(50, 0);
    assert_eq!(story.takes_as(20, 0), 10);
    let resets_in = Duration::from_secs(20);
    let said = UpstreamLimit { limit: 80, remaining: 8, resets_in, age: Duration::ZERO };
    story.rate.told(said, story.at(1_000));
    assert_eq!(story.takes(1_000), 4, "half the limit is this node's, and so is half of what is left");
    let claim = story.granted(50, 4_000);
    let aged = UpstreamLimit { resets_in: Duration::from_secs(17), age: Duration::from_secs(3), ..said };
    assert_eq!(claim.upstream, Some(aged));
    story.granted(50, 15_000);
    assert_eq!(story.takes(21_000), 36, "the provider's window is full again");
}

#[test]
fn a_rate_of_which_the_provider_says_that_nothing_is_left_rests_until_it_is_full_again() {
    let mut story = Story::requests();
    story.granted(50, 0);
    assert_eq!(story.takes_as(20, 0), 10);
    let resets_in = Duration::from_secs(100);
    let said = UpstreamLimit { limit: 80, remaining: 0, resets_in, age: Duration::ZERO };
    story.rate.told(said, story.at(1_000));
    // Of what was used nothing is of the last minute any more.
    story.granted(50, 90_000);
    let wait = Duration::from_secs(11);
    assert_eq!(story.rate.take(1, 100, story.at(90_000)).unwrap_err(), Full::Share(Some(wait)));
    story.granted(50, 101_000);
    assert_eq!(story.takes(101_000), 50);
}

#[test]
fn a_refusal_by_the_provider_slows_down_for_a_while() {
    let mut story = Story::requests();
    story.granted(50, 0);
    story.rate.throttled(story.start);
    assert_eq!(story.rate.state(story.start).share, 35);
    story.rate.throttled(story.start);
    assert_eq!(story.rate.state(story.start).share, 24);
    assert_eq!(story.rate.state(story.at(5_000)).share, 29);
    for _ in 0..20 {
        story.rate.throttled(story.at(5_000));
    }
    assert_eq!(
        story.rate.state(story.at(5_000)).share,
        2,
        "it is found out whether the provider answers again"
    );
    story.granted(50, 60_000);
    assert_eq!(story.rate.state(story.at(60_000)).share, 50);
}

#[test]
fn threads_never_take_more_than_the_share() {
    let mut story = Story::requests();
    story.granted(77, 0);
    let taken: usize = std::thread::scope(|scope| {
        let take = || (0..500_u64).filter(|step| story.rate.take(1, 100, story.at(*step)).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 77);
}

#[test]
fn a_node_without_a_share_goes_on_by_what_it_does_without_one_whatever_the_provider_has_left() {
    for (on_loss, may_take) in [(LossMode::Safe, 20), (LossMode::Optimistic, 1_001)] {
        let story = Story::of(RateKind::RequestsPerMinute, on_loss);
        story.rate.set_cut_off(true);
        let _taken = story.rate.take(1, 100, story.start).unwrap();
        let left = UpstreamLimit {
            limit: 100_000,
            remaining: 99_999,
            resets_in: Duration::from_secs(60),
            age: Duration::ZERO,
        };
        story.rate.told(left, story.start);
        assert!(story.rate.state(story.start).share <= 100, "no more than all of it is shown");
        assert_eq!(story.takes(10) + 1, may_take, "{on_loss:?}");
    }
}

#[test]
fn what_a_class_may_never_use_of_the_limit_is_told_as_never() {
    let mut story = Story::of(RateKind::TokensPerMinute, LossMode::Strict);
    story.granted(100, 0);
    assert_eq!(story.rate.take(81, 80, story.start).unwrap_err(), Full::Never);
    assert!(story.rate.take(80, 80, story.start).is_ok());
}
