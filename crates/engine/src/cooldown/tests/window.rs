use super::*;

/// Notes failures at these seconds and gives the rests with the index of the failure that made them.
fn trips(rules: &Rules, blame: Blame, at: &[u64]) -> Vec<usize> {
    let mut window = Window::default();
    let note = |(index, at): (usize, &u64)| {
        window.note(rules, &report_at(blame, NOW.plus(Duration::from_millis(*at)))).map(|_| index)
    };
    at.iter().enumerate().filter_map(note).collect()
}

#[test]
fn the_fifth_error_within_a_minute_rests_the_provider() {
    let mut window = Window::default();
    let rests: Vec<_> = (0..5).map(|_| window.note(&rules_of_three(), &report(Blame::Error, None))).collect();
    assert!(rests[..4].iter().all(Option::is_none));
    let rest = rests[4].clone().unwrap();
    assert_eq!((&rest.key.scope, rest.cause), (&Scope::Provider, CooldownCause::Error));
    assert_eq!(rest.until, NOW.plus(MINUTE * 2));
    assert_eq!((rest.evidence.errors, rest.evidence.window), (5, MINUTE));
}

#[test]
fn a_run_of_errors_over_just_more_than_the_window_never_trips() {
    assert_eq!(trips(&rules(), Blame::Error, &[0, 15_000, 30_000, 45_000, 60_000]), []);
    assert_eq!(trips(&rules(), Blame::Error, &[0, 15_000, 30_000, 45_000, 59_999]), [4]);
    let steady: Vec<u64> = (0..1_000).map(|n| n * 15_000).collect();
    assert_eq!(trips(&rules(), Blame::Error, &steady), []);
    // Fixed minutes would see three and two.
    assert_eq!(trips(&rules(), Blame::Error, &[58_000, 59_000, 59_500, 60_500, 61_000]), [4]);
}

#[test]
fn reports_of_several_nodes_count_in_whatever_order_they_come() {
    assert_eq!(trips(&rules(), Blame::Error, &[40_000, 10_000, 30_000, 20_000, 15_000]), [4]);
    // The last one comes late, and counts with those of its time.
    assert_eq!(trips(&rules(), Blame::Error, &[0, 10_000, 20_000, 30_000, 65_000, 5_000]), [5]);
    // Too late: what it would count with is forgotten.
    assert_eq!(trips(&rules(), Blame::Error, &[0, 10_000, 20_000, 30_000, 200_000, 5_000]), []);
}

#[test]
fn what_was_counted_starts_anew_after_a_rest() {
    assert_eq!(trips(&rules(), Blame::Error, &[0; 14]), [4, 9]);
    let mut window = Window::default();
    (0..4).for_each(|_| assert_eq!(window.note(&rules(), &report(Blame::Error, None)), None));
    window.clear();
    (0..4).for_each(|_| assert_eq!(window.note(&rules(), &report(Blame::Error, None)), None));
}

#[test]
fn one_keys_429_never_rests_other_keys() {
    let mut window = Window::default();
    for credential in ["a", "b", "c"] {
        for _ in 0..4 {
            let report = of_credential(report(Blame::RateLimit, None), credential);
            assert_eq!(window.note(&rules_of_three(), &report), None);
        }
    }
    let rest = window.note(&rules_of_three(), &of_credential(report(Blame::RateLimit, None), "b")).unwrap();
    assert_eq!(rest.key.scope, Scope::Credential("b".into()));
    assert_eq!((rest.cause, rest.until), (CooldownCause::RateLimit, NOW.plus(MINUTE * 10)));
}

#[test]
fn a_429_and_a_failure_of_one_credential_count_together_whichever_is_last() {
    let orders = [
        [Blame::RateLimit, Blame::RateLimit, Blame::RateLimit, Blame::RateLimit, Blame::Error],
        [Blame::Error, Blame::RateLimit, Blame::RateLimit, Blame::RateLimit, Blame::RateLimit],
    ];
    for order in orders {
        let mut window = Window::default();
        let rests: Vec<_> =
            order.iter().filter_map(|blame| window.note(&rules_of_three(), &report(*blame, None))).collect();
        assert_eq!(rests.len(), 1, "{order:?}");
        assert_eq!(rests[0].key.scope, credential_scope(), "{order:?}");
    }
}

#[test]
fn errors_of_different_credentials_speak_of_the_provider() {
    let mut window = Window::default();
    let rests: Vec<_> = ["a", "b", "c", "a", "b"]
        .into_iter()
        .filter_map(|name| window.note(&rules_of_three(), &of_credential(report(Blame::Error, None), name)))
        .collect();
    assert_eq!(rests.len(), 1);
    assert_eq!(rests[0].key.scope, Scope::Provider);
}

#[test]
fn what_rests_by_itself_is_not_counted_as_well() {
    let policy = CooldownPolicy { error_threshold: 1, ..CooldownPolicy::default() };
    let rules = Rules { policy, ..rules() };
    let hint = Some(seconds(1));
    for (blame, hint) in
        [(Blame::Rejected, None), (Blame::Spent, None), (Blame::RateLimit, hint), (Blame::Error, hint)]
    {
        assert_eq!(Window::default().note(&rules, &report(blame, hint)), None, "{blame:?}");
    }
    let deaf = Rules { policy: CooldownPolicy { honor_retry_after: false, ..policy }, ..rules };
    assert!(Window::default().note(&deaf, &report(Blame::RateLimit, hint)).is_some());
}

#[test]
fn any_threshold_holds_and_memory_is_bounded() {
    for (error_threshold, trips_at) in [(0, 0), (1, 0), (2, 1), (u32::MAX, 9_999)] {
        let policy = CooldownPolicy { error_threshold, ..CooldownPolicy::default() };
        let mut window = Window::default();
        let rules = Rules { policy, ..rules() };
        let at = (0..).find(|_| window.note(&rules, &report(Blame::Error, None)).is_some());
        assert_eq!(at, Some(trips_at), "{error_threshold}");
    }
}
