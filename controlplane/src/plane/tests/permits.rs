//! The end of a rest: one request for the whole cluster finds out.

use super::{harness::*, node::TestNode};
use cliproxy_domain::{AuditEntry, Cooldown, CooldownCause, Hint, NodeId, UrgentEvent, UrgentKind};
use cliproxy_engine::cooldown;
use cliproxy_host::Clock;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Two nodes, the first of which saw a credential of Claude's limited for a minute.
async fn resting() -> (Plane, TestNode, TestNode) {
    let plane = Plane::configured().await;
    let mut one = TestNode::connect(&plane, "node-1").await;
    let two = TestNode::connect(&plane, "node-2").await;
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    (plane, one, two)
}

/// What a node says of the rest on the credential `main` that it knows from its round.
fn about(id: &str, kind: UrgentKind, round: u32) -> UrgentEvent {
    UrgentEvent {
        kind,
        rest: Some((credential_key("main"), round)),
        http_status: 0,
        error_type: String::new(),
        hint: None,
        ..event(id, "main", MINUTE)
    }
}

fn wants(id: &str) -> UrgentEvent {
    about(id, UrgentKind::PermitWanted, 0)
}

fn holder(node: &TestNode) -> (Option<NodeId>, u32) {
    let permit = node.rest(&credential_key("main")).unwrap().permit;
    (permit.node, permit.number)
}

fn held_by(name: &str, number: u32) -> impl Fn(&TestNode) -> bool {
    let expected = (Some(NodeId::from(name)), number);
    move |node| holder(node) == expected
}

#[tokio::test]
async fn there_is_one_permit_and_another_node_gets_it_when_the_first_said_nothing_for_a_second() {
    let (plane, one, mut two) = resting().await;
    two.tells(wants("wish-1")).await;
    assert_eq!(holder(&two), (Some("node-1".into()), 0), "the rest goes on");
    plane.clock.advance_wall(MINUTE);
    two.tells(wants("wish-2")).await;
    assert_eq!(plane.metric("cliproxy_controlplane_permits_granted_total"), 0.0);
    plane.clock.advance_wall(SECOND);
    // Its wish stands: it is not told twice that it has to wait.
    for node in [&one, &two] {
        node.learns(held_by("node-2", 1)).await;
    }
    assert_eq!(plane.metric("cliproxy_controlplane_permits_granted_total"), 1.0);
    let stored = stored_rests(&plane.store).await.1;
    assert_eq!(stored[0].permit.number, 1, "a restart would grant the number twice");
    plane.stop().await;
}

#[tokio::test]
async fn the_permit_of_a_node_that_is_gone_goes_to_another_within_two_seconds() {
    let (plane, one, two) = resting().await;
    plane.clock.advance_wall(MINUTE);
    let gone = plane.clock.now();
    drop(one);
    two.learns(held_by("node-2", 1)).await;
    let took = plane.clock.now() - gone;
    assert!(took < 2 * SECOND, "it took {took:?}");
    plane.stop().await;
}

#[tokio::test]
async fn a_holder_that_is_gone_before_the_end_is_replaced_at_the_end() {
    let (plane, one, two) = resting().await;
    drop(one);
    eventually(async || plane.state.nodes.connected_now().len() == 1).await;
    plane.clock.advance_wall(MINUTE);
    two.learns(held_by("node-2", 1)).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_probe_that_was_answered_ends_the_rest_on_every_node_once() {
    let (plane, mut one, two) = resting().await;
    plane.clock.advance_wall(MINUTE);
    one.tells(about("verdict-1", UrgentKind::Recovered, 0)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.cleared)).await;
    let rest = two.rest(&credential_key("main")).unwrap();
    assert_eq!((rest.round, rest.until), (1, START.plus(MINUTE)));
    one.tells(about("verdict-2", UrgentKind::Recovered, 0)).await;
    one.tells(about("verdict-3", UrgentKind::Recovered, 7)).await;
    assert_eq!(plane.audited("claude").await, ["cooldown_started", "cooldown_ended"]);
    assert_eq!(stored_rests(&plane.store).await, (2, vec![rest]));
    plane.stop().await;
}

#[tokio::test]
async fn one_key_that_is_well_again_does_not_excuse_the_errors_of_its_provider() {
    let (plane, mut one, two) = resting().await;
    plane.clock.advance_wall(MINUTE);
    for i in 0..4 {
        one.tells(failure(&format!("failure-{i}"), "claude")).await;
    }
    one.tells(about("verdict", UrgentKind::Recovered, 0)).await;
    one.tells(failure("failure-4", "claude")).await;
    two.learns(|node| node.rest(&provider_key("claude")).is_some()).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_limit_that_was_seen_before_the_verdict_does_not_undo_it() {
    let (plane, mut one, mut two) = resting().await;
    plane.clock.advance_wall(MINUTE);
    one.tells(about("verdict", UrgentKind::Recovered, 0)).await;
    plane.clock.advance_wall(SECOND);
    two.tells(UrgentEvent { age: 2 * SECOND, ..event("before", "main", MINUTE) }).await;
    assert!(plane.state.hints.cooldown(&credential_key("main")).unwrap().cleared);
    two.tells(event("after", "main", MINUTE)).await;
    assert!(!plane.state.hints.cooldown(&credential_key("main")).unwrap().cleared);
    plane.stop().await;
}

#[tokio::test]
async fn a_probe_that_failed_lets_the_same_key_rest_again_for_longer() {
    let (plane, mut one, two) = resting().await;
    plane.clock.advance_wall(MINUTE);
    let failed = UrgentEvent {
        kind: UrgentKind::Failed,
        http_status: 500,
        error_type: "upstream_error".into(),
        ..about("verdict", UrgentKind::Failed, 0)
    };
    one.tells(failed).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.streak == 2)).await;
    let rest = two.rest(&credential_key("main")).unwrap();
    // Twice as long as the limits of this provider without a wait.
    assert_eq!(rest.until, START.plus(MINUTE).plus(20 * MINUTE));
    assert_eq!(plane.audited("claude").await, ["cooldown_started", "cooldown_started"]);
    plane.stop().await;
}

/// What the audit log has of an operator's word on a credential.
fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        id: "entry-1".into(),
        at: START,
        actor: "ops".into(),
        from: String::new(),
        action: action.into(),
        provider: Some("claude".into()),
        subject: "claude/main".into(),
        reason: "maintenance".into(),
        before: String::new(),
        after: String::new(),
    }
}

#[tokio::test]
async fn an_operators_word_on_one_key_is_no_later_word_on_the_provider_that_rests() {
    let plane = Plane::configured().await;
    let mut one = TestNode::connect(&plane, "node-1").await;
    let mut two = TestNode::connect(&plane, "node-2").await;
    for i in 0..5 {
        one.tells(failure(&format!("failure-{i}"), "claude")).await;
    }
    let claude = provider_key("claude");
    two.learns(|node| node.rest(&claude).is_some()).await;
    let word = cooldown::recover(credential_key("main"), 0, START, "ops", "it has another key");
    plane.decide.say(vec![Hint::Cooldown(word)], entry("recovered"), None).await.unwrap();
    // The whole of it rests on, and who finds out about that uses this very key.
    let of_claude = |id, kind| UrgentEvent { rest: Some((claude.clone(), 0)), ..about(id, kind, 0) };
    plane.clock.advance_wall(10 * MINUTE);
    two.tells(of_claude("wish", UrgentKind::PermitWanted)).await;
    two.learns(|node| node.rest(&claude).unwrap().permit.node == Some("node-2".into())).await;
    two.tells(of_claude("verdict", UrgentKind::Recovered)).await;
    one.learns(|node| node.rest(&claude).unwrap().cleared).await;
    plane.stop().await;
}

#[tokio::test]
async fn after_a_rest_that_no_node_reported_the_first_that_asks_tries() {
    let plane = Plane::configured().await;
    let one = TestNode::connect(&plane, "node-1").await;
    let mut two = TestNode::connect(&plane, "node-2").await;
    let word = cooldown::force(credential_key("main"), 0, START, MINUTE, "ops", "maintenance");
    let word = Cooldown { cause: CooldownCause::RateLimit, ..word };
    plane.decide.say(vec![Hint::Cooldown(word)], entry("cooldown_forced"), None).await.unwrap();
    let wish = |id| UrgentEvent { seen_epoch: 1, ..wants(id) };
    two.tells(wish("wish-1")).await;
    assert_eq!(plane.metric("cliproxy_controlplane_permits_granted_total"), 0.0, "the rest goes on");
    plane.clock.advance_wall(MINUTE);
    two.tells(wish("wish-2")).await;
    one.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.permit.number == 1)).await;
    assert_eq!(holder(&one).0, Some("node-2".into()));
    plane.stop().await;
}

#[tokio::test]
async fn a_rest_that_was_forgotten_here_is_over_for_whoever_still_knows_it() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.tells(about("wish", UrgentKind::PermitWanted, 3)).await;
    node.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.cleared)).await;
    assert_eq!(node.rest(&credential_key("main")).unwrap().round, 4);
    plane.stop().await;
}

#[tokio::test]
async fn after_a_restart_a_permit_is_granted_under_the_next_number() {
    let (plane, one, mut two) = resting().await;
    plane.clock.advance_wall(MINUTE + SECOND);
    two.tells(wants("wish-1")).await;
    drop((one, two));
    let plane = plane.restarted().await;
    let mut three = TestNode::connect(&plane, "node-3").await;
    three.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    three.learns(|node| holder(node).0 == Some("node-3".into())).await;
    assert!(holder(&three).1 >= 2, "{:?}", holder(&three));
    three.tells(about("verdict", UrgentKind::Recovered, 0)).await;
    let known: Vec<Cooldown> = plane.state.hints.cooldowns();
    assert!(known.iter().all(|rest| rest.cleared), "{known:?}");
    plane.stop().await;
}
