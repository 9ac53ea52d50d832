use super::*;
use proptest::prelude::*;

const T0: WallTime = WallTime(1_771_541_400_000);
const DOWN: HealthState = HealthState::Unhealthy;

fn policy() -> HealingPolicy {
    HealingPolicy { enabled: true, ..HealingPolicy::default() }
}

fn at(seconds: u64) -> WallTime {
    T0.plus(Duration::from_secs(seconds))
}

/// Asks every second, as whoever heals does, and gives the steps with their seconds.
fn steps(policy: &HealingPolicy, state: HealthState, seconds: u64) -> Vec<(u64, Step)> {
    let mut round = Round::default();
    (0..seconds)
        .filter_map(|second| round.next(policy, state, at(second)).map(|step| (second, step)))
        .collect()
}

#[test]
fn recoveries_come_at_once_then_with_pauses_that_double_and_the_next_round_at_the_next_check() {
    let recover = |attempt| Step::Recover { attempt };
    let expected = [
        (0, recover(1)),
        (30, recover(2)),
        (90, recover(3)),
        (120, Step::GiveUp),
        (180, recover(1)),
        (210, recover(2)),
        (270, recover(3)),
        (300, Step::GiveUp),
    ];
    assert_eq!(steps(&policy(), DOWN, 360), expected);
    assert_eq!(steps(&policy(), HealthState::Failed, 360), expected);
}

#[test]
fn one_attempt_is_a_round_as_well() {
    for max_attempts in [0, 1] {
        let policy = HealingPolicy { max_attempts, ..policy() };
        let expected =
            [(0, Step::Recover { attempt: 1 }), (30, Step::GiveUp), (60, Step::Recover { attempt: 1 })];
        assert_eq!(steps(&policy, DOWN, 90), expected);
    }
}

#[test]
fn nothing_is_done_for_what_is_not_down_or_where_healing_is_off() {
    for state in [HealthState::Unknown, HealthState::Healthy] {
        assert_eq!(steps(&policy(), state, 300), []);
    }
    assert_eq!(steps(&HealingPolicy { enabled: false, ..policy() }, DOWN, 300), []);
}

#[test]
fn a_provider_that_came_back_ends_its_round_and_a_new_fall_begins_a_new_one() {
    let mut round = Round::default();
    assert_eq!(round.next(&policy(), DOWN, at(0)), Some(Step::Recover { attempt: 1 }));
    assert_eq!(round.due(), Some(at(30)));
    assert_eq!(round.next(&policy(), HealthState::Healthy, at(31)), None);
    assert_eq!(round.due(), None);
    assert_eq!(round.next(&policy(), DOWN, at(32)), Some(Step::Recover { attempt: 1 }));
}

#[test]
fn steps_missed_in_a_pause_of_the_machine_are_not_made_up_for() {
    let mut round = Round::default();
    round.next(&policy(), DOWN, at(0));
    assert_eq!(round.next(&policy(), DOWN, at(86_400)), Some(Step::Recover { attempt: 2 }));
    assert_eq!(round.next(&policy(), DOWN, at(86_401)), None);
    assert_eq!(round.due(), Some(at(86_460)));
}

proptest! {
    #[test]
    fn no_policy_ends_in_a_panic_or_in_more_attempts_than_allowed(
        check_ms in prop_oneof![0_u64..100_000, any::<u64>()], backoff_ms in prop_oneof![0_u64..100_000, any::<u64>()],
        max_attempts in prop_oneof![0_u32..6, any::<u32>()], passes in proptest::collection::vec(0_u64..500_000, 1..60),
    ) {
        let policy = HealingPolicy {
            enabled: true,
            check_interval: Duration::from_millis(check_ms),
            max_attempts,
            backoff: Duration::from_millis(backoff_ms),
        };
        let mut round = Round::default();
        let (mut now, mut last) = (T0, 0);
        for pass in passes {
            now = now.plus(Duration::from_millis(pass));
            match round.next(&policy, DOWN, now) {
                Some(Step::Recover { attempt }) => {
                    prop_assert!(attempt == last + 1 && attempt <= max_attempts.max(1));
                    last = attempt;
                }
                Some(Step::GiveUp) => {
                    prop_assert_eq!(last, max_attempts.max(1));
                    prop_assert!(round.due() > Some(now));
                    last = 0;
                }
                None => prop_assert!(round.due() > Some(now)),
            }
        }
    }
}
