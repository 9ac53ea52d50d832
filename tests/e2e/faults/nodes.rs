//! Nodes that hang.

use super::fixture::{RATE, books_are_exact, layout};
use cliproxy_testkit::{Cluster, LONG_PATIENCE, poll_until};
use serde_json::json;
use std::time::Duration;

/// How much larger a control plane may become while a node does not listen.
const ROOM_KIB: u64 = 16 << 10;
/// Words that are said while it does not.
const WORDS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_costs_others_nothing_and_goes_on_where_it_was() {
    let mut cluster = Cluster::start(layout().credentials(&["first", "second", "third"])).await;
    let stopped = cluster.nodes.pop().expect("two nodes");
    let traffic = cluster.traffic(RATE);
    traffic.next(30).await;
    let before: Vec<u64> = cluster.controls.iter().map(|control| control.process.rss_kib()).collect();
    stopped.process.signal("STOP");
    let mut slowest = Duration::ZERO;
    for word in 0..WORDS {
        let (verb, body) = match word % 2 {
            0 => ("cooldown", json!({"credential": "third", "duration": "10m", "reason": "a word"})),
            _ => ("recover", json!({"credential": "third"})),
        };
        let began = cliproxy_testkit::now();
        let path = format!("/v0/operations/providers/up/{verb}");
        let said = cluster.operators().post(&path, body.to_string()).await;
        assert_eq!(said.status, 200, "{}", said.text());
        slowest = slowest.max(cliproxy_testkit::now() - began);
    }
    let gone = || async {
        let nodes = cluster.get("nodes").await;
        (nodes["nodes"][&stopped.name]["connected"] == false).then_some(())
    };
    poll_until("a node that is not connected any more", LONG_PATIENCE, gone).await;
    for (control, before) in cluster.controls.iter().zip(before) {
        let after = control.process.rss_kib();
        println!("{}: {before} KiB before, {after} KiB after {WORDS} words to a stopped node", control.name);
        assert!(after < before + ROOM_KIB, "{}: {before} KiB, then {after} KiB", control.name);
    }
    println!("a word took {} ms at most", slowest.as_millis());
    stopped.process.signal("CONT");
    stopped.connected(LONG_PATIENCE).await;
    let record = traffic.stop().await;
    super::fixture::none_failed(&record);
    cluster.nodes.push(stopped);
    books_are_exact(cluster).await;
}
