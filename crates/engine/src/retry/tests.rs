use super::*;
use cliproxy_domain::TimeoutPhase;
use proptest::prelude::*;

const STANDING: Standing = Standing {
    attempts: 1,
    max_attempts: 3,
    choices_left: true,
    time_left: Duration::from_secs(60),
    draw: 0.5,
    written: false,
};
const ALONE: Standing = Standing { choices_left: false, ..STANDING };

fn limited(hint: Option<Duration>) -> Failure {
    Failure::RateLimited { retry_after: hint }
}

fn spent(hint: Option<Duration>) -> Failure {
    Failure::LimitSpent { retry_after: hint }
}

fn overloaded(hint: Option<Duration>) -> Failure {
    Failure::Overloaded { retry_after: hint }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn another_choice_comes_before_the_same_again() {
    let written = Standing { written: true, ..STANDING };
    let cases = [
        (Failure::Upstream, STANDING, Verdict::NextChoice),
        (limited(None), STANDING, Verdict::NextChoice),
        (limited(Some(ms(1))), STANDING, Verdict::NextChoice),
        (overloaded(Some(ms(3_600_000))), STANDING, Verdict::NextChoice),
        (Failure::CredentialRejected, STANDING, Verdict::NextChoice),
        (Failure::ContextLength, STANDING, Verdict::NextChoice),
        (Failure::InvalidRequest, written, Verdict::NextChoice),
    ];
    check(&cases);
}

#[test]
fn a_wait_that_the_client_can_be_made_to_wait_is_obeyed_to_the_end_where_nothing_else_is_left() {
    let two = Some(ms(2_000));
    let cases = [
        (limited(Some(ms(700))), ALONE, Verdict::SameAfter(ms(800))),
        (spent(Some(ms(700))), ALONE, Verdict::SameAfter(ms(800))),
        (overloaded(Some(ms(700))), ALONE, Verdict::SameAfter(ms(800))),
        (limited(two), ALONE, Verdict::SameAfter(ms(2_100))),
        (limited(two), Standing { draw: 0.0, ..ALONE }, Verdict::SameAfter(ms(2_000))),
        (limited(Some(ms(2_001))), ALONE, Verdict::GiveUp(Why::HintTooLong)),
        (limited(Some(Duration::MAX)), ALONE, Verdict::GiveUp(Why::HintTooLong)),
        (limited(two), Standing { time_left: ms(2_100), ..ALONE }, Verdict::GiveUp(Why::Deadline)),
        (limited(two), Standing { time_left: ms(2_101), ..ALONE }, Verdict::SameAfter(ms(2_100))),
    ];
    check(&cases);
}

#[test]
fn what_may_pass_by_itself_is_tried_again_after_a_pause_and_a_rate_limit_without_a_wait_is_not() {
    let half = Verdict::SameAfter(ms(100));
    let no_choice = Verdict::GiveUp(Why::NoChoiceLeft);
    let cases = [
        (Failure::Upstream, ALONE, half),
        (Failure::StreamBroken, ALONE, half),
        (overloaded(None), ALONE, half),
        (Failure::Timeout(TimeoutPhase::Connect), ALONE, half),
        (Failure::Timeout(TimeoutPhase::FirstByte), ALONE, no_choice),
        (limited(None), ALONE, no_choice),
        (spent(None), ALONE, no_choice),
        (Failure::CredentialRejected, ALONE, no_choice),
        (Failure::Billing, ALONE, no_choice),
        (Failure::InvalidRequest, Standing { written: true, ..ALONE }, no_choice),
        (Failure::Upstream, Standing { time_left: ms(100), ..ALONE }, Verdict::GiveUp(Why::Deadline)),
    ];
    check(&cases);
}

#[test]
fn giving_up_says_why() {
    let cases = [
        (Failure::InvalidRequest, STANDING, Verdict::GiveUp(Why::NotRetryable)),
        (Failure::ClientGone, STANDING, Verdict::GiveUp(Why::NotRetryable)),
        (Failure::Upstream, Standing { attempts: 3, ..STANDING }, Verdict::GiveUp(Why::AttemptsSpent)),
        (
            Failure::Upstream,
            Standing { time_left: Duration::ZERO, ..STANDING },
            Verdict::GiveUp(Why::Deadline),
        ),
        (Failure::Upstream, Standing { max_attempts: 0, ..STANDING }, Verdict::GiveUp(Why::AttemptsSpent)),
    ];
    check(&cases);
    let words: std::collections::BTreeSet<&str> = Why::ALL.map(Why::as_str).into();
    assert_eq!(words.len(), Why::ALL.len());
}

#[test]
fn the_newest_hint_replaces_the_one_before_it() {
    let second = Standing { attempts: 2, draw: 0.0, ..ALONE };
    assert_eq!(
        after_failure(limited(Some(ms(1_900))), Standing { attempts: 1, ..second }),
        Verdict::SameAfter(ms(1_900))
    );
    assert_eq!(after_failure(limited(Some(ms(50))), second), Verdict::SameAfter(ms(50)));
    assert_eq!(after_failure(limited(Some(ms(9_000))), second), Verdict::GiveUp(Why::HintTooLong));
    assert_eq!(after_failure(limited(None), second), Verdict::GiveUp(Why::NoChoiceLeft));
}

#[test]
fn the_budget_is_asked_only_for_another_attempt() {
    let spent = Verdict::GiveUp(Why::BudgetSpent);
    assert_eq!(Verdict::NextChoice.within(|| true), Verdict::NextChoice);
    assert_eq!(Verdict::NextChoice.within(|| false), spent);
    assert_eq!(Verdict::SameAfter(ms(1)).within(|| false), spent);
    let kept = Verdict::GiveUp(Why::Deadline);
    assert_eq!(kept.within(|| panic!("nothing is taken for a request that is given up")), kept);
}

#[test]
fn pauses_double_up_to_two_seconds_and_never_pass_them() {
    let ceilings: Vec<_> = (1..=6).map(|n| backoff(n, 1.0).as_millis()).collect();
    assert_eq!(ceilings, [200, 400, 800, 1600, 2000, 2000]);
    assert_eq!(backoff(u32::MAX, 0.0), Duration::ZERO);
}

fn check(cases: &[(Failure, Standing, Verdict)]) {
    for (failure, standing, expected) in cases {
        assert_eq!(after_failure(*failure, *standing), *expected, "{failure:?} with {standing:?}");
    }
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let hint = || proptest::option::of((0_u64..10_000).prop_map(ms));
    prop_oneof![
        hint().prop_map(limited),
        hint().prop_map(spent),
        hint().prop_map(overloaded),
        proptest::sample::select(vec![
            Failure::InvalidRequest,
            Failure::ContextLength,
            Failure::CredentialRejected,
            Failure::Billing,
            Failure::Upstream,
            Failure::Timeout(TimeoutPhase::Idle),
            Failure::Timeout(TimeoutPhase::Deadline),
            Failure::ConnectFailed,
            Failure::MalformedReply,
            Failure::ClientGone,
        ]),
    ]
}

proptest! {
    #[test]
    fn no_pause_is_shorter_than_the_hint_or_longer_than_what_is_left(
        failure in any_failure(), attempts in 0_u32..5, max_attempts in 0_u32..5, choices_left: bool,
        left in 0_u64..5_000, draw in 0.0..1.0_f64, written: bool,
    ) {
        let standing = Standing { attempts, max_attempts, choices_left, time_left: ms(left), draw, written };
        match after_failure(failure, standing) {
            Verdict::SameAfter(pause) => {
                prop_assert!(!choices_left && attempts < max_attempts);
                prop_assert!(pause < ms(left) && pause <= LONGEST_PAUSE + FIRST_PAUSE);
                prop_assert!(failure.retry_after().is_none_or(|hint| pause >= hint));
            }
            Verdict::NextChoice => prop_assert!(choices_left && attempts < max_attempts && left > 0),
            Verdict::GiveUp(why) => prop_assert_ne!(why, Why::BudgetSpent),
        }
    }
}
