//! A budget over four nodes that are killed at moments that are drawn.

use super::fixture::{COST, Outcome, answer_with, answers, ask, billed, layout};
use cliproxy_testkit::{Client, Cluster, dice::Dice, now};
use futures_util::future::join_all;
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const LIMIT: u64 = 10_000;
const AT_ONCE: usize = 400;
const KILLS: usize = 6;
/// How long until nothing more can be had.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks one node after the other until each has said often enough that the quota is used up.
async fn spend(nodes: &[Client], first: usize, answered: &AtomicUsize) {
    let began = now();
    let (mut at, mut used_up) = (first, 0);
    while used_up < nodes.len() && now() - began < PATIENCE {
        at += 1;
        match ask(&nodes[at % nodes.len()], None).await {
            Outcome::Answered => {
                answered.fetch_add(1, Ordering::Relaxed);
                used_up = 0;
            }
            told if told.is_refused_with("quota_exhausted") => used_up += 1,
            // Not had in time, or the node has just started or died.
            Outcome::Refused(429 | 503, _) | Outcome::Lost => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Kills nodes and starts them again.
async fn kill(cluster: &mut Cluster, seed: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..KILLS {
        tokio::time::sleep(dice.time(Duration::from_millis(400))).await;
        let victim = dice.below(cluster.nodes.len());
        cluster.nodes[victim].process.kill9();
        tokio::time::sleep(dice.time(Duration::from_millis(200))).await;
        cluster.nodes[victim].restart().await;
    }
}

async fn holds(seed: u64) {
    let quota = json!({"limit": LIMIT, "unit": "tokens", "reset": "monthly"});
    let mut cluster = Cluster::start(layout().nodes(4).set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(Duration::from_millis(150)));
    let nodes: Vec<Client> = cluster.nodes.iter().map(|node| node.client.clone()).collect();
    let answered = AtomicUsize::new(0);
    let spending = join_all((0..AT_ONCE).map(|number| spend(&nodes, number, &answered)));
    tokio::join!(spending, kill(&mut cluster, seed));
    let (billed, answered) = (billed(&cluster.mock), answered.into_inner());
    println!("seed {seed}: {billed} of {LIMIT} tokens billed, {answered} answers, {KILLS} kills");
    assert!(billed <= LIMIT, "the limit was passed: {billed}");
    assert!(billed + COST >= LIMIT * 95 / 100, "too much could not be used: {billed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_that_are_killed_spend_no_more_than_the_limit_and_nearly_all_of_it() {
    holds(61).await;
}
