//! One judges by what all nodes say.

use super::{super::health::checked, *};
use cliproxy_domain::{HealthState, NodeId};
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
