use super::*;

#[test]
fn nothing_is_known_before_the_first_word_and_the_first_success_is_enough() {
    let mut case = Case::of_nodes(1);
    assert_eq!(case.state(), HealthState::Unknown);
    let change = case.probe("a", true).unwrap();
    assert_eq!((change.state, change.since, change.recovered), (HealthState::Healthy, at(0), false));
}

#[test]
fn three_failures_in_a_row_make_it_unhealthy_and_two_successes_in_a_row_healthy_again() {
    let mut case = Case::of_nodes(1);
    case.probe("a", true);
    for _ in 0..2 {
        assert_eq!(case.after(30).probe("a", false), None);
    }
    let down = case.after(30).probe("a", false).unwrap();
    assert_eq!((down.state, down.since), (HealthState::Unhealthy, at(90)));
    assert_eq!(down.why, "3 probes in a row failed (503)");
    assert_eq!(case.after(30).probe("a", true), None);
    let up = case.after(30).probe("a", true).unwrap();
    assert_eq!((up.state, up.since, up.recovered), (HealthState::Healthy, at(150), true));
    assert_eq!(up.why, "2 answers in a row");
    assert_eq!((case.state(), case.machine.since()), (HealthState::Healthy, at(150)));
}

#[test]
fn a_success_between_breaks_the_row_either_way() {
    let mut case = Case::of_nodes(1);
    for ok in [false, false, true, false, false, true, false, false] {
        case.after(30).probe("a", ok);
        assert_ne!(case.state(), HealthState::Unhealthy);
    }
    case.after(30).probe("a", false);
    assert_eq!(case.state(), HealthState::Unhealthy);
    for ok in [true, false, true, false, true, false] {
        case.after(30).probe("a", ok);
        assert_eq!(case.state(), HealthState::Unhealthy);
    }
}

#[test]
fn live_traffic_and_probes_of_a_node_are_one_row() {
    let mut case = Case::of_nodes(1);
    case.probe("a", false);
    case.after(1).calls("a", 0, 1);
    let down = case.after(1).calls("a", 0, 1).unwrap();
    assert_eq!(down.why, "1 probe and 2 calls in a row failed (server errors)");

    let mut case = Case::of_nodes(1);
    case.calls("a", 0, 2);
    case.after(1).probe("a", true);
    assert_eq!(case.after(1).calls("a", 0, 2), None);
}

#[test]
fn thresholds_are_the_policys_and_at_least_one() {
    for (threshold, failures) in [(0, 1), (1, 1), (5, 5)] {
        let mut case = Case::of_nodes(1);
        case.policy.unhealthy_threshold = threshold;
        case.policy.healthy_threshold = threshold;
        let down = (1..).find(|_| case.after(1).probe("a", false).is_some());
        assert_eq!(down, Some(failures), "{threshold}");
        let up = (1..).find(|_| case.after(1).probe("a", true).is_some());
        assert_eq!(up, Some(failures), "{threshold}");
    }
}

#[test]
fn a_second_of_traffic_is_one_success_when_anything_was_answered_and_else_each_failure_counts() {
    let counts = AttemptCounts::default;
    let cases = [
        (AttemptCounts { ok: 1, err_5xx: 99, ..counts() }, Some((true, 1))),
        (AttemptCounts { rate_limited: 7, ..counts() }, Some((true, 1))),
        (AttemptCounts { err_4xx: 1, timeout: 5, ..counts() }, Some((true, 1))),
        (AttemptCounts { err_5xx: 1, timeout: 1, connect: 3, cancelled: 4, ..counts() }, Some((false, 5))),
        (AttemptCounts { err_5xx: u64::MAX, timeout: 1, ..counts() }, Some((false, u32::MAX))),
        (AttemptCounts { cancelled: 4, ..counts() }, None),
        (counts(), None),
    ];
    for (attempts, expected) in cases {
        let evidence = Evidence::traffic("a".into(), T0, &attempts);
        assert_eq!(evidence.map(|evidence| (evidence.ok, evidence.count)), expected, "{attempts:?}");
    }
    let connect = Evidence::traffic("a".into(), T0, &AttemptCounts { connect: 2, err_5xx: 1, ..counts() });
    assert_eq!(connect.unwrap().said, "no connection");
}

#[test]
fn old_failures_of_traffic_do_not_hold_it_down_once_probes_are_answered() {
    let mut case = Case::of_nodes(1);
    assert!(case.calls("a", 0, 50).is_some());
    case.after(30).probe("a", true);
    assert_eq!(case.after(30).probe("a", true).unwrap().state, HealthState::Healthy);
    assert_eq!(case.pass(1), None);
    assert_eq!(case.after(1).calls("a", 0, 2), None);
}

#[test]
fn a_source_that_said_nothing_for_three_intervals_is_forgotten() {
    let mut case = Case::of_nodes(1);
    case.calls("a", 0, 2);
    assert_eq!(case.after(91).calls("a", 0, 2), None);
    assert_eq!(case.after(90).calls("a", 0, 1).unwrap().state, HealthState::Unhealthy);
}

#[test]
fn a_daily_budget_that_makes_probes_rare_makes_memory_longer() {
    let mut case = Case::of_nodes(1);
    // One probe every 16 minutes.
    case.policy.daily_budget = 100;
    case.probe("a", false);
    case.after(16 * 60).probe("a", false);
    assert!(case.after(16 * 60).probe("a", false).is_some());
}

#[test]
fn what_is_older_than_the_state_is_not_heard() {
    let mut case = Case::of_nodes(1);
    case.after(60).probe("a", false);
    let reset = case.machine.reset_to_unknown(at(61));
    assert_eq!(reset, None);
    let late =
        Evidence::traffic("a".into(), at(60), &AttemptCounts { err_5xx: 9, ..AttemptCounts::default() });
    assert_eq!(case.note(&late.unwrap()), None);
    case.after(2).probe("a", false);
    assert_eq!(case.after(1).probe("a", false), None);
    assert!(case.after(1).probe("a", false).is_some());
}

#[test]
fn an_operators_recovery_starts_anew() {
    let mut case = Case::of_nodes(1);
    case.probes_fail("a").unwrap();
    let reset = case.machine.reset_to_unknown(at(case.now + 1)).unwrap();
    assert_eq!((reset.state, reset.recovered), (HealthState::Unknown, true));
    assert_eq!(reset.why, "an operator said that it recovered");
    case.after(1);
    assert!(case.probes_fail("a").is_some());
}

#[test]
fn a_round_of_recoveries_in_vain_makes_it_failed_and_one_answered_probe_ends_that() {
    let mut case = Case::of_nodes(1);
    assert_eq!(case.machine.to_failed(3, at(0)), None);
    assert_eq!(case.machine.recovered_by_probe(at(0)), None);
    case.probes_fail("a");
    let failed = case.machine.to_failed(3, at(120)).unwrap();
    assert_eq!((failed.state, failed.since), (HealthState::Failed, at(120)));
    assert_eq!(failed.why, "3 recoveries did not help");
    assert_eq!(case.machine.to_failed(3, at(121)), None);
    let back = case.machine.recovered_by_probe(at(130)).unwrap();
    assert_eq!((back.state, back.recovered), (HealthState::Healthy, true));
}

#[test]
fn a_failed_provider_comes_back_by_successes_in_a_row_as_well() {
    let mut case = Case::of_nodes(1);
    case.probes_fail("a");
    case.machine.to_failed(3, at(case.now));
    case.after(30).probe("a", true);
    assert_eq!(case.after(30).probe("a", true).unwrap().state, HealthState::Healthy);
}

#[test]
fn what_was_known_before_a_restart_is_taken_up() {
    let mut case = Case::of_nodes(1);
    case.machine = Machine::restored(HealthState::Unhealthy, at(0));
    assert_eq!((case.state(), case.machine.since()), (HealthState::Unhealthy, at(0)));
    case.after(1).probe("a", true);
    assert!(case.after(1).probe("a", true).is_some());
}
