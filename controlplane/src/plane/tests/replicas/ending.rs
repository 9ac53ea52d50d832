//! A replica that ends while nodes are still connected to it.

use super::{super::node::calls, *};
use cliproxy_domain::AttemptCounts;
use hyper::Method;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Gives how many calls to a provider a replica knows of.
async fn known_calls(plane: &Plane, provider: &str) -> serde_json::Value {
    let status = plane.get("/v0/operations/providers/status").await.json;
    status["providers"][provider]["requests_last_minute"].clone()
}

#[tokio::test]
async fn nodes_that_are_still_with_a_replica_that_ends_hear_the_others_and_are_heard() {
    let pair = Pair::start().await;
    let mut one = TestNode::that_stays(&pair.a, "node-1").await;
    let mut two = TestNode::connect(&pair.b, "node-2").await;
    let Pair { a, b, .. } = pair;
    let ending = tokio::spawn(a.stop());
    // It has given up the lease, and is one of the replicas no more.
    b.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    b.metric_reaches("cliproxy_controlplane_leader_epoch", 2.0).await;
    eventually(async || b.metric("cliproxy_controlplane_replicas") == 1.0).await;

    two.tells(event("event-1", "main", MINUTE)).await;
    one.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let answer = b.send(Method::PUT, "/v0/operations/config", "attempts: 7", Some("application/yaml")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    one.calls(calls("claude", AttemptCounts { ok: 3, ..Default::default() })).await;
    eventually(async || known_calls(&b, "claude").await == 3).await;
    one.tells(event("event-2", "spare", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("spare")).is_some()).await;

    assert!(!ending.is_finished(), "a node is still there");
    assert_eq!(b.metric("cliproxy_controlplane_replicas"), 1.0, "it is not taken for one that came");
    drop(one);
    within(ending).await.unwrap();
    b.stop().await;
}
