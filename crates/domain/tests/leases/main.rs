//! The books of limits alone, in thousands of worlds that a seed decides: nodes that are killed and cut off, messages that
//! are lost, repeated and reordered, clocks that are wrong.
//!
//! What is spent is summed apart, and compared with the limit at every step. The nodes here hold no more than numbers;
//! the purses and windows of real ones are looked at by the data plane's `leases`, in fewer worlds.

mod budget;
mod draw;
mod rate;

/// How many worlds a test looks at. `LEASE_WORLDS` sets another number.
fn worlds() -> std::ops::Range<u64> {
    let usual = if cfg!(debug_assertions) { 1_000 } else { 20_000 };
    0..std::env::var("LEASE_WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// Tells of how many of these worlds a limit is passed.
fn passed(run: impl Fn(u64) -> Option<String>) -> usize {
    worlds().filter(|seed| run(*seed).is_some()).count()
}

fn holds(run: impl Fn(u64) -> Option<String>) {
    for seed in worlds() {
        let wrong = run(seed);
        assert!(wrong.is_none(), "world {seed}: {wrong:?}");
    }
}

#[test]
fn what_is_spent_stays_within_the_limit_and_what_is_not_is_still_there() {
    holds(|seed| budget::run(seed, budget::Variant::AsBuilt));
}

#[test]
fn slices_that_come_back_by_time_are_spent_twice() {
    let found = passed(|seed| budget::run(seed, budget::Variant::RefundOnExpiry));
    assert!(found > 0, "in none of {} worlds", worlds().count());
}

#[test]
fn no_minute_sees_more_than_the_limit() {
    holds(|seed| rate::run(seed, rate::Variant::AsBuilt));
}

#[test]
fn shares_that_end_by_a_nodes_calendar_are_used_too_long() {
    let found = passed(|seed| rate::run(seed, rate::Variant::EndsByWallClock));
    assert!(found > 0, "in none of {} worlds", worlds().count());
}

#[test]
fn shares_that_make_room_before_their_node_knows_are_used_twice() {
    let found = passed(|seed| rate::run(seed, rate::Variant::ShrinksAtOnce));
    assert!(found > 0, "in none of {} worlds", worlds().count());
}
