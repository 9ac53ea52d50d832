use crate::world::World;
use cliproxy_domain::{Measured, Strategy};

fn tokens(input_tokens: u64, output_tokens: u64) -> Measured {
    Measured { input_tokens, output_tokens, ..Measured::default() }
}

#[test]
fn the_lowest_mean_price_goes_first_and_what_has_none_last() {
    // At three prompt tokens for each generated one: 6.0, 5.75 and 5.5 thousandths of a dollar.
    let world = World::weighted(&[1, 1, 1, 1])
        .by(Strategy::Cost)
        .price("a", 3_000_000, 15_000_000)
        .price("b", 1_000_000, 20_000_000)
        .price("d", 2_000_000, 16_000_000);
    for ticket in 0..20 {
        assert_eq!(world.names(ticket), ["d/k", "b/k", "a/k", "c/k"]);
    }
}

#[test]
fn the_observed_mix_decides_where_prices_cross() {
    let world = |mix: Option<Measured>| {
        let world = World::weighted(&[1, 1])
            .by(Strategy::Cost)
            .price("a", 1_000_000, 10_000_000)
            .price("b", 3_000_000, 5_000_000);
        match mix {
            None => world,
            Some(mix) => world.measured("a", mix.clone()).measured("b", mix),
        }
    };
    let cases = [
        // 3.25 to 3.5.
        (None, "a/k"),
        // 1.9 to 3.2.
        (Some(tokens(900, 100)), "a/k"),
        // 5.5 to 4.0.
        (Some(tokens(500, 500)), "b/k"),
    ];
    for (mix, expected) in cases {
        assert_eq!(world(mix.clone()).firsts(0..3), [expected; 3], "{mix:?}");
    }
}

#[test]
fn each_target_goes_by_its_own_mix() {
    // The dearer one answers so briefly that it costs less: 1.14 to 4.0.
    let world = World::weighted(&[1, 1])
        .by(Strategy::Cost)
        .price("a", 1_000_000, 15_000_000)
        .price("b", 1_000_000, 7_000_000)
        .measured("a", tokens(990, 10))
        .measured("b", tokens(500, 500));
    assert_eq!(world.firsts(0..3), ["a/k"; 3]);
}

#[test]
fn a_target_without_traffic_is_judged_by_the_mix_of_the_others() {
    // At 3:1, b would look cheaper than a at the mix that it serves, and draw the traffic until its own was known.
    let world = World::weighted(&[1, 1])
        .by(Strategy::Cost)
        .price("a", 3_000_000, 15_000_000)
        .price("b", 4_000_000, 20_000_000)
        .measured("a", tokens(500, 500));
    assert_eq!(world.firsts(0..3), ["a/k"; 3]);
}

#[test]
fn the_same_price_takes_turns_by_weight_in_any_mix() {
    let mut world = World::weighted(&[3, 1, 1])
        .by(Strategy::Cost)
        .price("a", 7_000_001, 7_000_001)
        .price("b", 7_000_001, 7_000_001)
        .price("c", 7_000_002, 7_000_002)
        .measured("a", tokens(u64::MAX / 3, 12_345_678_901))
        .measured("b", tokens(7, 999_999_999_999_999));
    assert_eq!(["a/k", "b/k", "c/k"].map(|name| world.count(0..100, name)), [75, 25, 0]);
    world = world.for_session(1);
    assert!(world.count(0..5, "c/k") == 0, "the lowest cost comes before a session's own credential");
}

#[test]
fn a_session_stays_on_one_of_those_that_cost_least() {
    let world = |session| {
        World::weighted(&[1, 1, 1])
            .by(Strategy::Cost)
            .price("a", 1, 1)
            .price("b", 1, 1)
            .price("c", 2, 2)
            .for_session(session)
    };
    let mut counts = [0; 2];
    for session in 0..400 {
        let firsts = world(session).firsts(0..4);
        assert!(firsts.iter().all(|first| *first == firsts[0]));
        counts[usize::from(firsts[0] == "b/k")] += 1;
        assert_ne!(firsts[0], "c/k");
        assert_eq!(world(session).names(0)[2], "c/k");
    }
    assert!(counts.iter().all(|count| (150..250).contains(count)), "{counts:?}");
}

#[test]
fn absurd_prices_and_counts_do_not_overflow() {
    let world = World::weighted(&[1, 1])
        .by(Strategy::Cost)
        .price("a", u64::MAX, u64::MAX)
        .price("b", u64::MAX, 0)
        .measured("a", tokens(u64::MAX, u64::MAX))
        .measured("b", tokens(u64::MAX, u64::MAX));
    assert_eq!(world.names(0).len(), 2);
}
