use super::*;
use proptest::prelude::*;

fn nodes(count: usize) -> Vec<NodeId> {
    (0..count).map(|number| NodeId::from(format!("node-{number}"))).collect()
}

fn provider(number: usize) -> ProviderName {
    ProviderName::from(format!("provider-{number}"))
}

#[test]
fn one_node_probes_a_provider_whatever_order_the_nodes_are_told_in() {
    let mut nodes = nodes(9);
    let first = assign(&provider(1), &nodes, 1);
    assert_eq!(first.len(), 1);
    nodes.reverse();
    nodes.push(nodes[0].clone());
    assert_eq!(assign(&provider(1), &nodes, 1), first);
}

#[test]
fn a_second_opinion_is_of_another_node_and_the_first_stays() {
    let nodes = nodes(5);
    let two = assign(&provider(1), &nodes, 2);
    assert_eq!(two[..1], assign(&provider(1), &nodes, 1));
    assert_ne!(two[0], two[1]);
}

#[test]
fn there_are_no_more_probers_than_nodes() {
    assert_eq!(assign(&provider(1), &[], 2), []);
    assert_eq!(assign(&provider(1), &nodes(1), 2).len(), 1);
    assert_eq!(assign(&provider(1), &nodes(3), 0), []);
}

#[test]
fn a_lost_prober_hands_over_to_the_next_in_order_and_nothing_else_moves() {
    let all = nodes(6);
    for number in 0..200 {
        let ranked = assign(&provider(number), &all, all.len());
        for lost in &all {
            let left: Vec<_> = all.iter().filter(|node| *node != lost).cloned().collect();
            let expected = if ranked[0] == *lost { &ranked[1] } else { &ranked[0] };
            assert_eq!(assign(&provider(number), &left, 1).first(), Some(expected));
        }
    }
}

#[test]
fn providers_spread_over_the_nodes() {
    let nodes = nodes(5);
    for node in &nodes {
        let share = (0..1_000).filter(|number| assign(&provider(*number), &nodes, 1)[0] == *node).count();
        assert!((140..=260).contains(&share), "{node} probes {share} of 1000");
    }
}

#[test]
fn the_assignment_is_the_same_in_every_build() {
    let order = assign(&"claude".into(), &nodes(3), 3);
    let names: Vec<_> = order.iter().map(NodeId::as_str).collect();
    assert_eq!(names, ["node-0", "node-2", "node-1"]);
}

#[test]
fn probes_come_at_the_interval_with_a_tenth_of_jitter() {
    let policy = HealthPolicy::default();
    assert_eq!(next_probe(&policy, 0.0), Duration::from_secs(27));
    assert_eq!(next_probe(&policy, 0.5), Duration::from_secs(30));
    assert_eq!(next_probe(&policy, 1.0), Duration::from_secs(33));
}

#[test]
fn a_node_that_is_cut_off_probes_as_many_times_less_often_as_there_are_nodes() {
    let policy = HealthPolicy::default();
    let mean = |nodes| {
        let draws = 1_000;
        let sum: Duration =
            (0..draws).map(|draw| next_probe_alone(&policy, nodes, f64::from(draw) / f64::from(draws))).sum();
        (sum / draws).as_secs_f64().round()
    };
    assert_eq!([mean(0), mean(1), mean(8)], [30.0, 30.0, 240.0]);
    assert_eq!(next_probe_alone(&policy, 8, 0.0), Duration::from_secs(24));
    assert_eq!(next_probe_alone(&policy, 8, 1.0), Duration::from_secs(456));
}

#[test]
fn an_answer_is_healthy_unless_the_provider_failed_or_refused_the_key() {
    let healthy = [100, 200, 204, 301, 400, 402, 404, 405, 429, 499];
    let unhealthy = [401, 403, 500, 502, 503, 529, 599];
    assert!(healthy.into_iter().all(|status| is_healthy(Some(status))));
    assert!(unhealthy.into_iter().all(|status| !is_healthy(Some(status))));
    assert!(!is_healthy(None));
}

proptest! {
    #[test]
    fn no_day_has_more_probes_than_the_budget_allows(
        seconds in 0_u64..100_000, daily_budget in 0_u32..100_000, draw in 0.0..1.0_f64,
    ) {
        let policy =
            HealthPolicy { interval: Duration::from_secs(seconds), daily_budget, ..HealthPolicy::default() };
        let pause = next_probe(&policy, draw);
        let day = pause.as_secs_f64() * f64::from(daily_budget.max(1));
        prop_assert!(day >= DAY.as_secs_f64() * 0.999_999, "{pause:?} × {daily_budget}");
    }

    #[test]
    fn no_policy_and_no_draw_end_in_a_panic(
        seconds: u64, daily_budget: u32, nodes: u32, draw in prop_oneof![any::<f64>(), 0.0..1.0_f64],
    ) {
        let policy =
            HealthPolicy { interval: Duration::from_secs(seconds), daily_budget, ..HealthPolicy::default() };
        prop_assert!(next_probe(&policy, draw) > Duration::ZERO);
        prop_assert!(next_probe_alone(&policy, nodes, draw) > Duration::ZERO);
    }
}
