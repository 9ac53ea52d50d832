use crate::world::World;
use cliproxy_domain::{Measured, Strategy};

/// Measured by streams and by other answers, in milliseconds.
fn ms(streams: (u64, u64), wholes: (u64, u64)) -> Measured {
    Measured {
        streams: streams.0,
        first_event_us: streams.1 * 1_000,
        wholes: wholes.0,
        whole_us: wholes.1 * 1_000,
        ..Measured::default()
    }
}

fn wholes(answers: u64, mean_ms: u64) -> Measured {
    ms((0, 0), (answers, mean_ms))
}

fn world(measured: &[Measured]) -> World {
    let mut world = World::weighted(&vec![1; measured.len()]).by(Strategy::Latency);
    for (name, measured) in (b'a'..).zip(measured) {
        world = world.measured(&char::from(name).to_string(), measured.clone());
    }
    world
}

#[test]
fn the_fastest_goes_first_and_the_others_follow_by_their_latency() {
    let world = world(&[wholes(50, 900), wholes(50, 400), wholes(50, 600)]);
    for ticket in 0..40 {
        assert_eq!(world.names(ticket), ["b/k", "c/k", "a/k"]);
    }
}

#[test]
fn streams_go_by_their_first_event_and_the_rest_by_the_whole_time() {
    let mut world = world(&[ms((9, 100), (9, 5_000)), ms((9, 300), (9, 2_000))]);
    assert_eq!(world.firsts(0..3), ["b/k"; 3]);
    world.streaming = true;
    assert_eq!(world.firsts(0..3), ["a/k"; 3]);
}

#[test]
fn answers_of_the_other_sort_tell_nothing() {
    let mut world = world(&[ms((100, 10), (0, 0)), ms((0, 0), (5, 4_000))]);
    assert_eq!(world.count(0..100, "b/k"), 95);
    world.streaming = true;
    assert_eq!(world.count(0..100, "a/k"), 95);
}

#[test]
fn those_within_a_tenth_of_the_lowest_share_by_weight() {
    let mut world = world(&[wholes(50, 400), wholes(50, 440), wholes(50, 441)]);
    assert_eq!(["a/k", "b/k", "c/k"].map(|name| world.count(0..100, name)), [50, 50, 0]);
    world.candidate("a").weight = 3;
    assert_eq!(["a/k", "b/k", "c/k"].map(|name| world.count(0..100, name)), [75, 25, 0]);
}

#[test]
fn one_request_in_twenty_explores_a_target_with_too_few_answers_and_the_turns_between_stay_exact() {
    let world = world(&[wholes(50, 400), wholes(50, 410), wholes(4, 1), wholes(0, 0)]);
    let firsts = world.firsts(0..80);
    assert_eq!(firsts.iter().skip(19).step_by(20).collect::<Vec<_>>(), ["c/k", "d/k", "c/k", "d/k"]);
    for pair in firsts.chunks(20).flat_map(|twenty| twenty[..19].windows(2)) {
        assert_ne!(pair[0], pair[1], "equals take turns");
    }
    for name in ["a/k", "b/k"] {
        assert_eq!(firsts.iter().filter(|first| *first == name).count(), 38);
    }
}

/// Failures are in no mean, so that all that a target's fast refusals leave is that it has few answers.
#[test]
fn a_target_that_refuses_fast_attracts_only_its_turns_to_be_explored() {
    let only_refuses = Measured::default();
    let world = world(&[only_refuses, wholes(50, 4_000), wholes(50, 4_100)]);
    assert_eq!(world.count(0..1_000, "a/k"), 50);
    let refuses_mostly = wholes(4, 10);
    let world = World::weighted(&[1, 1])
        .by(Strategy::Latency)
        .measured("a", refuses_mostly)
        .measured("b", wholes(500, 4_000));
    assert_eq!(world.count(0..1_000, "a/k"), 50);
}

#[test]
fn an_explored_target_is_never_relied_upon() {
    let world = world(&[wholes(4, 1), wholes(50, 400)]);
    assert_eq!(world.names(0), ["b/k", "a/k"]);
    assert_eq!(world.names(19), ["a/k", "b/k"]);
}

#[test]
fn while_nothing_is_measured_all_take_turns() {
    let world = world(&[wholes(0, 0), wholes(4, 1), wholes(3, 9_000)]);
    assert_eq!(world.firsts(18..24), ["a/k", "b/k", "c/k", "a/k", "b/k", "c/k"]);
}

#[test]
fn lower_tiers_are_not_left_for_a_faster_target() {
    let world = world(&[wholes(50, 900), wholes(50, 100)]).priority("b", 2);
    assert_eq!(world.names(0), ["a/k", "b/k"]);
}

/// What the control plane measures follows from the traffic that balancing sends; here each round's answers are the
/// next round's means.
#[test]
fn what_is_alike_at_the_same_load_stays_balanced_and_a_swap_is_followed() {
    // Idle latency, and what each percent of the traffic adds.
    let mut targets = [(400.0, 0.5), (405.0, 0.5), (800.0, 0.5)];
    let mut shares = [33.0; 3];
    let mut play = |targets: &[(f64, f64); 3], rounds: usize| {
        let mut seen = Vec::new();
        for _ in 0..rounds {
            let mean = |at: usize| (targets[at].0 + targets[at].1 * shares[at]) as u64;
            let world = world(&[wholes(50, mean(0)), wholes(50, mean(1)), wholes(50, mean(2))]);
            shares = ["a/k", "b/k", "c/k"].map(|name| world.count(0..1_000, name) as f64 / 10.0);
            seen.push(shares);
        }
        seen
    };
    for shares in play(&targets, 6) {
        assert_eq!(shares, [50.0, 50.0, 0.0]);
    }
    targets[0].0 = 2_000.0;
    targets[2].0 = 400.0;
    for shares in play(&targets, 6).split_off(1) {
        assert_eq!(shares, [0.0, 50.0, 50.0]);
    }
}
