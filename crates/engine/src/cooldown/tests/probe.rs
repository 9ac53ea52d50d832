use super::*;

const A: &str = "a";

fn again(report: &Report, known: &Cooldown) -> Option<Cooldown> {
    failed_probe(&rules_of_three(), report, known)
}

#[test]
fn a_probe_that_fails_without_a_word_rests_the_same_key_again_for_twice_as_long() {
    let minutes = |count: u64| seconds(60 * count);
    let cases = [
        (credential_scope(), CooldownCause::RateLimit, Blame::Error, minutes(20)),
        (credential_scope(), CooldownCause::RateLimit, Blame::RateLimit, minutes(20)),
        (Scope::Provider, CooldownCause::Error, Blame::Error, minutes(4)),
        (model_scope(), CooldownCause::Error, Blame::RateLimit, minutes(4)),
        (credential_scope(), CooldownCause::CredentialRejected, Blame::Error, minutes(10)),
        (credential_scope(), CooldownCause::CredentialRejected, Blame::Rejected, minutes(10)),
        // What rested until a date, or for as long as an operator liked, says nothing of how long it should go on.
        (credential_scope(), CooldownCause::QuotaExhausted, Blame::Error, minutes(4)),
        (Scope::Provider, CooldownCause::Manual, Blame::Error, minutes(4)),
    ];
    for (scope, cause, blame, expected) in cases {
        let known = half_open(scope.clone(), cause);
        let rest = again(&report(blame, None), &known).unwrap();
        assert_eq!(rest.key, known.key);
        assert_eq!(rest.until.since(NOW), expected, "{scope:?} {cause:?} {blame:?}");
        assert_eq!((rest.streak, rest.cause), (2, blame.cause()));
        assert_eq!(known.clone().merge(rest.clone()), rest);
    }
}

#[test]
fn the_wait_that_a_failed_probe_names_is_taken_instead() {
    for scope in [credential_scope(), Scope::Provider, model_scope()] {
        let known = half_open(scope, CooldownCause::RateLimit);
        let rest = failed_probe(&rules(), &report(Blame::RateLimit, Some(seconds(9))), &known).unwrap();
        assert_eq!((rest.key.clone(), rest.until), (known.key.clone(), NOW.plus(seconds(9))));
    }
    let known = half_open(credential_scope(), CooldownCause::RateLimit);
    let rest = again(&report(Blame::RateLimit, Some(HOUR * 24)), &known).unwrap();
    assert_eq!((rest.until, rest.evidence.clamped), (NOW.plus(HOUR), true));
}

#[test]
fn rests_double_up_to_max_hint_and_never_fall_below_what_is_configured() {
    let known = Cooldown { streak: 60, ..half_open(Scope::Provider, CooldownCause::Error) };
    assert_eq!(again(&report(Blame::Error, None), &known).unwrap().until, NOW.plus(HOUR));
    let most = Cooldown { streak: u32::MAX, ..known.clone() };
    assert_eq!(again(&report(Blame::Error, None), &most).unwrap().streak, u32::MAX);
    let policy = CooldownPolicy { max_hint: seconds(30), ..CooldownPolicy::default() };
    let strict = Rules { policy, ..rules() };
    assert_eq!(
        failed_probe(&strict, &report(Blame::Error, None), &known).unwrap().until,
        NOW.plus(MINUTE * 2)
    );
}

#[test]
fn one_keys_refusal_says_nothing_of_a_provider_with_several() {
    let provider = half_open(Scope::Provider, CooldownCause::Error);
    for blame in [Blame::RateLimit, Blame::Rejected, Blame::Spent] {
        assert_eq!(again(&report(blame, None), &provider), None, "{blame:?}");
        assert!(failed_probe(&rules(), &report(blame, None), &provider).is_some(), "{blame:?}");
    }
    assert!(again(&report(Blame::Error, None), &provider).is_some());
}

#[test]
fn what_is_said_of_one_model_says_nothing_of_the_credential() {
    let credential = half_open(credential_scope(), CooldownCause::RateLimit);
    let about_model = Report { about_model: true, ..report(Blame::RateLimit, Some(seconds(9))) };
    assert_eq!(again(&about_model, &credential), None);
    assert_eq!(at_once(&rules(), &about_model, None).unwrap().key.scope, model_scope());
}

#[test]
fn a_failure_of_something_else_is_no_probe_of_this() {
    let others = Report {
        subject: LedgerKey { provider: "claude".into(), credential: "other".into(), model: "m".into() },
        ..report(Blame::Error, None)
    };
    assert_eq!(again(&others, &half_open(credential_scope(), CooldownCause::RateLimit)), None);
    let elsewhere = Report {
        subject: LedgerKey { provider: "openai".into(), ..report(Blame::Error, None).subject },
        ..report(Blame::Error, None)
    };
    assert_eq!(again(&elsewhere, &half_open(Scope::Provider, CooldownCause::Error)), None);
}

#[test]
fn a_rest_that_goes_on_or_is_over_was_not_probed() {
    let failure = report(Blame::Error, None);
    let known = half_open(Scope::Provider, CooldownCause::Error);
    assert_eq!(again(&failure, &Cooldown { until: NOW.plus(MINUTE), ..known.clone() }), None);
    assert_eq!(again(&failure, &Cooldown { cleared: true, ..known.clone() }), None);
    assert_eq!(again(&failure, &Cooldown { epoch: 1, ..known.clone() }), None);
    // The two planes' clocks differ by what a message takes.
    assert!(again(&failure, &Cooldown { until: NOW.plus(SHORTEST_REST), ..known }).is_some());
}

#[test]
fn the_same_report_twice_makes_one_rest() {
    let known = half_open(Scope::Provider, CooldownCause::Error);
    let rest = again(&report(Blame::Error, None), &known).unwrap();
    assert_eq!(again(&report(Blame::Error, None), &rest), None);
}

#[test]
fn a_permit_goes_to_one_node_by_the_next_number_and_only_while_there_is_one() {
    let known = half_open(credential_scope(), CooldownCause::RateLimit);
    let b = NodeId::from("b");
    let granted_to_b = granted(&known, &b, NOW).unwrap();
    assert_eq!(granted_to_b.permit, Permit { number: 1, node: Some(b.clone()) });
    assert_eq!(known.clone().merge(granted_to_b.clone()), granted_to_b);
    assert_eq!(granted(&granted_to_b, &A.into(), NOW).unwrap().permit.number, 2);
    assert_eq!(granted(&known, &b, NOW.minus(seconds(1))), None);
    assert_eq!(granted(&Cooldown { cleared: true, ..known.clone() }, &b, NOW), None);
    let last = Permit { number: u32::MAX, node: None };
    assert_eq!(granted(&Cooldown { permit: last, ..known }, &b, NOW), None);
}

#[test]
fn a_new_rest_has_a_permit_that_was_never_used() {
    let known = Cooldown {
        permit: Permit { number: 4, node: Some("b".into()) },
        ..half_open(credential_scope(), CooldownCause::RateLimit)
    };
    let probed = again(&report(Blame::Error, None), &known).unwrap();
    assert_eq!(probed.permit, Permit { number: 5, node: Some(A.into()) });
    let hinted = at_once(&rules(), &report(Blame::RateLimit, Some(seconds(5))), Some(&known)).unwrap();
    assert_eq!(hinted.permit.number, 5);
    let extended = at_once(&rules(), &report(Blame::RateLimit, Some(seconds(50))), Some(&hinted)).unwrap();
    assert_eq!(extended.permit.number, 5);
    assert_eq!(continued(hinted.clone(), Some(&known)), hinted);
}

#[test]
fn a_probe_that_succeeds_clears_its_rest_and_the_share_rises_over_ten_seconds() {
    let known = half_open(credential_scope(), CooldownCause::RateLimit);
    let cleared = clear(&known, (0, 0), &A.into(), NOW).unwrap();
    assert_eq!(known.clone().merge(cleared.clone()), cleared);
    let after = |seconds_after| stage(&cleared, NOW.plus(Duration::from_millis(seconds_after)));
    assert_eq!(after(0), Stage::Rising(0.1));
    assert_eq!(after(5_000), Stage::Rising(0.5));
    assert_eq!(after(9_999), Stage::Rising(0.9999));
    assert_eq!(after(10_000), Stage::Over);
}

#[test]
fn a_verdict_on_what_was_decided_since_clears_nothing() {
    let known = half_open(credential_scope(), CooldownCause::RateLimit);
    assert_eq!(clear(&known, (0, 1), &A.into(), NOW), None);
    assert_eq!(clear(&Cooldown { epoch: 1, ..known.clone() }, (0, 0), &A.into(), NOW), None);
    assert_eq!(clear(&Cooldown { cleared: true, ..known.clone() }, (0, 0), &A.into(), NOW), None);
    assert_eq!(clear(&Cooldown { round: u32::MAX, ..known.clone() }, (0, u32::MAX), &A.into(), NOW), None);
    let operators = Cooldown { cause: CooldownCause::Manual, until: NOW.plus(MINUTE), ..known };
    assert_eq!(clear(&operators, (0, 0), &A.into(), NOW), None);
    assert!(clear(&operators, (0, 0), &A.into(), NOW.plus(MINUTE)).is_some());
}

#[test]
fn self_healing_may_clear_a_rest_before_its_end() {
    let resting = Cooldown { until: NOW.plus(MINUTE), ..half_open(Scope::Provider, CooldownCause::Error) };
    let cleared = clear(&resting, (0, 0), &A.into(), NOW).unwrap();
    assert_eq!(resting.clone().merge(cleared.clone()), cleared);
    assert_eq!(cleared.until, NOW);
}
