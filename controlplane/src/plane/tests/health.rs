//! Who probes, and what is made of what probes and live traffic say.

use super::{
    harness::*,
    node::{TestNode, calls},
};
use cliproxy_domain::{AttemptCounts, HealthState, NodeId, Snapshot, WallTime};
use cliproxy_host::Clock;
use cliproxy_store::Store;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// [`snapshot`] with health checks.
pub(super) fn checked() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.policy.health_check.enabled = true;
    snapshot
}

fn is(state: HealthState) -> impl Fn(&TestNode) -> bool {
    move |node| node.health("claude").is_some_and(|health| health.state == state)
}

fn probers(node: &TestNode, provider: &str) -> Vec<NodeId> {
    node.assignment(provider).map(|assignment| assignment.nodes).unwrap_or_default()
}

/// Lets a node probe Claude so often, a second apart.
async fn probed(plane: &Plane, node: &TestNode, statuses: &[u16]) {
    for status in statuses {
        plane.clock.advance_wall(SECOND);
        node.probes("claude", *status).await;
    }
}

#[tokio::test]
async fn each_provider_is_probed_by_one_node_and_all_nodes_know_which() {
    let plane = Plane::configured_with(checked()).await;
    let one = TestNode::connect(&plane, "node-1").await;
    let two = TestNode::connect(&plane, "node-2").await;
    for provider in ["claude", "openai"] {
        for node in [&one, &two] {
            node.learns(|node| node.assignment(provider).is_some_and(|known| known.node_count == 2)).await;
        }
        assert_eq!(probers(&one, provider).len(), 1);
        assert_eq!(one.assignment(provider), two.assignment(provider));
    }
    plane.stop().await;
}

#[tokio::test]
async fn probes_go_to_another_node_within_two_seconds_of_the_probers_loss() {
    let plane = Plane::configured_with(checked()).await;
    let one = TestNode::connect(&plane, "node-1").await;
    let two = TestNode::connect(&plane, "node-2").await;
    one.learns(|node| node.assignment("claude").is_some_and(|known| known.node_count == 2)).await;
    let (prober, other) = if probers(&one, "claude") == ["node-1".into()] { (one, two) } else { (two, one) };
    let other_name =
        NodeId::from(if probers(&other, "claude") == ["node-1".into()] { "node-2" } else { "node-1" });
    let lost = plane.clock.now();
    drop(prober);
    other.learns(|node| probers(node, "claude") == std::slice::from_ref(&other_name)).await;
    let took = plane.clock.now() - lost;
    assert!(took < 2 * SECOND, "it took {took:?}");
    assert_eq!(other.assignment("claude").unwrap().node_count, 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_connects_later_is_told_who_probes() {
    let plane = Plane::configured_with(checked()).await;
    let one = TestNode::connect(&plane, "node-1").await;
    one.learns(|node| node.assignment("openai").is_some()).await;
    let two = TestNode::connect(&plane, "node-2").await;
    two.learns(|node| node.assignment("openai").is_some_and(|known| known.node_count == 2)).await;
    plane.stop().await;
}

#[tokio::test]
async fn nobody_probes_what_is_not_to_be_checked() {
    let mut configured = checked();
    configured.providers.get_mut("openai").unwrap().health_check.enabled = false;
    let plane = Plane::configured_with(configured).await;
    let node = TestNode::connect(&plane, "node-1").await;
    node.learns(|node| node.assignment("claude").is_some()).await;
    assert_eq!(node.assignment("openai"), None);
    plane.handle.apply(snapshot(), "file", "reload").await.unwrap();
    node.learns(|node| probers(node, "claude").is_empty()).await;
    plane.stop().await;
}

#[tokio::test]
async fn three_failed_probes_make_a_provider_unhealthy_and_two_answers_healthy_again() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    probed(&plane, &node, &[200]).await;
    node.learns(is(HealthState::Healthy)).await;
    probed(&plane, &node, &[503, 503, 503]).await;
    node.learns(is(HealthState::Unhealthy)).await;
    let word = node.health("claude").unwrap();
    assert_eq!(word.why, "3 probes in a row failed (503)");
    assert!(plane.state.outlook().provider("claude").unwrap().is_down());
    assert_eq!(
        plane.metric(r#"cliproxy_controlplane_provider_health{provider="claude",state="unhealthy"}"#),
        1.0
    );
    probed(&plane, &node, &[200, 405]).await;
    node.learns(is(HealthState::Healthy)).await;
    assert!(node.health("claude").unwrap().recovered, "traffic returns bit by bit");
    assert_eq!(plane.audited("claude").await, ["health_changed"; 3]);
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_flaps_below_the_threshold_stays_healthy() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    for _ in 0..10 {
        probed(&plane, &node, &[200, 503, 0]).await;
    }
    probed(&plane, &node, &[429]).await;
    plane
        .metric_reaches(r#"cliproxy_controlplane_probes_total{provider="claude",result="healthy"}"#, 11.0)
        .await;
    assert_eq!(node.health("claude").unwrap().state, HealthState::Healthy);
    assert_eq!(plane.audited("claude").await, ["health_changed"]);
    plane.stop().await;
}

#[tokio::test]
async fn the_word_of_one_node_among_several_asks_for_a_second_opinion() {
    let plane = Plane::configured_with(checked()).await;
    let one = TestNode::connect(&plane, "node-1").await;
    let two = TestNode::connect(&plane, "node-2").await;
    one.learns(|node| node.assignment("claude").is_some_and(|known| known.node_count == 2)).await;
    probed(&plane, &one, &[200, 0, 0, 0, 0]).await;
    one.learns(|node| probers(node, "claude").len() == 2).await;
    assert_eq!(one.health("claude").unwrap().state, HealthState::Healthy, "it may be its own way out");
    probed(&plane, &two, &[0, 0, 0]).await;
    one.learns(is(HealthState::Unhealthy)).await;
    plane.stop().await;
}

#[tokio::test]
async fn live_traffic_is_evidence_as_well() {
    let plane = Plane::configured_with(checked()).await;
    let mut one = TestNode::connect(&plane, "node-1").await;
    let two = TestNode::connect(&plane, "node-2").await;
    one.calls(calls("claude", AttemptCounts { ok: 3, ..Default::default() })).await;
    two.learns(is(HealthState::Healthy)).await;
    plane.clock.advance_wall(SECOND);
    one.calls(calls("claude", AttemptCounts { err_5xx: 9, ..Default::default() })).await;
    probed(&plane, &two, &[500, 500, 500]).await;
    two.learns(is(HealthState::Unhealthy)).await;
    plane.stop().await;
}

#[tokio::test]
async fn health_survives_a_restart_and_its_revision_goes_on() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    probed(&plane, &node, &[0, 0, 0]).await;
    node.learns(is(HealthState::Unhealthy)).await;
    let before = node.health("claude").unwrap();
    // What is published is stored a moment later.
    eventually(async || plane.store.hints().await.unwrap().0.0 == 1).await;
    drop(node);
    let plane = plane.restarted().await;
    let node = TestNode::connect(&plane, "node-1").await;
    node.learns(|node| node.health("claude") == Some(before.clone())).await;
    probed(&plane, &node, &[200]).await;
    node.settles(&plane).await;
    let known = plane.state.hints.health(&"claude".into());
    assert_eq!(known, Some(before.clone()), "one answer is not enough");
    probed(&plane, &node, &[200]).await;
    node.learns(is(HealthState::Healthy)).await;
    assert!(node.health("claude").unwrap().revision > before.revision);
    plane.stop().await;
}

#[tokio::test]
async fn an_operators_recovery_starts_anew() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    assert_eq!(plane.decide.reset_health(&"claude".into()), None, "nothing was known of it");
    probed(&plane, &node, &[0, 0, 0]).await;
    node.learns(is(HealthState::Unhealthy)).await;
    let word = plane.decide.reset_health(&"claude".into()).unwrap();
    let cliproxy_domain::Hint::Health(health) = &word else { panic!("{word:?}") };
    assert_eq!((health.state, health.recovered), (HealthState::Unknown, true));
    plane.stop().await;
}

#[tokio::test]
async fn checks_are_counted_in_the_store_also_at_the_end() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    probed(&plane, &node, &[200, 200, 503]).await;
    plane
        .metric_reaches(r#"cliproxy_controlplane_probes_total{provider="claude",result="unhealthy"}"#, 1.0)
        .await;
    assert_eq!(plane.state.checks.last(&"claude".into()), Some(plane.clock.wall()));
    let store = plane.store.clone();
    drop(node);
    plane.stop().await;
    let all = WallTime(0)..WallTime(i64::MAX);
    assert_eq!(store.checks(all).await.unwrap()["claude"], (3, 2));
}

#[tokio::test]
async fn what_is_said_of_providers_that_are_not_configured_is_not_heard() {
    let plane = Plane::configured_with(checked()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    for _ in 0..3 {
        node.probes("mistral", 500).await;
    }
    probed(&plane, &node, &[200]).await;
    node.learns(is(HealthState::Healthy)).await;
    assert_eq!(node.health("mistral"), None);
    plane.stop().await;
}

#[tokio::test]
async fn traffic_alone_judges_what_is_not_checked_and_spares_the_audit_log() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    for (attempts, state) in [
        (AttemptCounts { ok: 9, ..Default::default() }, HealthState::Healthy),
        (AttemptCounts { err_5xx: 9, ..Default::default() }, HealthState::Unhealthy),
    ] {
        plane.clock.advance_wall(SECOND);
        node.calls(calls("claude", attempts)).await;
        node.learns(is(state)).await;
    }
    assert!(!plane.state.outlook().provider("claude").unwrap().is_down(), "nothing could bring it back");
    eventually(async || plane.store.hints().await.unwrap().0.0 == 2).await;
    assert!(plane.audited("claude").await.is_empty());
    plane.stop().await;
}
