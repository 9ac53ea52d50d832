use super::*;

fn rest(report: &Report) -> Option<Cooldown> {
    at_once(&rules_of_three(), report, None)
}

#[test]
fn a_wait_rests_only_the_credential_that_got_it_on_the_first_429() {
    let rest = rest(&report(Blame::RateLimit, Some(seconds(7)))).unwrap();
    assert_eq!(rest.key, CooldownKey::credential("claude".into(), "main".into()));
    assert_eq!((rest.started_at, rest.until), (NOW, NOW.plus(seconds(7))));
    assert_eq!(rest.cause, CooldownCause::RateLimit);
    assert_eq!(rest.permit, Permit { number: 0, node: Some("a".into()) });
}

#[test]
fn how_much_rests_follows_from_what_the_answer_spoke_of() {
    let hint = Some(seconds(7));
    let cases = [
        (Blame::RateLimit, hint, false, Some(credential_scope())),
        (Blame::RateLimit, hint, true, Some(model_scope())),
        (Blame::RateLimit, None, false, None),
        (Blame::Error, hint, false, Some(model_scope())),
        (Blame::Error, None, false, None),
        (Blame::Spent, None, false, Some(credential_scope())),
        (Blame::Spent, hint, true, Some(model_scope())),
        (Blame::Rejected, None, false, Some(credential_scope())),
        (Blame::Rejected, None, true, Some(model_scope())),
    ];
    for (blame, hint, about_model, expected) in cases {
        let report = Report { about_model, ..report(blame, hint) };
        let rest = rest(&report);
        assert_eq!(
            rest.as_ref().map(|rest| rest.key.scope.clone()),
            expected,
            "{blame:?} {hint:?} {about_model}"
        );
        assert!(rest.is_none_or(|rest| rest.key == key_at_once(&report)));
    }
}

#[test]
fn a_hint_of_a_week_or_a_year_is_clamped_and_the_evidence_says_so() {
    for hint in [seconds(156 * 3_600), seconds(365 * 24 * 3_600), Duration::MAX] {
        let rest = rest(&report(Blame::RateLimit, Some(hint))).unwrap();
        assert_eq!(rest.until, NOW.plus(HOUR));
        assert_eq!((rest.evidence.hint, rest.evidence.clamped), (Some(hint), true));
    }
}

#[test]
fn a_hint_within_bounds_is_taken_as_it_is() {
    for hint in [SHORTEST_REST, seconds(7), HOUR] {
        let rest = rest(&report(Blame::RateLimit, Some(hint))).unwrap();
        assert_eq!((rest.until, rest.evidence.clamped), (NOW.plus(hint), false), "{hint:?}");
    }
    let none_at_all = rest(&report(Blame::RateLimit, Some(Duration::ZERO))).unwrap();
    assert_eq!((none_at_all.until, none_at_all.evidence.clamped), (NOW.plus(SHORTEST_REST), true));
}

#[test]
fn hints_are_not_believed_where_the_operator_says_so() {
    let policy = CooldownPolicy { honor_retry_after: false, ..CooldownPolicy::default() };
    let rules = Rules { policy, ..rules() };
    assert_eq!(at_once(&rules, &report(Blame::RateLimit, Some(seconds(7))), None), None);
    let spent = at_once(&rules, &report(Blame::Spent, Some(seconds(7))), None).unwrap();
    assert_eq!((spent.until, spent.evidence.hint), (NOW.plus(HOUR), Some(seconds(7))));
}

#[test]
fn nothing_rests_by_itself_where_cooldowns_are_off_for_all_or_for_the_provider() {
    let off = Rules { policy: CooldownPolicy { enabled: false, ..CooldownPolicy::default() }, ..rules() };
    let provider_off =
        Rules { durations: CooldownDurations { enabled: false, ..CooldownDurations::default() }, ..rules() };
    for rules in [off, provider_off] {
        let report = report(Blame::Rejected, Some(seconds(7)));
        assert_eq!(at_once(&rules, &report, None), None);
        assert_eq!(failed_probe(&rules, &report, &half_open(credential_scope(), CooldownCause::Error)), None);
        let mut window = Window::default();
        assert!((0..20).all(|_| window.note(&rules, &report_at(Blame::Error, NOW)).is_none()));
    }
}

#[test]
fn spent_credit_rests_until_the_quota_resets_and_for_max_hint_where_nobody_knows_when() {
    let in_days = NOW.plus(seconds(20 * 24 * 3_600));
    let cases = [
        (None, None, NOW.plus(HOUR)),
        (Some(in_days), None, in_days),
        (Some(NOW.minus(MINUTE)), None, NOW.plus(HOUR)),
        (Some(NOW), None, NOW.plus(HOUR)),
        (Some(in_days), Some(MINUTE), NOW.plus(MINUTE)),
        (None, Some(seconds(86_400)), NOW.plus(HOUR)),
    ];
    for (quota_resets_at, hint, until) in cases {
        let rules = Rules { quota_resets_at, ..rules() };
        let rest = at_once(&rules, &report(Blame::Spent, hint), None).unwrap();
        assert_eq!(
            (rest.until, rest.cause),
            (until, CooldownCause::QuotaExhausted),
            "{quota_resets_at:?} {hint:?}"
        );
    }
}

#[test]
fn a_refused_credential_is_tried_again_after_rests_that_double_up_to_max_hint() {
    let rules = rules();
    let mut known: Option<Cooldown> = None;
    let mut rests = Vec::new();
    let mut now = NOW;
    for _ in 0..40 {
        let rest = at_once(&rules, &report_at(Blame::Rejected, now), known.as_ref()).unwrap();
        rests.push(rest.until.since(now).as_secs() / 60);
        assert_eq!(stage(&rest, rest.until), Stage::HalfOpen(rest.permit.clone()));
        now = rest.until;
        known = Some(rest);
    }
    assert_eq!(rests[..6], [5, 10, 20, 40, 60, 60]);
    assert!(rests[6..].iter().all(|minutes| *minutes == 60));
}

#[test]
fn a_default_duration_above_max_hint_is_kept_since_it_is_no_hint() {
    let durations = CooldownDurations { default: HOUR * 3, ..CooldownDurations::default() };
    let rest = at_once(&Rules { durations, ..rules() }, &report(Blame::Rejected, None), None).unwrap();
    assert_eq!(rest.until, NOW.plus(HOUR * 3));
}

#[test]
fn calls_refused_side_by_side_make_one_rest_and_do_not_double_it() {
    let first = at_once(&rules(), &report(Blame::Rejected, None), None).unwrap();
    let soon = NOW.plus(seconds(1));
    let second = at_once(&rules(), &report_at(Blame::Rejected, soon), Some(&first)).unwrap();
    assert_eq!(second.until, soon.plus(CooldownDurations::default().default));
    assert_eq!((second.streak, second.started_at, second.permit.number), (1, first.started_at, 0));
}

#[test]
fn a_credential_that_was_answered_since_starts_from_the_first_rest() {
    let known = Cooldown {
        streak: 5,
        cleared: true,
        round: 1,
        ..half_open(credential_scope(), CooldownCause::CredentialRejected)
    };
    let rest = at_once(&rules(), &report_at(Blame::Rejected, NOW.plus(HOUR)), Some(&known)).unwrap();
    assert_eq!(rest.until, NOW.plus(HOUR).plus(CooldownDurations::default().default));
    assert_eq!((rest.streak, rest.round), (1, 1));
}

#[test]
fn evidence_from_before_an_operators_word_makes_no_rest() {
    let recovered =
        recover(CooldownKey::credential("claude".into(), "main".into()), 3, NOW, "ana", "key is new");
    let stale = Report { seen_epoch: 3, ..report(Blame::RateLimit, Some(seconds(90))) };
    assert_eq!(at_once(&rules(), &stale, Some(&recovered)), None);
    let fresh = Report { seen_epoch: 4, ..stale };
    let rest = at_once(&rules(), &fresh, Some(&recovered)).unwrap();
    assert_eq!(recovered.merge(rest.clone()), rest);
}
