//! Kills at moments that are drawn, a few of each; `cargo xtask chaos` makes hundreds.

use super::fixture::{RATE, layout};
use cliproxy_testkit::{
    Cluster,
    rounds::{self, Victim},
};

const ROUNDS: usize = 3;

/// Kills, and holds that it cost what it may.
async fn costs_what_it_may(victim: Victim, seed: u64) {
    let mut cluster = Cluster::start(layout().nodes(3)).await;
    let cost = rounds::run(&mut cluster, victim, ROUNDS, RATE, seed).await;
    println!("{cost}");
    assert_eq!(cost.faults(), Vec::<String>::new());
    assert!(cost.requests > ROUNDS, "there was a load");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_cost_the_requests_that_they_held_and_what_they_had_not_reported() {
    costs_what_it_may(Victim::Node, 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_control_planes_cost_nothing() {
    costs_what_it_may(Victim::Control, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_costs_nothing() {
    costs_what_it_may(Victim::Postgres, 13).await;
}
