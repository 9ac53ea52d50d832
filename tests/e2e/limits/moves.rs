//! Control planes that go away while a budget is spent: what a node holds is its own, whoever it is connected to.

use super::fixture::{all_but_little_was_billed, answer_with, answers, billed, layout, nodes_of, spend_all};
use cliproxy_testkit::{Cluster, LONG_PATIENCE, poll_until};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

const LIMIT: u64 = 30_000;
/// Requests at the same time, and how long each takes: the budget is spent within seconds.
const AT_ONCE: usize = 60;
const TOOK: Duration = Duration::from_millis(300);

async fn cluster() -> Cluster {
    let quota = json!({"limit": LIMIT, "unit": "tokens", "reset": "monthly"});
    let cluster = Cluster::start(layout().nodes(4).set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(TOOK));
    cluster
}

/// Waits until so many more requests were answered, or nothing is left to ask for.
async fn goes_on(answered: &AtomicUsize, more: usize) {
    let most = (LIMIT * 9 / 10 / super::fixture::COST) as usize;
    let goal = (answered.load(Relaxed) + more).min(most);
    let reached = || async { (answered.load(Relaxed) >= goal).then_some(()) };
    poll_until("further answers", LONG_PATIENCE, reached).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_move_between_control_planes_take_what_they_hold_with_them() {
    let cluster = cluster().await;
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    let moves = async {
        let mut moves = 0;
        for round in 0..6 {
            goes_on(&answered, 50).await;
            // All who are connected there lose it in the middle of their claims, and go to the other.
            cluster.controls[round % 2].gate.break_all();
            moves += 1;
        }
        moves
    };
    let ((), moves) = tokio::join!(spend_all(&nodes, AT_ONCE, &answered), moves);
    println!("{} of {LIMIT} tokens, {moves} times all connections broke", billed(&cluster.mock));
    all_but_little_was_billed(&cluster.mock, LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_dies_in_the_middle_of_four_hundred_requests_and_the_limit_holds() {
    let mut cluster = cluster().await;
    let leader = cluster.leader(&[], LONG_PATIENCE).await;
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    let dies = async {
        goes_on(&answered, 40).await;
        cluster.controls[leader].process.kill9();
    };
    tokio::join!(spend_all(&nodes, 400, &answered), dies);
    println!("{} of {LIMIT} tokens, the leader killed meanwhile", billed(&cluster.mock));
    all_but_little_was_billed(&cluster.mock, LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_see_different_control_planes_spend_one_budget() {
    let cluster = cluster().await;
    for (number, node) in cluster.nodes.iter().enumerate() {
        cluster.controls[number % 2].gate.close_to(node.process.id());
    }
    for control in &cluster.controls {
        let two = || async { (control.sessions().await == 2).then_some(()) };
        poll_until("two nodes at each control plane", LONG_PATIENCE, two).await;
    }
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    spend_all(&nodes, AT_ONCE, &answered).await;
    println!("{} of {LIMIT} tokens, two nodes at each control plane", billed(&cluster.mock));
    all_but_little_was_billed(&cluster.mock, LIMIT);
}
