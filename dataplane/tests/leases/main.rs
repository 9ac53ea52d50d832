//! Limits hold, whatever happens: the books and the purses as they are, in worlds that a seed decides.
//!
//! Nothing here waits or listens, so thousands of worlds run in seconds. What providers would have seen is summed apart,
//! by true time, and compared with the limit at every request. That this would find a mistake is shown by ways to build it
//! that do not hold.

mod draw;
mod node;
mod store;
mod truth;
mod variant;
mod world;

use cliproxy_domain::LossMode;
use variant::Variant;
use world::{Outcome, Plan, run};

/// How many worlds a test looks at: as many as take some seconds. `LEASE_WORLDS` sets another number.
fn worlds() -> std::ops::Range<u64> {
    let usual = if cfg!(debug_assertions) { 25 } else { 1_000 };
    0..std::env::var("LEASE_WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn holds(plan: Plan) {
    for seed in worlds() {
        let violations = run(seed, plan).violations;
        assert!(violations.is_empty(), "world {seed}: {:?}", violations.first());
    }
}

/// Looks for a world in which a way to build it passes a limit, from the one on that was the first when this was written.
fn is_found(from: u64, plan: Plan) {
    let found = (from..from + 1_000).any(|seed| !run(seed, plan).violations.is_empty());
    assert!(found, "{:?} holds in a thousand worlds from {from}", plan.variant);
}

#[test]
fn no_limit_is_passed_whatever_fails() {
    holds(Plan::default());
}

#[test]
fn no_limit_is_passed_within_one_long_period() {
    holds(Plan { periods: false, outgrow: false, ..Plan::default() });
}

#[test]
fn safe_shares_pass_no_limit_while_the_nodes_are_the_same() {
    holds(Plan { on_loss: LossMode::Safe, kills: false, disks: false, history: false, ..Plan::default() });
}

#[test]
fn what_is_given_can_be_used_once_the_faults_are_over() {
    let plan = Plan { periods: false, outgrow: false, disks: false, history: false, ..Plan::default() };
    let wasted = worlds().filter_map(|seed| {
        let Outcome { spent, limit, books, .. } = run(seed, plan);
        (spent * 100 < limit * 95).then(|| format!("world {seed}: {spent} of {limit}; {books}"))
    });
    let wasted: Vec<_> = wasted.collect();
    assert!(wasted.is_empty(), "{}", wasted.join("\n"));
}

#[test]
fn a_rate_can_be_used_in_full_by_whichever_nodes() {
    let plan = Plan { calm: true, ..Plan::default() };
    for seed in worlds() {
        let Outcome { sent, rate_limit, .. } = run(seed, plan);
        // A node's minute is up to two seconds longer, and what cannot be divided is with somebody.
        assert!(sent * 62 >= rate_limit * 58, "world {seed}: {sent} of {rate_limit} a minute");
    }
}

#[test]
fn slices_that_come_back_by_time_are_spent_twice() {
    is_found(0, Plan { variant: Variant::RefundOnExpiry, ..Plan::default() });
}

#[test]
fn a_period_by_the_wall_clock_of_a_node_is_too_long() {
    is_found(0, Plan { variant: Variant::PeriodByWallClock, ..Plan::default() });
}

#[test]
fn a_share_by_the_wall_clock_of_a_node_is_too_long() {
    is_found(750, Plan { variant: Variant::TtlByWallClock, ..Plan::default() });
}

#[test]
fn a_share_that_counts_from_when_it_is_heard_of_is_too_long() {
    is_found(2_237, Plan { variant: Variant::TtlFromReceipt, ..Plan::default() });
}

#[test]
fn a_share_that_makes_room_before_its_node_knows_is_used_twice() {
    is_found(0, Plan { variant: Variant::ShrinksAtOnce, ..Plan::default() });
}

#[test]
fn claims_that_are_taken_late_forget_what_is_held() {
    is_found(283, Plan { variant: Variant::LateClaims, ..Plan::default() });
}

#[test]
fn nodes_that_count_for_themselves_let_through_a_limit_each() {
    is_found(0, Plan { variant: Variant::CounterOfEachNode, calm: true, ..Plan::default() });
}
