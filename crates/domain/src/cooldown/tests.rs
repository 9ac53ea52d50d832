use super::*;
use crate::hint::Hint;
use proptest::prelude::*;

const NOW: WallTime = WallTime(1_771_541_400_000);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn rest(until: WallTime) -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("claude".into(), "main".into()),
        epoch: 0,
        round: 0,
        started_at: NOW,
        until,
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "a".into(),
        permit: Permit { number: 0, node: Some("a".into()) },
        streak: 1,
        evidence: Evidence { http_status: 429, error_type: "rate_limit".to_owned(), ..Evidence::default() },
    }
}

#[track_caller]
fn wins(winner: &Cooldown, loser: &Cooldown) {
    assert_eq!(winner.clone().merge(loser.clone()), *winner);
    assert_eq!(loser.clone().merge(winner.clone()), *winner);
}

#[test]
fn a_shorter_hint_never_cuts_a_longer_one_and_a_later_longer_one_extends_it() {
    let long = rest(NOW.plus(seconds(600)));
    let short = Cooldown { started_at: NOW.plus(seconds(5)), ..rest(NOW.plus(seconds(7))) };
    let longer = Cooldown { started_at: NOW.plus(seconds(5)), ..rest(NOW.plus(seconds(900))) };
    wins(&long, &short);
    wins(&longer, &long);
}

#[test]
fn an_operators_word_beats_whatever_was_seen_before_it() {
    let a_year = rest(NOW.plus(seconds(365 * 24 * 3_600)));
    let probed = Cooldown { round: 40, ..a_year.clone() };
    let recovered =
        Cooldown { epoch: 1, until: NOW, cleared: true, cause: CooldownCause::Manual, ..a_year.clone() };
    let forced =
        Cooldown { epoch: 2, until: NOW.plus(seconds(1)), cause: CooldownCause::Manual, ..a_year.clone() };
    wins(&recovered, &a_year);
    wins(&recovered, &probed);
    wins(&forced, &recovered);
}

#[test]
fn a_probe_that_succeeded_ends_the_rest_that_it_probed_and_a_newer_rest_goes_on_behind_it() {
    let ended = rest(NOW.plus(seconds(60)));
    let cleared = Cooldown { round: 1, until: NOW.plus(seconds(61)), cleared: true, ..ended.clone() };
    let late = Cooldown { until: NOW.plus(seconds(3_600)), ..ended.clone() };
    let newer = Cooldown { round: 1, until: NOW.plus(seconds(90)), ..ended.clone() };
    wins(&cleared, &ended);
    wins(&cleared, &late);
    wins(&newer, &cleared);
}

#[test]
fn the_latest_grant_holds_the_permit() {
    let first = rest(NOW);
    let granted = Cooldown { permit: Permit { number: 1, node: Some("b".into()) }, ..first.clone() };
    wins(&granted, &first);
}

#[test]
fn a_grant_that_came_sooner_than_the_word_before_it_is_not_lost() {
    // The end as two nodes know it differs by what the messages took.
    let known = rest(NOW.plus(Duration::from_millis(3)));
    let permit = Permit { number: 1, node: Some("b".into()) };
    let granted = Cooldown { permit: permit.clone(), ..rest(NOW.plus(Duration::from_millis(1))) };
    let both = Cooldown { permit, ..known.clone() };
    assert_eq!(known.clone().merge(granted.clone()), both);
    assert_eq!(granted.merge(known), both);
}

#[test]
fn a_grant_of_a_round_that_is_over_is_worth_nothing() {
    let granted = Cooldown { permit: Permit { number: 9, node: Some("b".into()) }, ..rest(NOW) };
    let cleared = Cooldown { round: 1, cleared: true, ..rest(NOW) };
    wins(&cleared, &granted);
}

#[test]
fn a_scope_covers_itself_and_what_is_within_it() {
    let model =
        |credential: &str, model: &str| Scope::Model { credential: credential.into(), model: model.into() };
    let credential = |name: &str| Scope::Credential(name.into());
    let cases = [
        (Scope::Provider, model("a", "m"), true),
        (Scope::Provider, Scope::Provider, true),
        (credential("a"), model("a", "m"), true),
        (credential("a"), credential("a"), true),
        (credential("a"), credential("b"), false),
        (credential("a"), Scope::Provider, false),
        (credential("a"), model("b", "m"), false),
        (model("a", "m"), model("a", "m"), true),
        (model("a", "m"), model("a", "n"), false),
        (model("a", "m"), credential("a"), false),
    ];
    for (wide, narrow, covered) in cases {
        assert_eq!(wide.covers(&narrow), covered, "{wide:?} over {narrow:?}");
    }
}

#[test]
fn a_key_is_shown_by_its_names() {
    let model = CooldownKey::model("claude".into(), "main".into(), "opus".into());
    assert_eq!(model.to_string(), "claude/main/opus");
    assert_eq!(CooldownKey::credential("claude".into(), "main".into()).to_string(), "claude/main");
    assert_eq!(CooldownKey::provider("claude".into()).to_string(), "claude");
}

fn any_cause() -> impl Strategy<Value = CooldownCause> {
    proptest::sample::select(vec![
        CooldownCause::RateLimit,
        CooldownCause::QuotaExhausted,
        CooldownCause::CredentialRejected,
        CooldownCause::Error,
        CooldownCause::Manual,
    ])
}

fn any_node() -> impl Strategy<Value = NodeId> {
    "[a-c]?".prop_map(NodeId::from)
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    (0_u16..3, "[ab]?", proptest::option::of(0_u64..3), any::<bool>(), 0_u32..3, "[ab]?").prop_map(
        |(http_status, error_type, hint, clamped, errors, by)| Evidence {
            http_status,
            error_type,
            hint: hint.map(seconds),
            clamped,
            errors,
            window: seconds(u64::from(errors)),
            note: by.clone(),
            by,
        },
    )
}

/// Few values of each field, so that values often differ in one field alone.
fn any_cooldown() -> impl Strategy<Value = Cooldown> {
    let order = (0_u64..3, 0_u32..3, 0_i64..3, any::<bool>(), 0_u32..3);
    let rest =
        (any_cause(), 0_i64..3, 0_u32..3, any_node(), proptest::option::of(any_node()), any_evidence());
    (order, rest).prop_map(
        |((epoch, round, until, cleared, number), (cause, at, streak, source, node, evidence))| Cooldown {
            key: CooldownKey::provider("claude".into()),
            epoch,
            round,
            started_at: WallTime(at),
            until: WallTime(until),
            cleared,
            cause,
            source,
            permit: Permit { number, node },
            streak,
            evidence,
        },
    )
}

fn any_hint() -> impl Strategy<Value = Hint> {
    any_cooldown().prop_map(Hint::Cooldown)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_knows_no_order_and_no_number_of_times(a in any_cooldown(), b in any_cooldown(), c in any_cooldown()) {
        prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
        prop_assert_eq!(
            a.clone().merge(b.clone()).merge(c.clone()),
            a.clone().merge(b.clone().merge(c))
        );
        prop_assert_eq!(a.clone().merge(a.clone()), a.clone());
        let both = a.clone().merge(b.clone());
        prop_assert_eq!(both.clone().merge(b), both);
    }

    #[test]
    fn hints_merge_as_what_they_carry(a in any_hint(), b in any_hint(), c in any_hint()) {
        prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
        prop_assert_eq!(
            a.clone().merge(b.clone()).merge(c.clone()),
            a.clone().merge(b.clone().merge(c))
        );
        prop_assert_eq!(a.clone().merge(a.clone()), a);
    }

    #[test]
    fn whatever_order_nodes_hear_it_in_they_end_with_the_same(
        values in proptest::collection::vec(any_cooldown(), 1..8), seed in any::<u64>(),
    ) {
        let mut shuffled = values.clone();
        let turn = usize::try_from(seed % values.len() as u64).unwrap();
        shuffled.rotate_left(turn);
        shuffled.extend_from_slice(&values[..turn]);
        let merged = |all: Vec<Cooldown>| all.into_iter().reduce(Cooldown::merge);
        prop_assert_eq!(merged(values), merged(shuffled));
    }

    #[test]
    fn nothing_older_undoes_a_later_epoch_or_round(a in any_cooldown(), b in any_cooldown()) {
        let newest = (a.epoch, a.round).max((b.epoch, b.round));
        let longest = [&a, &b].into_iter().filter(|of| (of.epoch, of.round) == newest).map(|of| of.until).max();
        let merged = a.merge(b);
        prop_assert_eq!((merged.epoch, merged.round), newest);
        prop_assert_eq!(Some(merged.until), longest);
    }
}
