//! One judges by what all nodes say.

use super::{super::health::checked, *};
use cliproxy_domain::{Fence, HealthState, HistoryId, LeaseName, NodeId};
use cliproxy_proto::convert::replica::{Post, to_bytes};
use cliproxy_store::Store;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn probers(node: &TestNode) -> Vec<NodeId> {
    node.assignment("claude").map(|assignment| assignment.nodes).unwrap_or_default()
}

#[tokio::test]
async fn a_provider_is_probed_by_one_node_of_all_replicas() {
    let (pair, one, two) = Pair::configured_with(checked()).await.with_nodes().await;
    for node in [&one, &two] {
        node.learns(|node| node.assignment("claude").is_some_and(|known| known.node_count == 2)).await;
    }
    assert_eq!(one.assignment("claude"), two.assignment("claude"));
    assert_eq!(probers(&one).len(), 1);
    pair.stop().await;
}

#[tokio::test]
async fn probes_of_the_other_replicas_nodes_are_judged_and_counted_once() {
    let (pair, one, two) = Pair::configured_with(checked()).await.with_nodes().await;
    let probes = r#"cliproxy_controlplane_probes_total{provider="claude",result="unhealthy"}"#;
    for count in 1..=3 {
        pair.a.clock.advance_wall(SECOND);
        two.probes("claude", 503).await;
        pair.a.metric_reaches(probes, f64::from(count)).await;
    }
    // Two nodes are there: one alone says that it is down, and a second opinion is asked for.
    for count in 4..=6 {
        pair.a.clock.advance_wall(SECOND);
        one.probes("claude", 503).await;
        pair.a.metric_reaches(probes, f64::from(count)).await;
    }
    for node in [&one, &two] {
        node.learns(|node| node.health("claude").is_some_and(|word| word.state == HealthState::Unhealthy))
            .await;
    }
    assert_eq!(pair.b.metric(probes), 0.0, "the leader counts");
    let Pair { a, b, store } = pair;
    a.stop().await;
    let all = cliproxy_domain::WallTime(0)..cliproxy_domain::WallTime(i64::MAX);
    let counted = store.checks(all).await.unwrap();
    assert_eq!(counted.get("claude"), Some(&(6, 0)));
    b.stop().await;
}

#[tokio::test]
async fn whoever_leads_next_assigns_probes_anew_and_goes_on_with_the_word_on_health() {
    let (pair, one, two) = Pair::configured_with(checked()).await.with_nodes().await;
    two.learns(|node| node.assignment("claude").is_some_and(|known| known.node_count == 2)).await;
    let before = two.assignment("claude").unwrap();
    let Pair { a, b, .. } = pair;
    a.stop().await;
    drop(one);
    two.learns(|node| node.assignment("claude").is_some_and(|known| known.node_count == 1)).await;
    let after = two.assignment("claude").unwrap();
    assert!(after.revision > before.revision);
    assert_eq!(after.nodes, [NodeId::from("node-2")]);
    b.stop().await;
}

/// Hands the lease to others so often that its epoch is as high.
async fn lead_often(store: &MemoryStore, epoch: u64) {
    let lease = || LeaseName::control_loop();
    loop {
        let held = store.lead(lease(), "another".to_owned(), 10 * SECOND).await.unwrap();
        if held.epoch >= epoch {
            return;
        }
        let fence = Fence { lease: lease(), holder: held.holder, epoch: held.epoch };
        store.resign(fence).await.unwrap();
    }
}

#[tokio::test]
async fn a_leader_of_a_store_that_lost_terms_is_heard_although_its_epoch_is_lower() {
    let (pair, one, two) = Pair::configured_with(checked()).await.with_nodes().await;
    let savepoint = pair.store.savepoint();
    lead_often(&pair.store, 7).await;
    for plane in [&pair.a, &pair.b] {
        plane.metric_reaches("cliproxy_controlplane_leader_epoch", 7.0).await;
    }
    pair.store.roll_back(&savepoint, HistoryId("history-2".into()));
    for plane in [&pair.a, &pair.b] {
        eventually(async || plane.handle.history() == HistoryId("history-2".into())).await;
    }
    drop((one, two));
    // As a replica says it that led before and has not noticed yet.
    let late = Post { leader_epoch: 7, history: HistoryId("history-1".into()), ..Post::default() };
    pair.store.post("late".into(), to_bytes(&late, START)).await.unwrap();
    eventually(async || leads(&pair.a) != leads(&pair.b)).await;
    let three = TestNode::connect(&pair.a, "node-3").await;
    let four = TestNode::connect(&pair.b, "node-4").await;
    for node in [&three, &four] {
        node.learns(|node| {
            probers(node) == [NodeId::from("node-3")] || probers(node) == [NodeId::from("node-4")]
        })
        .await;
    }
    eventually(async || three.assignment("claude") == four.assignment("claude")).await;
    pair.stop().await;
}
