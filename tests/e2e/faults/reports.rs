//! Usage on its way: lines that break at any moment, commits whose outcome nobody heard, and more of it than there is
//! time for.

use super::fixture::{RATE, books_are_exact, layout, none_failed};
use cliproxy_testkit::{Cluster, Dice, Plan, Traffic};
use std::time::Duration;

/// How often lines are broken.
const BREAKS: usize = 25;
/// Models that are asked for at once: as many rows in each second's report.
const MODELS: u32 = 400;
/// Batches that wait for their acknowledgement at most; what is more waits in one that is not closed yet.
const MOST_UNACKED: u64 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_break_at_any_moment_lose_no_usage_and_count_none_twice() {
    let cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    let mut dice = Dice::new(21);
    for _ in 0..BREAKS {
        traffic.goes_on(dice.time(Duration::from_millis(300))).await;
        let control = &cluster.controls[dice.below(cluster.controls.len())];
        // To the nodes: a batch may have come, and its acknowledgement not. To the database: a commit may have been
        // done, and nobody told.
        match dice.below(2) {
            0 => control.gate.break_all(),
            _ => control.database.break_all(),
        }
    }
    let record = traffic.stop().await;
    println!("{BREAKS} broken lines: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_usage_than_can_be_committed_waits_in_little_room_and_is_counted_exactly() {
    let cluster = Cluster::start(layout()).await;
    let before: Vec<u64> = cluster.nodes.iter().map(|node| node.process.rss_kib()).collect();
    // Commits crawl: all that goes to the database does so in little pieces of time.
    let slow = async {
        for _ in 0..12 {
            for control in &cluster.controls {
                control.database.let_pass(cliproxy_testkit::Flow::Neither);
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
            for control in &cluster.controls {
                control.database.let_pass(cliproxy_testkit::Flow::Both);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            for node in &cluster.nodes {
                assert!(node.unacked().await <= MOST_UNACKED);
            }
        }
    };
    let traffics: Vec<Traffic> = (0..MODELS / 40)
        .map(|part| {
            let model = format!("up/m{part}");
            Traffic::start(Plan { model, ..cluster.plan(15) })
        })
        .collect();
    slow.await;
    for traffic in traffics {
        none_failed(&traffic.stop().await);
    }
    for (node, before) in cluster.nodes.iter().zip(before) {
        println!("node {}: {before} KiB before, {} KiB after", node.name, node.process.rss_kib());
    }
    books_are_exact(cluster).await;
}
