use crate::world::World;
use cliproxy_domain::{
    Exclusion, LimitSubject,
    QuotaUnit::{Requests, Tokens, Usd},
    Strategy,
};

#[test]
fn the_most_that_is_left_goes_first_in_amounts_where_all_count_the_same() {
    let world = World::weighted(&[1, 1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 1_000_000, 900_000)
        .quota("b", Tokens, 2_000_000, 1_800_000)
        .quota("c", Tokens, 160_000, 10_000);
    for ticket in 0..6 {
        assert_eq!(world.names(ticket), ["b/k", "c/k", "a/k"]);
    }
}

#[test]
fn fractions_are_compared_where_units_differ() {
    let world = World::weighted(&[1, 1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 1_000_000, 900_000)
        .quota("b", Requests, 100, 50)
        .quota("c", Usd, 10_000_000_000, 6_000_000_000);
    assert_eq!(world.names(5), ["b/k", "c/k", "a/k"]);
}

#[test]
fn a_target_without_a_quota_comes_before_all_and_does_not_change_how_the_others_compare() {
    let world = World::weighted(&[1, 1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 1_000_000, 900_000)
        .quota("b", Tokens, 100, 0);
    assert_eq!(world.names(0), ["c/k", "a/k", "b/k"]);
}

#[test]
fn what_is_left_alike_is_taken_in_turn_by_weight_also_among_the_fall_backs() {
    let world = World::weighted(&[2, 1, 1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 500, 0)
        .quota("b", Tokens, 900, 400)
        .quota("c", Tokens, 100, 0)
        .quota("d", Tokens, 200, 100);
    assert_eq!(["a/k", "b/k", "c/k"].map(|name| world.count(0..90, name)), [60, 30, 0]);
    let thirds: Vec<_> = (0..4).map(|ticket| world.names(ticket).swap_remove(2)).collect();
    assert_eq!(thirds, ["c/k", "d/k", "c/k", "d/k"]);
}

#[test]
fn what_nodes_hold_is_counted_off_what_is_left() {
    let subject = |name: &str| LimitSubject::Provider(name.into());
    let world = World::weighted(&[1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 1_000, 0)
        .quota("b", Tokens, 1_000, 0)
        .used(subject("a"), Tokens, 300, 500)
        .used(subject("b"), Tokens, 700, 0);
    assert_eq!(world.names(0), ["b/k", "a/k"]);
}

#[test]
fn what_is_used_up_is_left_out_until_it_begins_anew() {
    let world = World::weighted(&[1, 1])
        .by(Strategy::QuotaAware)
        .quota("a", Tokens, 100, 250)
        .quota("b", Tokens, 100, 99);
    assert_eq!(world.names(0), ["b/k"]);
    let order = world.order(0);
    assert_eq!(order.excluded[0].reason, Exclusion::QuotaExhausted);
    assert_eq!(order.soonest, order.excluded[0].until);
    assert!(order.soonest.is_some());
}
