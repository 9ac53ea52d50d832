mod cost;
mod exclusions;
mod latency;
mod quota_aware;
mod slow_start;

use crate::world::{NOW, World};
use cliproxy_domain::{CooldownCause, Exclusion, WallTime};
use std::collections::BTreeMap;

fn counts(firsts: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    firsts.into_iter().for_each(|first| *counts.entry(first).or_default() += 1);
    counts
}

#[test]
fn equal_targets_take_turns() {
    let world = World::weighted(&[1, 1, 1]);
    assert_eq!(world.firsts(0..6), ["a/k", "b/k", "c/k", "a/k", "b/k", "c/k"]);
}

#[test]
fn weights_are_exact_over_their_period() {
    let world = World::weighted(&[5, 3, 2]);
    for start in [0, 7, 1 << 40] {
        let counts = counts(world.firsts(start..start + 1_000));
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [500, 300, 200]);
    }
}

#[test]
fn other_targets_come_before_other_credentials_and_lower_tiers_first() {
    let world =
        World::of(&[("a", &["k1", "k2"]), ("b", &["k1", "k2"]), ("late", &["k"])]).priority("late", 2);
    assert_eq!(world.names(0), ["a/k1", "b/k1", "late/k", "a/k2", "b/k2"]);
}

#[test]
fn credentials_of_a_target_take_turns_by_their_weights() {
    let world = World::of(&[("a", &["k1", "k2"]), ("b", &["k"])]).credential_weights("a", &[3, 1]);
    let counts = counts(world.firsts(0..80));
    assert_eq!(counts, BTreeMap::from([("a/k1".into(), 30), ("a/k2".into(), 10), ("b/k".into(), 40)]));
}

#[test]
fn credentials_take_exact_turns_whatever_the_targets_weights() {
    let mut world = World::of(&[("a", &["k1", "k2", "k3"]), ("b", &["k1", "k2"])]);
    world.candidate("a").weight = 3;
    world.candidate("b").weight = 2;
    let counts = counts(world.firsts(0..60));
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [12, 12, 12, 12, 12]);
}

#[test]
fn a_resting_credential_is_left_out_and_its_target_only_when_all_rest() {
    let until = |ms| move |rest: &mut cliproxy_domain::Cooldown| rest.until = WallTime(NOW.0 + ms);
    let world = World::of(&[("a", &["k1", "k2"]), ("b", &["k"])]).rest("a", Some("k1"), until(500)).rest(
        "b",
        Some("k"),
        until(200),
    );
    assert_eq!(world.names(1), ["a/k2"]);
    let order = world.order(1);
    let left_out: Vec<_> =
        order.excluded.iter().map(|out| (out.candidate, out.credential, out.reason)).collect();
    assert_eq!(left_out, [(0, Some(0), Exclusion::Cooldown), (1, Some(0), Exclusion::Cooldown)]);
    assert_eq!(order.excluded[0].cause, Some(CooldownCause::RateLimit));
    assert_eq!(order.soonest, Some(WallTime(NOW.0 + 200)));
}

#[test]
fn those_behind_come_after_their_tier_and_before_the_next() {
    let mut world = World::weighted(&[1, 1, 1]).priority("c", 2);
    world.candidate("a").behind = true;
    for ticket in 0..4 {
        assert_eq!(world.names(ticket), ["b/k", "a/k", "c/k"]);
    }
}
