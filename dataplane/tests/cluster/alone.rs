//! A node without a control plane.

use crate::{
    network::MemoryNet,
    node::{Node, PATIENCE, configuration, pass, until},
    provider::Provider,
};
use cliproxy_domain::{HealthState, Snapshot};
use cliproxy_host::MemoryDisk;
use serde_json::json;
use std::time::Duration;

/// With recoveries half a minute apart, three in a round.
fn healing() -> Snapshot {
    let mut snapshot = configuration(&["a", "b"]);
    snapshot.policy.self_healing.enabled = true;
    snapshot
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_heals_a_provider_that_does_not_answer() {
    let net = MemoryNet::default();
    let (a, b) = (Provider::play(&net, "a"), Provider::play(&net, "b"));
    let node = Node::start(&net, &MemoryDisk::default(), &[], Some(healing())).await;
    until("both are well", || {
        node.health("a") == HealthState::Healthy && node.health("b") == HealthState::Healthy
    })
    .await;
    let before = a.connections();
    a.set_health(500);
    until("a is not", || node.health("a") == HealthState::Unhealthy).await;
    tokio::time::timeout(PATIENCE, node.reload_wanted.notified()).await.expect("credentials are read anew");
    until("new connections", || a.connections() > (before.0 + 1, before.1)).await;
    until("a round was in vain", || node.health("a") == HealthState::Failed).await;
    let (_, told) = node.operate("GET", "providers/status", "").await;
    assert_eq!(told["providers"]["a"]["why"], "3 recoveries did not help");
    assert_eq!(told["providers"]["b"]["status"], "healthy");

    a.set_health(200);
    until("the next round found it well", || node.health("a") == HealthState::Healthy).await;
    let (_, told) = node.operate("GET", "providers/status", "").await;
    assert_eq!(told["providers"]["a"]["status"], "healthy");
    assert_eq!(b.connections().1, 0, "nothing was done to the other");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_self_healing_a_provider_is_only_found_well_again() {
    let net = MemoryNet::default();
    let a = Provider::play(&net, "a");
    let node = Node::start(&net, &MemoryDisk::default(), &[], Some(configuration(&["a"]))).await;
    a.set_health(500);
    until("a is not well", || node.health("a") == HealthState::Unhealthy).await;
    pass(Duration::from_secs(300)).await;
    assert_eq!((node.health("a"), a.connections()), (HealthState::Unhealthy, (1, 0)));
    a.set_health(200);
    until("a is well", || node.health("a") == HealthState::Healthy).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clients_requests_are_evidence_as_well() {
    let net = MemoryNet::default();
    let a = Provider::play(&net, "a");
    let mut snapshot = configuration(&["a"]);
    snapshot.policy.cooldown.enabled = false;
    snapshot.policy.health_check.interval = Duration::from_secs(3_000);
    let node = Node::start(&net, &MemoryDisk::default(), &[], Some(snapshot)).await;
    until("the first probe", || a.probes() == 1).await;
    a.set_calls(500, None);
    for _ in 0..3 {
        assert_eq!(node.chat("a/m").await, 502);
        pass(Duration::from_secs(2)).await;
    }
    until("a is not well", || node.health("a") == HealthState::Unhealthy).await;
    assert_eq!(a.probes(), 1);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_outlives_a_restart_of_a_node_alone() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let a = Provider::play(&net, "a");
    let node = Node::start(&net, &disk, &[], Some(configuration(&["a"]))).await;
    let said = node.operate("POST", "providers/a/cooldown", r#"{"duration": "1h", "reason": "mine"}"#).await;
    assert_eq!(said.0, 200, "{}", said.1);
    node.stop().await;

    let node = Node::start(&net, &disk, &[], Some(configuration(&["a"]))).await;
    let (_, told) = node.operate("GET", "cooldown/status", "").await;
    assert_eq!(told["cooldown_periods"]["a"]["reason"], "mine", "{told}");
    assert_eq!((&told["source"], node.chat("a/m").await), (&json!("node"), 503));
    assert_eq!(node.operate("POST", "providers/a/recover", "").await.0, 200);
    assert_eq!(node.chat("a/m").await, 200);
    assert!(a.asked().iter().any(|asked| asked.starts_with("POST")));
    node.stop().await;
}
