//! Control planes that are replaced one after the other, and who leads meanwhile.

use super::fixture::{BUSY, RATE, books_are_exact, layout, none_failed};
use cliproxy_testkit::{Cluster, LONG_PATIENCE, now, poll_until};
use std::time::Duration;

/// A lease is renewed each one and a half seconds: it does not run out sooner than this.
const RUNS_OUT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn three_control_planes_are_upgraded_one_after_the_other_without_a_failed_request() {
    let mut cluster = Cluster::start(layout().controls(3)).await;
    let traffic = cluster.traffic(RATE);
    traffic.next(60).await;
    let whole = whole_sets(&cluster).await;
    for number in 0..cluster.controls.len() {
        let control = &mut cluster.controls[number];
        control.process.terminate();
        assert!(control.process.wait_exit(LONG_PATIENCE).await.success());
        control.restart().await;
        cluster.connected(LONG_PATIENCE).await;
        traffic.next(30).await;
    }
    let record = traffic.stop().await;
    println!("upgraded: {record}");
    none_failed(&record);
    assert_eq!(whole_sets(&cluster).await, whole, "nodes go on from the versions that they have");
    books_are_exact(cluster).await;
}

/// Counts for each node what came whole that could have come as a difference.
async fn whole_sets(cluster: &Cluster) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        let samples = node.metrics().await;
        let count = |name: &str| samples.sum(name, &[]);
        all.push((count("cliproxy_node_whole_configs_total"), count("cliproxy_node_whole_hints_total")));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn another_control_plane_leads_at_once_when_one_resigns_and_within_its_lease_when_one_is_killed() {
    let mut cluster = Cluster::start(layout()).await;
    let first = cluster.leader(&[], LONG_PATIENCE).await;
    let epoch = cluster.epoch();
    cluster.controls[first].process.terminate();
    let began = now();
    let second = cluster.leader(&[first], LONG_PATIENCE).await;
    let took = now() - began;
    println!("another leads {} ms after SIGTERM", took.as_millis());
    assert_eq!(cluster.epoch(), epoch + 1);
    assert!(took < RUNS_OUT, "nobody waited for the lease to run out: {took:?}");
    assert!(cluster.controls[first].process.wait_exit(LONG_PATIENCE).await.success());
    cluster.controls[first].restart().await;

    cluster.controls[second].process.kill9();
    let began = now();
    let third = cluster.leader(&[second], LONG_PATIENCE).await;
    let took = now() - began;
    println!("another leads {} ms after SIGKILL", took.as_millis());
    assert_eq!((third, cluster.epoch()), (first, epoch + 2));
    assert!(took < Duration::from_secs(5) + BUSY, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_slept_past_its_lease_finds_another_one_and_changes_nothing() {
    let cluster = Cluster::start(layout()).await;
    let first = cluster.leader(&[], LONG_PATIENCE).await;
    let epoch = cluster.epoch();
    cluster.controls[first].process.signal("STOP");
    let second = cluster.leader(&[first], LONG_PATIENCE).await;
    assert_eq!(cluster.epoch(), epoch + 1);
    cluster.controls[first].process.signal("CONT");
    let says_so = || async { (leading(&cluster, first).await == Some(0.0)).then_some(()) };
    poll_until("the one that slept to lead no more", LONG_PATIENCE, says_so).await;
    // It had jobs of its own in hand: were one of them done, the lease would be its own again.
    assert_eq!((cluster.leader(&[], LONG_PATIENCE).await, cluster.epoch()), (second, epoch + 1));
    assert_eq!(leading(&cluster, second).await, Some(1.0));
    cluster.connected(LONG_PATIENCE).await;
}

/// Gives what a control plane says of its own leading; none when it does not answer.
async fn leading(cluster: &Cluster, number: usize) -> Option<f64> {
    let samples = cluster.controls[number].metrics().await?;
    Some(samples.sum("cliproxy_controlplane_leading", &[]))
}
