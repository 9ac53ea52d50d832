//! What is done for a provider that does not answer.

use super::{harness::*, health::checked, node::TestNode};
use cliproxy_domain::{HealthState, Snapshot};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn healing() -> Snapshot {
    let mut snapshot = checked();
    snapshot.policy.self_healing.enabled = true;
    snapshot
}

/// A cluster of one node whose probes of Claude failed.
async fn down(snapshot: Snapshot) -> (Plane, TestNode) {
    let plane = Plane::configured_with(snapshot).await;
    let node = TestNode::connect(&plane, "node-1").await;
    for _ in 0..3 {
        plane.clock.advance_wall(SECOND);
        node.probes("claude", 0).await;
    }
    node.learns(|node| node.health("claude").is_some_and(|health| health.state.is_down())).await;
    (plane, node)
}

/// Waits until so many recoveries were made, and for the probe that is wanted with the last of them.
async fn recovered(node: &TestNode, recoveries: u64) {
    node.learns(|node| node.health("claude").is_some_and(|health| health.recoveries == recoveries)).await;
}

fn at_once(node: &TestNode) -> u64 {
    node.assignment("claude").map_or(0, |known| known.at_once)
}

/// Gives the entries of the audit log about recoveries.
async fn steps(plane: &Plane) -> Vec<String> {
    let mut actions = plane.audited("claude").await;
    actions.retain(|action| action.starts_with("recovery") || action == "alert");
    actions
}

const RECOVERY: [&str; 4] = [
    "recovery_connections_dropped",
    "recovery_name_resolved",
    "recovery_credentials_reloaded",
    "recovery_probed",
];

#[tokio::test]
async fn a_recovery_takes_four_steps_and_one_answer_ends_it() {
    let (plane, node) = down(healing()).await;
    recovered(&node, 1).await;
    within(plane.reload.notified()).await;
    node.learns(|node| at_once(node) > 0).await;
    eventually(async || steps(&plane).await.len() >= 4).await;
    assert_eq!(steps(&plane).await, RECOVERY);
    plane.clock.advance_wall(SECOND);
    node.probes("claude", 200).await;
    node.learns(|node| node.health("claude").is_some_and(|health| health.state == HealthState::Healthy))
        .await;
    let word = node.health("claude").unwrap();
    assert!(word.recovered, "traffic returns bit by bit");
    assert_eq!(word.why, "the probe of a recovery was answered");
    eventually(async || steps(&plane).await.last().is_some_and(|step| step == "recovery_succeeded")).await;
    assert_eq!(plane.metric(r#"cliproxy_controlplane_recoveries_total{result="succeeded"}"#), 1.0);
    plane.stop().await;
}

#[tokio::test]
async fn without_self_healing_nothing_is_done() {
    let (plane, node) = down(checked()).await;
    plane.clock.advance_wall(600 * SECOND);
    node.probes("claude", 0).await;
    node.settles(&plane).await;
    assert_eq!(plane.state.hints.health(&"claude".into()).unwrap().recoveries, 0);
    assert!(steps(&plane).await.is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn after_all_recoveries_the_provider_has_failed_and_somebody_is_told() {
    let (plane, node) = down(healing()).await;
    // 30 s and 60 s apart; the last is given 30 s.
    for (recoveries, pause) in [(1, 30), (2, 60), (3, 30)] {
        recovered(&node, recoveries).await;
        plane.clock.advance_wall(SECOND);
        node.probes("claude", 503).await;
        eventually(async || {
            let failed = plane.metric(r#"cliproxy_controlplane_recoveries_total{result="failed"}"#);
            failed >= recoveries as f64
        })
        .await;
        plane.clock.advance_wall(pause * SECOND);
    }
    node.learns(|node| node.health("claude").is_some_and(|health| health.state == HealthState::Failed)).await;
    assert_eq!(node.health("claude").unwrap().why, "3 recoveries did not help");
    eventually(async || steps(&plane).await.last().is_some_and(|step| step == "alert")).await;
    let mut expected: Vec<&str> = Vec::new();
    for _ in 0..3 {
        expected.extend(RECOVERY);
        expected.push("recovery_failed");
    }
    expected.extend(["recovery_given_up", "alert"]);
    assert_eq!(steps(&plane).await, expected);

    // The next round begins at the next check interval, and can still succeed.
    plane.clock.advance_wall(60 * SECOND);
    recovered(&node, 4).await;
    plane.clock.advance_wall(SECOND);
    node.probes("claude", 200).await;
    node.learns(|node| node.health("claude").is_some_and(|health| health.state == HealthState::Healthy))
        .await;
    plane.stop().await;
}

#[tokio::test]
async fn no_attempt_is_spent_while_no_node_is_connected() {
    let (plane, node) = down(healing()).await;
    recovered(&node, 1).await;
    drop(node);
    eventually(async || plane.state.nodes.connected_now().is_empty()).await;
    plane.clock.advance_wall(3_600 * SECOND);
    let node = TestNode::connect(&plane, "node-1").await;
    recovered(&node, 2).await;
    assert_eq!(node.health("claude").unwrap().state, HealthState::Unhealthy);
    plane.stop().await;
}

/// Lets Claude fail until it rests for it.
async fn resting(snapshot: Snapshot) -> (Plane, TestNode) {
    let plane = Plane::configured_with(snapshot).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    for i in 0..5 {
        node.tells(failure(&format!("failure-{i}"), "claude")).await;
    }
    node.learns(|node| node.rest(&provider_key("claude")).is_some()).await;
    node.learns(|node| node.assignment("claude").is_some()).await;
    (plane, node)
}

#[tokio::test]
async fn a_provider_that_rests_for_its_errors_is_tried_early_and_an_answer_ends_the_rest() {
    let (plane, node) = resting(healing()).await;
    let before = at_once(&node);
    node.probes("claude", 0).await;
    plane.clock.advance_wall(61 * SECOND);
    node.learns(|node| at_once(node) > before).await;
    plane.clock.advance_wall(SECOND);
    // It answers, but not to requests.
    node.probes("claude", 429).await;
    node.settles(&plane).await;
    assert!(!plane.state.hints.cooldown(&provider_key("claude")).unwrap().cleared);
    node.probes("claude", 200).await;
    node.learns(|node| node.rest(&provider_key("claude")).is_some_and(|rest| rest.cleared)).await;
    eventually(async || plane.audited("claude").await.contains(&"cooldown_ended".to_owned())).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_probe_that_was_answered_all_the_time_ends_no_rest() {
    let (plane, node) = resting(healing()).await;
    plane.clock.advance_wall(61 * SECOND);
    node.probes("claude", 200).await;
    node.settles(&plane).await;
    assert!(!plane.state.hints.cooldown(&provider_key("claude")).unwrap().cleared);
    plane.stop().await;
}

#[tokio::test]
async fn without_self_healing_a_probe_ends_no_rest() {
    let (plane, node) = resting(checked()).await;
    plane.clock.advance_wall(61 * SECOND);
    node.probes("claude", 200).await;
    node.settles(&plane).await;
    assert!(!plane.state.hints.cooldown(&provider_key("claude")).unwrap().cleared);
    assert_eq!(at_once(&node), 0);
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_goes_down_right_after_it_was_recovered_waits_for_the_next_check() {
    let (plane, node) = down(healing()).await;
    recovered(&node, 1).await;
    plane.clock.advance_wall(SECOND);
    node.probes("claude", 200).await;
    node.learns(|node| node.health("claude").is_some_and(|health| health.state == HealthState::Healthy))
        .await;
    for _ in 0..3 {
        plane.clock.advance_wall(SECOND);
        node.probes("claude", 0).await;
    }
    node.learns(|node| node.health("claude").is_some_and(|health| health.state == HealthState::Unhealthy))
        .await;
    plane.clock.advance_wall(30 * SECOND);
    node.probes("claude", 0).await;
    node.settles(&plane).await;
    assert_eq!(plane.state.hints.health(&"claude".into()).unwrap().recoveries, 1);
    plane.clock.advance_wall(30 * SECOND);
    recovered(&node, 2).await;
    plane.stop().await;
}

#[tokio::test]
async fn an_answer_right_after_the_errors_ends_no_rest() {
    let (plane, node) = resting(healing()).await;
    plane.clock.advance_wall(30 * SECOND);
    node.probes("claude", 200).await;
    node.settles(&plane).await;
    assert!(!plane.state.hints.cooldown(&provider_key("claude")).unwrap().cleared);
    plane.stop().await;
}
