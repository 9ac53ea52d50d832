//! What one replica's nodes report counts for all.

use super::{super::node::calls, *};
use cliproxy_domain::{AttemptCounts, CooldownCause, NodeId, UrgentEvent, UrgentKind};
use cliproxy_engine::cooldown;
use cliproxy_host::Clock;
use hyper::Method;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_limit_that_a_node_of_one_replica_met_keeps_the_nodes_of_the_other_away() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    let event = event("event-1", "main", MINUTE);
    one.tells(event.clone()).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    assert_eq!(two.rest(&credential_key("main")), Some(rest_of(&event)));
    assert_eq!(pair.b.audited("claude").await, ["cooldown_started"], "one of them wrote it down");
    pair.stop().await;
}

#[tokio::test]
async fn without_the_doorbell_it_takes_a_second() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    pair.b.store.connection_faults().deafen(true);
    let told = pair.b.clock.now();
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let took = pair.b.clock.now() - told;
    assert!(took < Duration::from_millis(1_200), "it took {took:?}");
    pair.stop().await;
}

#[tokio::test]
async fn a_commit_of_usage_that_waits_for_the_store_keeps_no_word_on_rests_away() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    let turn = pair.b.state.ledger.lock().await;
    one.calls(calls("claude", AttemptCounts { ok: 1, ..Default::default() })).await;
    // The second post from here on was made after the commit: the other replica has been told of the usage by then.
    let posts = pair.a.metric("cliproxy_controlplane_posts_total");
    pair.a.metric_reaches("cliproxy_controlplane_posts_total", posts + 2.0).await;
    let told = pair.b.clock.now();
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let took = pair.b.clock.now() - told;
    assert!(took < SECOND, "it took {took:?}");
    drop(turn);
    pair.stop().await;
}

#[tokio::test]
async fn nodes_of_the_other_replica_wait_for_one_commit() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    let commit = Duration::from_millis(800);
    pair.store.faults().delay_commits(commit);
    let told = pair.b.clock.now();
    let learns = two.learns(|node| node.rest(&credential_key("main")).is_some());
    tokio::join!(one.tells(event("event-1", "main", MINUTE)), async {
        learns.await;
        let took = pair.b.clock.now() - told;
        assert!(took < 2 * commit, "it took {took:?}");
    });
    pair.store.faults().heal();
    pair.stop().await;
}

#[tokio::test]
async fn errors_are_too_many_wherever_their_nodes_are_connected() {
    let (pair, mut one, mut two) = Pair::start().await.with_nodes().await;
    for i in 0..3 {
        one.tells(failure(&format!("one-{i}"), "claude")).await;
    }
    for i in 0..2 {
        two.tells(failure(&format!("two-{i}"), "claude")).await;
    }
    for node in [&one, &two] {
        node.learns(|node| node.rest(&provider_key("claude")).is_some()).await;
    }
    let rest = one.rest(&provider_key("claude")).unwrap();
    assert_eq!((rest.cause, rest.evidence.errors), (CooldownCause::Error, 5));
    pair.stop().await;
}

#[tokio::test]
async fn an_operators_word_at_one_replica_stands_against_older_reports_at_the_other() {
    let (pair, mut one, mut two) = Pair::start().await.with_nodes().await;
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let body = r#"{"reason": "it is well", "wait": "all"}"#;
    let path = "/v0/operations/providers/claude/recover";
    let answer = pair.a.send(Method::POST, path, body, Some("application/json")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    assert_eq!((&answer.json["applied_nodes"], &answer.json["total_nodes"]), (&2.into(), &2.into()));
    two.learns(|node| node.rest(&provider_key("claude")).is_some_and(|rest| rest.cleared)).await;
    let before = two.board();
    // Its request started before the operator spoke.
    two.tells(event("event-2", "main", MINUTE)).await;
    assert_eq!(pair.b.metric("cliproxy_controlplane_stale_events_total"), 1.0);
    assert_eq!(two.board(), before);
    pair.stop().await;
}

#[tokio::test]
async fn errors_of_before_an_operators_word_at_the_other_replica_count_no_more() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    for i in 0..4 {
        one.tells(failure(&format!("one-{i}"), "claude")).await;
    }
    let path = "/v0/operations/providers/claude/recover";
    let answer = pair.b.send(Method::POST, path, "{}", Some("application/json")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    one.learns(|node| node.rest(&provider_key("claude")).is_some_and(|rest| rest.cleared)).await;
    let after = UrgentEvent { seen_epoch: 1, ..failure("after", "claude") };
    one.tells(after).await;
    assert!(one.rest(&provider_key("claude")).unwrap().cleared, "one error is not five");
    drop(two);
    pair.stop().await;
}

/// What a node says of the rest on the credential `main`.
fn wants(id: &str) -> UrgentEvent {
    UrgentEvent {
        kind: UrgentKind::PermitWanted,
        rest: Some((credential_key("main"), 0)),
        seen_epoch: 1,
        ..event(id, "main", MINUTE)
    }
}

#[tokio::test]
async fn one_node_of_all_replicas_tries_what_rested() {
    let (pair, mut one, mut two) = Pair::start().await.with_nodes().await;
    // Of a rest that no node reported the first that asks tries.
    let word = cooldown::force(credential_key("main"), 0, START, MINUTE, "ops", "maintenance");
    let word = cliproxy_domain::Cooldown { cause: CooldownCause::RateLimit, ..word };
    store_hints(&pair.store, vec![cliproxy_domain::Hint::Cooldown(word)]).await;
    for node in [&one, &two] {
        node.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    }
    pair.a.clock.advance_wall(MINUTE);
    tokio::join!(one.tells(wants("wish-1")), two.tells(wants("wish-2")));
    let holder = |node: &TestNode| node.rest(&credential_key("main")).unwrap().permit;
    for node in [&one, &two] {
        node.learns(|node| holder(node).number == 1).await;
    }
    assert_eq!(holder(&one), holder(&two));
    let granted = |plane: &Plane| plane.metric("cliproxy_controlplane_permits_granted_total");
    assert_eq!((granted(&pair.a), granted(&pair.b)), (1.0, 0.0), "the leader grants");
    pair.stop().await;
}

#[tokio::test]
async fn the_permit_of_a_node_of_a_replica_that_was_killed_goes_to_another() {
    let (pair, one, mut two) = Pair::start().await.with_nodes().await;
    two.tells(event("event-1", "main", MINUTE)).await;
    one.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let Pair { a, b, .. } = pair;
    let killed = a.clock.now();
    b.kill().await;
    drop(two);
    a.clock.advance_wall(MINUTE);
    one.learns(|node| {
        node.rest(&credential_key("main")).unwrap().permit.node == Some(NodeId::from("node-1"))
    })
    .await;
    let took = a.clock.now() - killed;
    assert!(took < 5 * SECOND, "it took {took:?}");
    a.stop().await;
}

#[tokio::test]
async fn both_replicas_answer_operators_alike() {
    let (pair, mut one, mut two) =
        Pair::configured_with(super::super::health::checked()).await.with_nodes().await;
    one.calls(calls("claude", AttemptCounts { ok: 3, latency_us: 900_000, ..Default::default() })).await;
    two.calls(calls("claude", AttemptCounts { err_5xx: 2, ..Default::default() })).await;
    two.calls(calls("openai", AttemptCounts { ok: 1, latency_us: 100_000, ..Default::default() })).await;
    one.tells(event("event-1", "main", MINUTE)).await;
    two.probes("openai", 200).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    for path in [
        "providers/status",
        "cooldown/status",
        "load_balancing/status",
        "explain?model=smart",
        "audit",
        "nodes",
        "alerts",
        "quotas",
        "config/history",
    ] {
        let path = format!("/v0/operations/{path}");
        let mut answers = Default::default();
        let same = tokio::time::timeout(DEADLINE, async {
            loop {
                let (a, b) = (pair.a.get(&path).await, pair.b.get(&path).await);
                assert_eq!((a.status, b.status), (hyper::StatusCode::OK, hyper::StatusCode::OK), "{path}");
                let mut both = [a.json, b.json];
                both.iter_mut().for_each(without_kept);
                if both[0] == both[1] {
                    return;
                }
                answers = both;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(same.await.is_ok(), "{path}: {answers:#?}");
    }
    let status = pair.b.get("/v0/operations/providers/status").await.json;
    assert_eq!(status["providers"]["claude"]["requests_last_minute"], 5);
    pair.stop().await;
}

/// Forgets which texts are kept: these stories keep them in memory.
fn without_kept(json: &mut serde_json::Value) {
    if let Some(configs) = json.get_mut("configs").and_then(serde_json::Value::as_array_mut) {
        configs.iter_mut().for_each(|config| drop(config.as_object_mut().unwrap().remove("kept")));
    }
}
