use super::*;
use proptest::prelude::*;

fn any_evidence() -> impl Strategy<Value = (Evidence, u64)> {
    (0_usize..3, any::<bool>(), any::<bool>(), 0_u32..5, 0_u64..40).prop_map(
        |(node, is_probe, ok, count, pass)| {
            let source = if is_probe { Source::Probe } else { Source::Traffic };
            let node = ["a", "b", "c"][node].into();
            (Evidence { node, source, at: T0, ok, count, said: String::new() }, pass)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_node_is_judged_by_its_results_in_a_row(
        results in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut case = Case::of_nodes(1);
        let (mut failures, mut successes, mut expected) = (0, 0, HealthState::Unknown);
        for (ok, is_probe) in results {
            case.after(1);
            if is_probe { case.probe("a", ok) } else { case.calls("a", u64::from(ok), u64::from(!ok)) };
            (failures, successes) = if ok { (0, successes + 1) } else { (failures + 1, 0) };
            expected = match expected {
                HealthState::Unknown if ok => HealthState::Healthy,
                HealthState::Unhealthy if successes >= 2 => HealthState::Healthy,
                HealthState::Unknown | HealthState::Healthy if failures >= 3 => HealthState::Unhealthy,
                state => state,
            };
            prop_assert_eq!(case.state(), expected);
        }
    }

    #[test]
    fn a_change_is_told_exactly_when_the_state_changes_and_time_goes_forward(
        all in proptest::collection::vec(any_evidence(), 1..80), nodes in 0_usize..4,
    ) {
        let mut case = Case::of_nodes(nodes);
        for (evidence, pass) in all {
            let (before, since) = (case.state(), case.machine.since());
            case.after(pass);
            let change = case.note(&Evidence { at: at(case.now), ..evidence });
            prop_assert_eq!(change.is_some(), case.state() != before);
            prop_assert!(case.machine.since() >= since);
            if let Some(change) = change {
                prop_assert_eq!((change.state, change.since), (case.state(), case.machine.since()));
                prop_assert_eq!(change.recovered, before.is_down() && !change.state.is_down());
                prop_assert!(!change.why.is_empty());
            }
        }
    }

    #[test]
    fn among_several_nodes_one_that_fails_never_decides_against_one_that_is_answered(
        order in proptest::collection::vec((any::<bool>(), 0_u64..20), 1..80),
    ) {
        let mut case = Case::of_nodes(2);
        case.probe("b", true);
        for (is_probe, pass) in order {
            case.after(pass);
            if is_probe { case.probe("a", false) } else { case.calls("a", 0, 3) };
            case.calls("b", 1, 0);
            prop_assert_eq!(case.state(), HealthState::Healthy);
        }
    }
}
