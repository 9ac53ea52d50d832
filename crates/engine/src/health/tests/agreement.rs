use super::*;

#[test]
fn one_of_several_nodes_is_not_enough_and_two_are() {
    let mut case = Case::of_nodes(3);
    assert_eq!(case.probes_fail("a"), None);
    assert_eq!(case.calls("b", 0, 2), None);
    let down = case.calls("b", 0, 1).unwrap();
    assert_eq!(down.state, HealthState::Unhealthy);
    assert_eq!(down.why, "3 probes in a row failed (503) at a; 3 calls in a row failed (server errors) at b");
}

#[test]
fn the_prober_and_live_traffic_agree() {
    let mut case = Case::of_nodes(2);
    case.calls("a", 0, 3);
    assert!(case.probes_fail("a").is_some());
}

#[test]
fn one_nodes_broken_way_out_is_no_outage() {
    let mut case = Case::of_nodes(3);
    for _ in 0..20 {
        case.after(15);
        assert_eq!(case.probe("a", false), None);
        assert_eq!(case.calls("a", 0, 5), None);
        case.calls("b", 3, 0);
    }
    assert_eq!(case.state(), HealthState::Healthy);
    assert!(!case.machine.wants_second_opinion());
}

#[test]
fn traffic_is_remembered_until_it_is_told_of_again_however_often_probes_are_sent() {
    let mut case = Case::of_nodes(2);
    case.policy.interval = Duration::from_millis(200);
    case.policy.daily_budget = 1_000_000;
    for _ in 0..20 {
        case.calls("a", 0, 5);
        case.calls("b", 3, 0);
        // The next calls are told of a second later.
        case.after(1);
        for _ in 0..5 {
            assert_eq!(case.probe("a", false), None);
        }
    }
    assert_eq!(case.state(), HealthState::Healthy);
}

#[test]
fn an_answer_from_before_the_failures_speaks_for_nothing() {
    let mut case = Case::of_nodes(4);
    ["b", "c", "d"].into_iter().for_each(|node| _ = case.calls(node, 9, 0));
    case.after(1).calls("a", 0, 3);
    assert!(case.after(1).calls("b", 0, 3).is_some());
}

#[test]
fn more_nodes_must_fail_than_are_answered() {
    let mut case = Case::of_nodes(4);
    case.calls("a", 0, 3);
    case.calls("b", 0, 1);
    for node in ["c", "d"] {
        case.after(1).calls(node, 1, 0);
    }
    assert_eq!(case.calls("b", 0, 2), None);
    assert!(case.after(1).calls("c", 0, 3).is_some());
}

#[test]
fn a_lone_prober_among_several_wants_a_second_opinion_from_its_first_failure_on() {
    let mut case = Case::of_nodes(2);
    case.probe("a", true);
    assert!(!case.machine.wants_second_opinion());
    case.after(30).probe("a", false);
    assert!(case.machine.wants_second_opinion());
    case.after(1).probe("b", false);
    for node in ["a", "b", "a"] {
        assert!(case.machine.wants_second_opinion(), "one look is no word");
        assert_eq!(case.after(10).probe(node, false), None);
    }
    assert_eq!(case.after(1).probe("b", false).unwrap().state, HealthState::Unhealthy);
    assert!(!case.machine.wants_second_opinion());
}

#[test]
fn two_nodes_without_traffic_find_out_that_a_provider_is_down_by_asking_when_they_are_wanted() {
    let mut case = Case::of_nodes(2);
    case.probe("a", true);
    let down = (0..10).position(|_| {
        let prober = case.after(30).probe("a", false);
        let second = case.machine.wants_second_opinion().then(|| case.after(1).probe("b", false)).flatten();
        prober.or(second).is_some_and(|change| change.state == HealthState::Unhealthy)
    });
    assert_eq!(down, Some(2), "after three rounds, each of which failed at both");
}

#[test]
fn a_second_opinion_that_differs_settles_it() {
    let mut case = Case::of_nodes(2);
    case.probe("a", false);
    assert!(case.machine.wants_second_opinion());
    case.after(1).probe("b", true);
    assert!(!case.machine.wants_second_opinion());
}

#[test]
fn live_traffic_of_one_node_wants_a_second_opinion_only_when_it_is_its_word() {
    let mut case = Case::of_nodes(2);
    case.calls("a", 0, 2);
    assert!(!case.machine.wants_second_opinion());
    case.after(1).calls("a", 0, 1);
    assert!(case.machine.wants_second_opinion());
}

#[test]
fn where_one_node_is_connected_nobody_else_is_asked() {
    let mut case = Case::of_nodes(1);
    case.probe("a", false);
    assert!(!case.machine.wants_second_opinion());
}

#[test]
fn the_word_of_the_last_node_left_is_enough() {
    let mut case = Case::of_nodes(2);
    assert_eq!(case.probes_fail("a"), None);
    case.nodes = 1;
    assert_eq!(case.pass(1).unwrap().state, HealthState::Unhealthy);
}

#[test]
fn what_a_lost_node_said_does_not_count() {
    let mut case = Case::of_nodes(3);
    case.probes_fail("a");
    case.machine.lost(&"a".into());
    assert_eq!(case.calls("b", 0, 9), None);
}

#[test]
fn a_suspicion_is_forgotten_with_time() {
    let mut case = Case::of_nodes(2);
    case.probe("a", false);
    assert_eq!(case.pass(90), None);
    assert!(case.machine.wants_second_opinion());
    assert_eq!(case.pass(1), None);
    assert!(!case.machine.wants_second_opinion());
}

#[test]
fn a_reason_names_a_few_nodes_and_counts_the_others() {
    let mut case = Case::of_nodes(9);
    case.policy.unhealthy_threshold = 1;
    ["p", "q", "r", "s"].into_iter().for_each(|node| _ = case.calls(node, 1, 0));
    ["a", "b", "c", "d"].into_iter().for_each(|node| assert_eq!(case.calls(node, 0, 1), None));
    let failed = "1 call failed (server errors)";
    let expected = format!("{failed} at a; {failed} at b; {failed} at c; the same at 2 other nodes");
    assert_eq!(case.calls("e", 0, 1).unwrap().why, expected);
}

#[test]
fn nodes_beyond_number_do_not_take_memory() {
    let mut case = Case::of_nodes(usize::MAX);
    for node in 0..5_000 {
        case.probe(&format!("node-{node}"), true);
    }
    assert_eq!(case.machine.nodes_heard(), 1_000);
}
