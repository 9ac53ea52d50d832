use crate::{
    Idle, Order, order,
    select::{VERDICT, probed},
    world::{NOW, World},
};
use cliproxy_domain::{
    CooldownCause, Exclusion, HealthState, LimitSubject, Permit, Quota, QuotaReset, QuotaUnit, WallTime,
};

fn reasons(order: &Order) -> Vec<(usize, &'static str)> {
    order.excluded.iter().map(|out| (out.candidate, out.reason.as_str())).collect()
}

const PAST: WallTime = WallTime(NOW.0 - 1);

#[test]
fn each_reason_is_told_of_what_it_keeps_out() {
    let mut world =
        World::of(&[("a", &["k"]), ("b", &["k"]), ("c", &["k"]), ("d", &[]), ("e", &["k"]), ("f", &["k"])])
            .rest("a", None, |rest| rest.cause = CooldownCause::Error)
            .health("b", HealthState::Unhealthy)
            .rest("c", Some("k"), |rest| rest.cause = CooldownCause::QuotaExhausted)
            .rest("e", Some("k"), |rest| {
                rest.until = PAST;
                rest.permit = Permit { number: 4, node: Some("another".into()) };
            });
    let expected = [
        (0, "cooldown"),
        (1, "unhealthy"),
        (2, "quota_exhausted"),
        (3, "no_credential"),
        (4, "circuit_half_open_busy"),
    ];
    let order = world.order(0);
    assert_eq!(reasons(&order), expected);
    assert_eq!(order.excluded[4].until, Some(NOW.plus(VERDICT)));
    assert_eq!(order.soonest, Some(NOW.plus(VERDICT)));
    assert_eq!(world.names(0), ["f/k"]);
    world.candidate("f").slot = usize::MAX;
    let reasons = reasons(&world.order(0));
    assert!(
        reasons.contains(&(5, "no_credential")),
        "a provider that is not configured has no key: {reasons:?}"
    );
}

#[test]
fn a_quota_that_is_used_up_keeps_away_until_it_begins_anew_and_no_longer() {
    let world = World::of(&[("a", &["k"])]).quota("a", QuotaUnit::Tokens, 10, 10);
    let mut outlook = world.outlook();
    let ends = WallTime(NOW.0 + 9_000);
    let out = order(&world.scene(&outlook, 0, &Idle), &world.set);
    assert_eq!((reasons(&out), out.soonest), (vec![(0, "quota_exhausted")], Some(ends)));
    // Nobody has told of the period that runs.
    outlook.providers[0].quota.as_mut().unwrap().resets_at = Some(NOW);
    assert_eq!(order(&world.scene(&outlook, 0, &Idle), &world.set).picks.len(), 1);
}

#[test]
fn a_credential_whose_quota_is_used_up_is_left_out_and_the_others_are_not() {
    let mut world = World::of(&[("a", &["k", "l"])]);
    world.provider("a").credentials[0].quota = Some(Quota::new(10, QuotaUnit::Requests, QuotaReset::Daily));
    let subject = || LimitSubject::Credential("a".into(), "k".into());
    let left = world.used(subject(), QuotaUnit::Requests, 9, 1);
    assert_eq!(left.order(0).excluded.len(), 0, "what nodes hold is theirs to spend");
    let world = left.used(subject(), QuotaUnit::Tokens, 10, 0);
    assert_eq!(world.order(0).excluded.len(), 0, "that is another unit's");
    let world = world.used(subject(), QuotaUnit::Requests, 10, 0);
    assert_eq!(reasons(&world.order(0)), [(0, "quota_exhausted")]);
    assert_eq!(world.names(0), ["a/l"]);
}

#[test]
fn what_is_unhealthy_is_the_last_resort() {
    let world = World::weighted(&[1, 1]).rest("a", None, |_| {}).health("b", HealthState::Unhealthy);
    let order = world.order(0);
    assert_eq!((world.names(0), order.health_ignored), (vec!["b/k".to_owned()], true));
    assert_eq!(reasons(&order), [(0, "cooldown")]);
}

#[test]
fn an_operators_rest_ends_when_he_said_with_nothing_to_find_out() {
    let world = World::weighted(&[1]).rest("a", None, |rest| {
        rest.until = PAST;
        rest.cause = CooldownCause::Manual;
    });
    let order = world.order(0);
    assert_eq!(order.picks.iter().map(|pick| pick.probes).collect::<Vec<_>>(), [false]);
}

#[test]
fn an_operators_rest_of_a_provider_undoes_no_longer_rest_of_its_keys() {
    let world =
        |cleared: bool| {
            World::of(&[("a", &["k"])])
                .rest("a", Some("k"), |rest| rest.until = WallTime(NOW.0 + 9_000))
                .rest("a", None, |rest| {
                    (rest.until, rest.cause, rest.epoch, rest.cleared) =
                        (PAST, CooldownCause::Manual, 1, cleared);
                })
        };
    assert_eq!(reasons(&world(false).order(0)), [(0, "cooldown")]);
    assert_eq!(world(true).names(0), ["a/k"], "a recovery does");
}

#[test]
fn when_all_rest_the_soonest_end_and_every_reason_are_known() {
    let world = World::of(&[("a", &["k1", "k2"]), ("b", &["k"])])
        .rest("a", Some("k1"), |rest| rest.until = WallTime(NOW.0 + 3_000))
        .rest("a", Some("k2"), |rest| rest.until = WallTime(NOW.0 + 2_000))
        .rest("b", None, |rest| rest.until = WallTime(NOW.0 + 9_000));
    let order = world.order(0);
    assert!(order.picks.is_empty());
    assert_eq!(order.excluded.len(), 3);
    assert!(
        order.excluded.iter().all(|out| out.cause == Some(CooldownCause::RateLimit) && out.until.is_some())
    );
    assert_eq!(order.soonest, Some(WallTime(NOW.0 + 2_000)));
}

#[test]
fn one_keys_rest_keeps_no_other_key_out() {
    let world = World::of(&[("a", &["k1", "k2"])]).rest("a", Some("k1"), |_| {});
    assert_eq!(world.firsts(0..3), ["a/k2"; 3]);
}

#[test]
fn the_one_with_the_permit_takes_part_in_turns_and_is_marked() {
    let world = World::weighted(&[1, 1]).rest("a", Some("k"), |rest| rest.until = PAST);
    assert_eq!(world.firsts(0..4), ["a/k", "b/k", "a/k", "b/k"]);
    let (order, outlook) = (world.order(0), world.outlook());
    assert_eq!(order.picks.iter().map(|pick| pick.probes).collect::<Vec<_>>(), [true, false]);
    let rest = probed(&outlook, &world.set, order.picks[0], NOW).unwrap();
    assert_eq!(rest.key.to_string(), "a/k");
    assert!(probed(&outlook, &world.set, order.picks[1], NOW).is_none());
}

#[test]
fn a_node_that_is_cut_off_finds_out_for_itself() {
    let mut world = World::weighted(&[1]).rest("a", Some("k"), |rest| {
        rest.until = PAST;
        rest.permit = Permit { number: 1, node: Some("another".into()) };
    });
    assert!(world.order(0).picks.is_empty());
    world.cut_off = true;
    assert!(world.order(0).picks[0].probes);
}

#[test]
fn health_keeps_targets_out_until_more_than_half_are_unhealthy() {
    let world = |unhealthy: &[&str]| {
        let fresh = World::weighted(&[1, 1, 1, 1]);
        unhealthy.iter().fold(fresh, |world, name| world.health(name, HealthState::Unhealthy))
    };
    let order = world(&["a", "b"]).order(0);
    assert_eq!((order.picks.len(), order.health_ignored), (2, false));
    let order = world(&["a", "b", "c"]).order(0);
    assert_eq!((order.picks.len(), order.health_ignored, order.excluded.len()), (4, true, 0));
}

#[test]
fn rests_hold_even_where_health_is_ignored() {
    let world = World::weighted(&[1]).health("a", HealthState::Failed).rest("a", None, |_| {});
    let order = world.order(0);
    assert!(order.health_ignored);
    assert_eq!(reasons(&order), [(0, "cooldown")]);
    assert_eq!(order.excluded[0].reason, Exclusion::Cooldown);
}

#[test]
fn one_that_nobody_asks_for_its_health_is_not_kept_out_by_it() {
    let mut world = World::weighted(&[1, 1]).health("a", HealthState::Unhealthy);
    assert_eq!(world.names(0), ["b/k"]);
    world.snapshot.policy.health_check.enabled = false;
    assert_eq!(world.order(0).picks.len(), 2);
}

#[test]
fn what_a_client_may_not_use_is_left_out_and_says_nothing_of_the_others_health() {
    let mut world = World::of(&[("a", &["k"]), ("b", &["k"]), ("c", &["k"])]);
    world.only = vec!["a".into(), "c".into()];
    assert_eq!(world.names(0), ["a/k", "c/k"]);
    let left_out = world.order(0).excluded;
    assert_eq!(left_out.len(), 1);
    assert_eq!((left_out[0].candidate, left_out[0].reason), (1, Exclusion::NotAllowed));
    // Two of three are down, but one of the two that count.
    let mut world = world.health("a", HealthState::Unhealthy).health("b", HealthState::Unhealthy);
    assert_eq!(world.names(0), ["c/k"]);
    world.only.clear();
    assert!(world.order(0).health_ignored);
}
