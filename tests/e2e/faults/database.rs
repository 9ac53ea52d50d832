//! The database away, or out of one control plane's reach: nothing is acknowledged that is not committed, and no request
//! notices.

use super::fixture::{BUSY, RATE, books_are_exact, busiest, layout, none_failed};
use cliproxy_testkit::{Cluster, Flow, LONG_PATIENCE, Traffic, now, poll_every};
use std::time::Duration;

/// How long the database is away.
const AWAY: Duration = Duration::from_secs(5);
/// From one look into the database to the next.
const LOOK: Duration = Duration::from_millis(100);

/// Watches what waits for acknowledgement while the database is away: it never becomes less.
async fn nothing_is_acknowledged(cluster: &Cluster, traffic: &Traffic, time: Duration) {
    let deadline = now() + time;
    let mut waiting = vec![0; cluster.nodes.len()];
    while now() < deadline {
        for (node, before) in cluster.nodes.iter().zip(&mut waiting) {
            let unacked = node.unacked().await;
            assert!(unacked >= *before, "node {}: {unacked} batches wait after {before}", node.name);
            *before = unacked;
        }
        traffic.next(1).await;
    }
    assert!(waiting.iter().all(|unacked| *unacked > 0), "there was something to acknowledge: {waiting:?}");
}

/// Waits until the database has more than it had.
async fn counts_on(cluster: &Cluster) -> Duration {
    let began = now();
    let answers = || cluster.counted().values().map(|used| used.answers).sum::<u64>();
    let first = answers();
    let more = || async { (answers() > first).then_some(()) };
    poll_every(LOOK, "usage in the database", LONG_PATIENCE, more).await;
    now() - began
}

async fn goes_and_comes(name: &str, go: impl FnOnce(&Cluster), come: impl FnOnce(&Cluster)) {
    let cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    counts_on(&cluster).await;
    go(&cluster);
    // What was being committed is, or is not, by now.
    traffic.next(1).await;
    nothing_is_acknowledged(&cluster, &traffic, AWAY).await;
    come(&cluster);
    let took = counts_on(&cluster).await;
    println!("{name}: usage is committed again after {} ms", took.as_millis());
    assert!(took < BUSY, "{took:?}");
    traffic.next(60).await;
    let record = traffic.stop().await;
    println!("{name}: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_stopped_at_once_comes_back_to_exact_books() {
    let go = |cluster: &Cluster| cluster.postgres.stop_immediate();
    goes_and_comes("stopped", go, |cluster| cluster.postgres.start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_no_control_plane_reaches_is_no_concern_of_any_request() {
    let let_pass = |flow: Flow| {
        move |cluster: &Cluster| cluster.controls.iter().for_each(|control| control.database.let_pass(flow))
    };
    goes_and_comes("out of reach", let_pass(Flow::Neither), let_pass(Flow::Both)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_cut_off_from_the_database_acknowledges_nothing_and_another_one_leads() {
    let cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    counts_on(&cluster).await;
    let away = busiest(&cluster).await;
    let (epoch, led) = (cluster.epoch(), cluster.leader(&[], LONG_PATIENCE).await);
    cluster.controls[away].database.let_pass(Flow::Neither);
    let began = now();
    let leader = cluster.leader(&[away], LONG_PATIENCE).await;
    println!("cut off from the database: another leads after {} ms", (now() - began).as_millis());
    assert_ne!(leader, away);
    assert_eq!(cluster.epoch(), epoch + u64::from(led == away), "who leads changes once");
    // Nodes prefer one that can commit.
    let moved = super::fixture::moved_from(&cluster, away).await;
    println!("cut off from the database: all nodes at the other after {} ms", moved.as_millis());
    counts_on(&cluster).await;
    cluster.controls[away].database.let_pass(Flow::Both);
    traffic.next(60).await;
    let record = traffic.stop().await;
    none_failed(&record);
    books_are_exact(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_took_over_without_the_last_commits_gets_them_from_the_nodes_again() {
    let cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    counts_on(&cluster).await;
    cluster.make_standby();
    // Counted, acknowledged, and soon lost.
    for _ in 0..3 {
        counts_on(&cluster).await;
    }
    let before: u64 = cluster.counted().values().map(|used| used.answers).sum();
    cluster.promote_standby().await;
    let after: u64 = cluster.counted().values().map(|used| used.answers).sum();
    println!(
        "a standby took over: {} acknowledged answers of {before} were lost",
        before.saturating_sub(after)
    );
    assert!(after < before, "the standby lagged behind: {before} answers, then {after}");
    traffic.next(60).await;
    let record = traffic.stop().await;
    println!("a standby took over: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}
