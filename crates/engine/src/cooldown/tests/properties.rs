use super::*;
use cliproxy_domain::{Evidence, Hint};
use proptest::{collection::vec, option, prelude::*};

fn any_blame() -> impl Strategy<Value = Blame> {
    proptest::sample::select(vec![Blame::RateLimit, Blame::Spent, Blame::Rejected, Blame::Error])
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..10_000).prop_map(Duration::from_millis),
        (0_u64..1_000_000).prop_map(seconds),
        any::<u64>().prop_map(seconds),
    ]
}

fn any_report() -> impl Strategy<Value = Report> {
    let what = (any_blame(), "[ab]", "[mn]", any::<bool>(), option::of(any_duration()));
    (what, 0_u64..3, "[ab]", any_time()).prop_map(
        |((blame, credential, model, about_model, hint), seen_epoch, node, at)| Report {
            blame,
            subject: LedgerKey {
                provider: "claude".into(),
                credential: credential.into(),
                model: model.into(),
            },
            about_model,
            hint,
            http_status: 0,
            error_type: String::new(),
            seen_epoch,
            node: node.into(),
            at,
        },
    )
}

fn any_time() -> impl Strategy<Value = WallTime> {
    prop_oneof![
        (0_u64..200_000).prop_map(|ms| NOW.plus(Duration::from_millis(ms))),
        any::<i64>().prop_map(WallTime),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let durations = (any_duration(), any_duration(), any_duration());
    let policy = (any_duration(), any::<u32>(), any::<bool>(), any_duration());
    (durations, policy, 0_usize..4, option::of(any_time())).prop_map(
        |(
            (default, rate_limit, error),
            (detection_window, error_threshold, honor_retry_after, max_hint),
            credentials,
            quota_resets_at,
        )| Rules {
            policy: CooldownPolicy {
                enabled: true,
                detection_window,
                error_threshold,
                honor_retry_after,
                max_hint,
            },
            durations: CooldownDurations { enabled: true, default, rate_limit, error },
            credentials,
            quota_resets_at,
        },
    )
}

fn any_known() -> impl Strategy<Value = Cooldown> {
    let words = (0_u64..3, 0_u32..3, any::<bool>(), any::<u32>(), any::<u32>());
    let scope = prop_oneof![Just(Scope::Provider), Just(Scope::Credential("a".into()))];
    (words, scope, any_time()).prop_map(|((epoch, round, cleared, streak, number), scope, until)| Cooldown {
        key: CooldownKey { provider: "claude".into(), scope },
        epoch,
        round,
        started_at: until.minus(MINUTE),
        until,
        cleared,
        cause: CooldownCause::RateLimit,
        source: "a".into(),
        permit: Permit { number, node: None },
        streak,
        evidence: Evidence::default(),
    })
}

/// What a node does with a report: the same as either plane.
fn take(known: &mut Vec<Cooldown>, rest: Cooldown) {
    match known.iter_mut().find(|known| known.key == rest.key) {
        Some(known) => *known = known.clone().merge(rest),
        None => known.push(rest),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_rules_and_no_report_end_in_a_panic_or_in_a_rest_without_length(
        rules in any_rules(), reports in vec(any_report(), 1..20), known in any_known(),
    ) {
        let mut window = Window::default();
        for report in &reports {
            let rests = [
                at_once(&rules, report, Some(&known).filter(|known| known.key == key_at_once(report))),
                failed_probe(&rules, report, &known),
                window.note(&rules, report).map(|rest| continued(rest, Some(&known).filter(|known| known.key == rest_key(report)))),
            ];
            for rest in rests.into_iter().flatten() {
                prop_assert!(!rest.cleared && rest.streak > 0);
                prop_assert!(rest.until >= report.at);
                prop_assert_eq!(&rest.key.provider, &report.subject.provider);
            }
        }
    }

    #[test]
    fn a_hint_is_never_believed_for_longer_than_max_hint(
        blame in proptest::sample::select(vec![Blame::RateLimit, Blame::Spent, Blame::Error]), hint in any_duration(),
        max_hint in (1_u64..100_000).prop_map(seconds),
    ) {
        let rules = Rules { policy: CooldownPolicy { max_hint, ..CooldownPolicy::default() }, ..rules() };
        let rest = at_once(&rules, &report(blame, Some(hint)), None).unwrap();
        let believed = rest.until.since(NOW);
        prop_assert!(believed <= max_hint && believed >= SHORTEST_REST);
        prop_assert_eq!(rest.evidence.clamped, hint > max_hint || hint < SHORTEST_REST);
        prop_assert_eq!(rest.evidence.hint, Some(hint));
    }

    #[test]
    fn hints_in_any_order_end_at_the_longest(waits in vec(1_u64..3_600, 1..10)) {
        let mut known: Option<Cooldown> = None;
        for wait in &waits {
            let rest = at_once(&rules(), &report(Blame::RateLimit, Some(seconds(*wait))), known.as_ref()).unwrap();
            known = Some(match known {
                Some(known) => known.merge(rest),
                None => rest,
            });
        }
        prop_assert_eq!(known.map(|known| known.until), waits.iter().max().map(|wait| NOW.plus(seconds(*wait))));
    }

    #[test]
    fn two_planes_that_hear_the_same_in_another_order_agree_on_when_it_ends(
        reports in vec((1_u64..3_600, 0_u64..1_000).prop_map(|(wait, at)| Report {
            at: NOW.plus(Duration::from_millis(at)), ..report(Blame::RateLimit, Some(seconds(wait)))
        }), 1..10),
    ) {
        let ends = |reports: &mut dyn Iterator<Item = &Report>| {
            let mut known = Vec::new();
            for report in reports {
                let before = known.iter().find(|known: &&Cooldown| known.key == key_at_once(report)).cloned();
                take(&mut known, at_once(&rules(), report, before.as_ref()).unwrap());
            }
            known.iter().map(|known| known.until).collect::<Vec<_>>()
        };
        prop_assert_eq!(ends(&mut reports.iter()), ends(&mut reports.iter().rev()));
    }

    #[test]
    fn the_window_trips_exactly_when_so_many_lie_within_it(
        at in vec(0_u64..120_000, 1..40), error_threshold in 1_u32..8,
    ) {
        let rules = Rules { policy: CooldownPolicy { error_threshold, ..CooldownPolicy::default() }, ..rules() };
        let mut window = Window::default();
        let mut counted: Vec<u64> = Vec::new();
        for at in at {
            counted.push(at);
            // By the definition: some window of a minute that holds so many of them.
            let expected = counted.iter().any(|end| {
                let within = counted.iter().filter(|at| **at <= *end && *end - **at < 60_000).count();
                within >= error_threshold as usize
            });
            let rest = window.note(&rules, &report_at(Blame::Error, NOW.plus(Duration::from_millis(at))));
            prop_assert_eq!(rest.is_some(), expected);
            if expected {
                counted.clear();
            }
        }
    }

    #[test]
    fn after_an_operators_word_no_older_report_changes_the_key(
        reports in vec(any_report(), 0..20), epoch in 2_u64..9,
    ) {
        let key = CooldownKey::credential("claude".into(), "a".into());
        let word = recover(key.clone(), epoch, NOW, "ana", "");
        let mut hint = Hint::Cooldown(word.clone());
        for report in &reports {
            for rest in [at_once(&rules(), report, None), failed_probe(&rules(), report, &word)].into_iter().flatten() {
                if rest.key == key {
                    hint = hint.merge(Hint::Cooldown(rest));
                }
            }
        }
        prop_assert_eq!(hint, Hint::Cooldown(word));
    }

    #[test]
    fn a_grant_and_a_verdict_win_over_what_they_are_about(known in any_known(), now in any_time()) {
        if let Some(granted) = granted(&known, &"b".into(), now) {
            prop_assert_eq!(known.clone().merge(granted.clone()), granted);
        }
        if let Some(cleared) = clear(&known, (known.epoch, known.round), &"b".into(), now) {
            prop_assert_eq!(known.clone().merge(cleared.clone()), cleared);
        }
    }
}

/// The key of the rest that a window may make of a report.
fn rest_key(report: &Report) -> CooldownKey {
    CooldownKey::credential(report.subject.provider.clone(), report.subject.credential.clone())
}
