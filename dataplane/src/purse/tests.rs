use super::*;
use cliproxy_domain::{LimitSubject, QuotaUnit};
use cliproxy_host::{Clock as _, MemoryDisk, SystemClock};

const FIRST: Incarnation = Incarnation(1);
const TODAY: WallTime = WallTime(1_771_541_400_000);
const TOMORROW: WallTime = WallTime(1_771_541_400_000 + 86_400_000);
const DAY: Duration = Duration::from_secs(86_400);

fn id() -> BudgetId {
    BudgetId { subject: LimitSubject::Provider("claude".into()), unit: QuotaUnit::Tokens }
}

struct Story {
    purse: Arc<Purse>,
    start: Instant,
}

impl Story {
    fn begins() -> Self {
        Self::with(Journal::none())
    }

    fn with(journal: Arc<Journal>) -> Self {
        let start = SystemClock.now();
        Self { purse: Purse::new(id(), FIRST, journal, start), start }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn granted(&self, period: WallTime, granted: u64) {
        self.purse.apply(&grant(period, granted), self.start);
    }

    fn claim(&self, seconds: u64) -> BudgetClaim {
        self.purse.claims(self.at(seconds)).pop().unwrap()
    }

    fn balance(&self) -> i64 {
        self.purse.state(self.start).unwrap().balance
    }
}

fn grant(period: WallTime, granted: u64) -> BudgetGrant {
    BudgetGrant {
        id: id(),
        period,
        ends_in: DAY,
        granted,
        limit: 1_000,
        used: 0,
        leased: granted,
        recall: false,
    }
}

#[test]
fn what_is_reserved_and_not_used_can_be_reserved_again() {
    let story = Story::begins();
    assert_eq!(story.purse.reserve(1, story.start).unwrap_err(), Short::Unknown);
    story.granted(TODAY, 100);
    let first = story.purse.reserve(70, story.start).unwrap();
    assert_eq!(story.purse.reserve(31, story.start).unwrap_err(), Short::Lacking);
    first.settle(20);
    let _second = story.purse.reserve(80, story.start).unwrap();
    assert_eq!((story.balance(), story.claim(0).spent), (0, 20));
}

#[test]
fn a_grant_that_is_repeated_or_late_adds_nothing() {
    let story = Story::begins();
    for granted in [100, 300, 300, 100, 200] {
        story.granted(TODAY, granted);
    }
    assert_eq!(story.balance(), 300);
}

#[test]
fn a_client_that_hangs_up_has_used_what_was_metered() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    let mut reservation = story.purse.reserve(70, story.start).unwrap();
    reservation.meter(15);
    drop(reservation);
    drop(story.purse.reserve(50, story.start).unwrap());
    assert_eq!((story.claim(0).spent, story.balance()), (15, 85));
}

#[test]
fn an_answer_that_outgrows_its_reservation_tops_up_or_overdraws() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    let mut reservation = story.purse.reserve(70, story.start).unwrap();
    assert!(reservation.top_up(30, story.start));
    assert!(!reservation.top_up(1, story.start), "there is no more");
    reservation.settle(130);
    let claim = story.claim(0);
    assert_eq!((claim.granted, claim.spent, story.balance()), (100, 130, -30));

    // Who waits for 10 has 30 to even out first.
    let _waits = story.purse.wait(10);
    assert_eq!(story.claim(0).least, 40);
}

#[test]
fn who_waits_says_what_is_the_least_and_what_would_do_for_all() {
    let story = Story::begins();
    story.granted(TODAY, 50);
    assert!(story.purse.reserve(60, story.start).is_err());
    let waits = [story.purse.wait(90), story.purse.wait(60)];
    assert!(story.purse.is_due());
    let claim = story.claim(0);
    assert_eq!((claim.least, claim.want), (10, 100));

    story.granted(TODAY, 150);
    let got = waits.iter().map(|waits| waits.reserve(story.start));
    assert_eq!(got.filter(Result::is_ok).count(), 2);
    drop(waits);
    assert_eq!(story.claim(0).least, 0);
}

#[test]
fn what_nobody_asks_for_goes_back_after_some_seconds() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    story.purse.reserve(30, story.at(10)).unwrap().settle(30);
    let claim = story.claim(14);
    assert_eq!((claim.returned, claim.want), (0, 0), "30 came lately, and 70 are there");
    assert_eq!(story.claim(16).returned, 40);
    assert_eq!(story.balance(), 30, "the next request finds what the last one took");
}

#[test]
fn an_idle_purse_keeps_enough_for_a_request_and_not_for_what_an_answer_took_in_addition() {
    let story = Story::begins();
    story.granted(TODAY, 1_000);
    let mut long = story.purse.reserve(300, story.start).unwrap();
    assert!(long.top_up(10, story.start));
    long.settle(310);
    story.claim(30);
    assert_eq!(story.balance(), 300);
}

#[test]
fn what_an_idle_purse_keeps_goes_back_when_others_wait_for_it() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    drop(story.purse.reserve(30, story.start).unwrap());
    assert_eq!(story.claim(6).returned, 70);
    story.purse.recalled(&BudgetGrant { recall: true, ..grant(TODAY, 100) });
    assert_eq!((story.claim(6).returned, story.balance()), (100, 0));
    assert_eq!(story.claim(7).want, 0, "and is not asked for again before somebody needs it");
}

#[test]
fn what_others_wait_for_goes_back_at_once_but_for_what_waits_here_and_can_be_served() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    drop(story.purse.reserve(30, story.start).unwrap());
    let recall = BudgetGrant { recall: true, ..grant(TODAY, 100) };
    {
        let _waits = story.purse.wait(40);
        story.purse.recalled(&recall);
        assert!(story.purse.is_due());
        assert_eq!(story.claim(0).returned, 60);
    }
    let _waits = story.purse.wait(41);
    story.purse.recalled(&recall);
    let claim = story.claim(0);
    assert_eq!((claim.returned, claim.least), (100, 41), "what is too little for anybody here goes back too");
}

#[test]
fn a_period_ends_by_the_time_that_passes_and_is_settled_in_itself() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    let open = story.purse.reserve(40, story.start).unwrap();
    let over = story.start + DAY;
    assert_eq!(story.purse.reserve(1, over).unwrap_err(), Short::Unknown);

    story.purse.apply(&grant(TOMORROW, 50), over);
    let claims = story.purse.claims(over);
    assert_eq!((claims[0].period, claims[0].closing), (Some(TODAY), false), "a request is open");
    assert_eq!((claims[1].period, claims[1].granted), (Some(TOMORROW), 50));

    open.settle(25);
    assert!(story.purse.is_due());
    let claims = story.purse.claims(over);
    assert_eq!((claims[0].spent, claims[0].returned, claims[0].closing), (25, 75, true));
    assert_eq!(claims[1].spent, 0);
    story.purse.heard(&claims[0]);
    assert_eq!(story.purse.claims(over).len(), 1);
}

#[test]
fn a_period_that_the_control_plane_says_still_runs_goes_on() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    let over = story.start + DAY;
    assert!(story.purse.reserve(1, over).is_err());
    story.purse.apply(&grant(TODAY, 100), over);
    assert!(story.purse.reserve(1, over).is_ok());
}

#[test]
fn nothing_is_reserved_of_a_period_after_it_was_closed() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    let mut open = story.purse.reserve(10, story.start).unwrap();
    story.purse.apply(&grant(TOMORROW, 0), story.at(1));
    assert!(!open.top_up(1, story.start));
    story.granted(TODAY, 900);
    assert!(story.purse.reserve(1, story.start).is_err(), "a late grant of the old period gives nothing");
}

#[test]
fn a_period_that_began_earlier_counts_once_it_is_the_last_word() {
    let story = Story::begins();
    story.purse.apply(&grant(TOMORROW, 100), story.at(1));
    // A quota by the day was made one by the month.
    story.purse.apply(&grant(TODAY, 70), story.at(2));
    assert_eq!(story.balance(), 70);
    story.purse.apply(&grant(TOMORROW, 200), story.at(1));
    assert_eq!(story.balance(), 70, "a late word");
}

#[test]
fn a_word_that_nobody_asked_for_moves_no_end_and_begins_no_period() {
    let story = Story::begins();
    let recall = |period| BudgetGrant { recall: true, ends_in: 2 * DAY, ..grant(period, 200) };
    story.purse.recalled(&recall(TODAY));
    assert_eq!(story.purse.state(story.start), None);
    story.granted(TODAY, 100);
    let ends_in = || story.purse.state(story.start).unwrap().ends_in;
    let before = ends_in();
    story.purse.recalled(&recall(TODAY));
    assert_eq!((ends_in(), story.balance()), (before, 200), "what was given it says with certainty");
    story.purse.recalled(&recall(TOMORROW));
    assert_eq!(story.purse.state(story.start).unwrap().period, TODAY);
}

#[test]
fn a_period_that_runs_again_goes_on_with_its_sums() {
    for heard in [false, true] {
        let story = Story::begins();
        story.granted(TODAY, 100);
        story.purse.reserve(60, story.start).unwrap().settle(60);
        story.purse.apply(&grant(TOMORROW, 10), story.at(1));
        let closing = story.purse.claims(story.at(1)).remove(0);
        assert!(closing.closing);
        if heard {
            story.purse.heard(&closing);
        }
        story.purse.apply(&grant(TODAY, 100), story.at(2));
        assert_eq!(story.balance(), 0, "what was spent stays spent, and the rest went back");
        let claim = story.claim(2);
        assert_eq!((claim.period, claim.spent, claim.returned), (Some(TODAY), 60, 40));
        assert!(!claim.closing);
        story.purse.apply(&grant(TODAY, 125), story.at(3));
        assert_eq!(story.balance(), 25);
    }
}

#[test]
fn all_spent_is_told_from_not_enough_here() {
    let story = Story::begins();
    story.purse.apply(&BudgetGrant { used: 1_000, leased: 0, ..grant(TODAY, 0) }, story.start);
    let refused = story.purse.reserve(1, story.at(60)).unwrap_err();
    assert!(matches!(refused, Short::UsedUp(left) if left > DAY * 9 / 10 && left < DAY));
    story.purse.apply(&BudgetGrant { used: 900, leased: 100, ..grant(TODAY, 0) }, story.at(61));
    assert_eq!(story.purse.reserve(1, story.at(62)).unwrap_err(), Short::Lacking);
    assert_eq!(story.purse.reserve(101, story.at(62)).unwrap_err(), Short::TooLittle(100));
}

#[test]
fn what_is_served_without_the_limit_is_booked_as_an_overdraft() {
    let story = Story::begins();
    story.granted(TODAY, 100);
    // Each after the last is settled: the balance is below zero from the second on.
    (0..3).for_each(|_| story.purse.count(story.start).settle(70));
    let claim = story.claim(0);
    assert_eq!((claim.granted, claim.spent, story.balance()), (100, 210, -110));
    drop(story.purse.count(story.start));
    assert_eq!(story.claim(0).spent, 210, "what was never sent costs nothing");
}

#[test]
fn what_is_served_before_a_period_is_known_is_booked_in_the_next_that_is() {
    let story = Story::begins();
    story.purse.count(story.start).settle(70);
    let open = story.purse.count(story.start);
    assert_eq!((story.claim(0).period, story.claim(0).spent), (None, 0));
    story.granted(TODAY, 100);
    assert_eq!(story.balance(), 30, "before anything can be reserved");
    assert_eq!(story.claim(0).spent, 70);
    open.settle(20);
    assert_eq!(story.claim(1).spent, 90);

    let over = story.start + DAY;
    story.purse.count(over).settle(5);
    assert_eq!(story.purse.claims(over).pop().unwrap().spent, 90, "that period is over");
    story.purse.apply(&grant(TOMORROW, 50), over);
    let claims = story.purse.claims(over);
    assert_eq!((claims[0].spent, claims[1].period, claims[1].spent), (90, Some(TOMORROW), 5));
}

#[test]
fn a_killed_process_leaves_word_of_what_it_may_have_spent_at_most() {
    let disk = Arc::new(MemoryDisk::default());
    let story = Story::with(Journal::open(disk.clone(), FIRST).journal);
    story.granted(TODAY, 1_600);
    story.purse.reserve(100, story.start).unwrap().settle(80);
    let open = story.purse.reserve(300, story.start).unwrap();
    std::mem::forget(open);

    let left = Journal::open(disk.clone(), Incarnation(2)).left;
    let claims = left.claims();
    let claim = &claims[1];
    assert_eq!((claim.holder, claim.period, claim.closing), (FIRST, Some(TODAY), true));
    assert!((380..=380 + 100).contains(&claim.spent), "{} of 380", claim.spent);
    claims.iter().for_each(|claim| left.heard(claim));
    assert!(left.is_empty());
    assert!(Journal::open(disk, Incarnation(3)).left.is_empty());
}

#[test]
fn the_ceiling_comes_down_with_what_is_given_back() {
    let disk = Arc::new(MemoryDisk::default());
    let story = Story::with(Journal::open(disk.clone(), FIRST).journal);
    story.granted(TODAY, 1_600);
    story.purse.reserve(1_000, story.start).unwrap().settle(1);
    story.purse.reserve(10, story.start).unwrap().settle(0);
    story.claim(60);
    assert_eq!(Journal::open(disk, Incarnation(2)).left.claims()[1].spent, 1);
}

#[test]
fn the_ceiling_comes_down_as_soon_as_an_answer_took_far_less_than_was_reserved() {
    let disk = Arc::new(MemoryDisk::default());
    let story = Story::with(Journal::open(disk.clone(), FIRST).journal);
    story.granted(TODAY, 1_600);
    for _ in 0..10 {
        story.purse.reserve(1_000, story.start).unwrap().settle(1);
    }
    let left = Journal::open(disk, Incarnation(2)).left.claims()[1].spent;
    assert!((10..10 + 200).contains(&left), "{left} of 10, which is not told by a claim");
}

#[test]
fn a_ceiling_that_cannot_be_raised_is_taken_away_rather_than_found_too_low() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = Journal::open(disk.clone(), FIRST).journal;
    disk.fill(true);
    let story = Story::with(Arc::clone(&journal));
    story.granted(TODAY, 1_600);
    let _goes_on = story.purse.reserve(100, story.start).unwrap();
    disk.fill(false);
    assert!(Journal::open(disk, Incarnation(2)).left.is_empty(), "it is out until somebody takes it back");
}

#[test]
fn threads_never_reserve_more_than_there_is() {
    let disk = Arc::new(MemoryDisk::default());
    let story = Story::with(Journal::open(disk.clone(), FIRST).journal);
    story.granted(TODAY, 100_000);
    let got: u64 = std::thread::scope(|scope| {
        let reserve = || {
            let all = (0..2_000).filter_map(|_| story.purse.reserve(30, story.start).ok());
            all.map(|reservation| {
                let spent = reservation.reserved() - 1;
                reservation.settle(spent);
                spent
            })
            .sum::<u64>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(reserve)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let claim = story.claim(0);
    assert_eq!(claim.spent, got);
    assert!(got <= 100_000 && got + 60 > 100_000, "{got}");
    assert!(Journal::open(disk, Incarnation(2)).left.claims()[1].spent >= got);
}
