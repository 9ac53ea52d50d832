//! A budget over four nodes that are killed at moments that are drawn.

use super::fixture::{all_but_little_was_billed, answer_with, answers, billed, layout, nodes_of, spend_all};
use cliproxy_testkit::{Cluster, dice::Dice};
use serde_json::json;
use std::{sync::atomic::AtomicUsize, time::Duration};

const LIMIT: u64 = 10_000;
const AT_ONCE: usize = 400;
const KILLS: usize = 6;

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
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    tokio::join!(spend_all(&nodes, AT_ONCE, &answered), kill(&mut cluster, seed));
    let (billed, answered) = (billed(&cluster.mock), answered.into_inner());
    println!("seed {seed}: {billed} of {LIMIT} tokens billed, {answered} answers, {KILLS} kills");
    all_but_little_was_billed(&cluster.mock, LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_that_are_killed_spend_no_more_than_the_limit_and_nearly_all_of_it() {
    // When and whom kills meet is another with each seed.
    let seed = std::env::var("KILLS_SEED").ok().and_then(|seed| seed.parse().ok());
    holds(seed.unwrap_or(61)).await;
}
