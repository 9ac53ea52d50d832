use crate::{
    cooldown::RISE,
    world::{NOW, World},
};
use cliproxy_domain::{Measured, Strategy};

#[test]
fn traffic_does_not_return_all_at_once_at_the_end_of_a_rest() {
    let share = |percent| {
        let world = World::weighted(&[1, 1, 1]).rising("b", None, percent);
        let counts = ["a/k", "b/k", "c/k"].map(|name| world.count(0..3_000, name));
        assert!(counts[0].abs_diff(counts[2]) <= 20, "the others take alike what it leaves: {counts:?}");
        counts[1]
    };
    for (percent, expected) in [(10, 100), (30, 300), (50, 500), (90, 900), (100, 1_000)] {
        assert!(share(percent).abs_diff(expected) <= 3, "{percent} %: {} of 1000", share(percent));
    }
}

#[test]
fn a_target_that_rises_alone_serves_everything() {
    let world = World::of(&[("a", &["k1", "k2"])]).rising("a", None, 10);
    assert_eq!(["a/k1", "a/k2"].map(|name| world.count(0..100, name)), [50, 50]);
    let late = World::weighted(&[1, 1]).priority("b", 2).rising("a", None, 10);
    assert_eq!(late.count(0..100, "a/k"), 100, "it is alone in its tier");
}

#[test]
fn a_credential_that_rises_takes_its_part_of_its_targets_turns() {
    let world = World::of(&[("a", &["k1", "k2"]), ("b", &["k"])]).rising("a", Some("k2"), 20);
    let counts = ["a/k1", "a/k2", "b/k"].map(|name| world.count(0..4_000, name));
    assert_eq!(counts[2], 2_000, "its target has a whole credential and takes all of its turns");
    assert!(counts[1].abs_diff(200) <= 3, "{counts:?}");
}

#[test]
fn health_and_rests_both_count_and_the_smaller_part_holds() {
    let mut world = World::weighted(&[1, 1]).rising("a", None, 50);
    world = world.health("a", cliproxy_domain::HealthState::Healthy);
    for hint in &mut world.hints {
        if let cliproxy_domain::Hint::Health(health) = hint {
            health.recovered = true;
            health.since = NOW.minus(RISE * 20 / 100);
        }
    }
    assert!(world.count(0..1_000, "a/k").abs_diff(100) <= 3);
}

#[test]
fn the_best_of_a_strategy_returns_slowly_as_well() {
    let measured = |ms: u64| Measured { wholes: 50, whole_us: ms * 1_000, ..Measured::default() };
    let world = World::weighted(&[1, 1, 1])
        .by(Strategy::Latency)
        .measured("a", measured(100))
        .measured("b", measured(900))
        .measured("c", measured(500))
        .rising("a", None, 30);
    let firsts = ["a/k", "b/k", "c/k"].map(|name| world.count(0..1_000, name));
    assert!(firsts[0].abs_diff(300) <= 3 && firsts[1] == 0, "{firsts:?}");
    let declined = (0..50).map(|ticket| world.names(ticket)).find(|names| names[0] != "a/k").unwrap();
    assert_eq!(declined, ["c/k", "b/k", "a/k"], "it stands behind the others of its tier");
}

#[test]
fn a_target_that_rises_is_no_ones_first_fall_back() {
    let world = World::weighted(&[1, 1, 1]).rising("b", None, 30);
    for names in (0..100).map(|ticket| world.names(ticket)).filter(|names| names[0] != "b/k") {
        assert_eq!(names[2], "b/k");
    }
}

#[test]
fn credentials_of_targets_that_all_rise_still_take_turns() {
    let world =
        World::of(&[("a", &["k1", "k2"]), ("b", &["k1", "k2"])]).rising("a", None, 10).rising("b", None, 10);
    for name in ["a/k1", "a/k2", "b/k1", "b/k2"] {
        let count = world.count(0..4_000, name);
        assert!(count.abs_diff(1_000) <= 60, "{name}: {count} of 4000");
    }
}
