//! An operator lets a provider rest, and ends its rests.

use super::*;
use cliproxy_domain::{AuditQuery, UrgentEvent};
use cliproxy_store::Store;

/// Connects a node that has the configuration, and acknowledges hints when it is asked to.
async fn connect(plane: &Plane, node: &str) -> Talk<v1::SyncUp, v1::SyncDown> {
    let talk = open_sync(plane.as_node().await).await;
    let hello = v1::Hello { node_id: node.into(), incarnation: 1, ..Default::default() };
    talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
    eventually(async || plane.state.nodes.is_connected(&node.into())).await;
    talk
}

/// Acknowledges the next numbered change of the hint line.
async fn acknowledge(talk: &mut Talk<v1::SyncUp, v1::SyncDown>) {
    loop {
        let Some(v1::sync_down::Message::Delta(delta)) = talk.next().await.message else { continue };
        if delta.line() != v1::Line::Hint || delta.to == 0 {
            continue;
        }
        let ack = v1::Ack {
            nonce: delta.nonce,
            line: v1::Line::Hint.into(),
            version: delta.to,
            ..Default::default()
        };
        return talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Ack(ack)) }).await;
    }
}

async fn audit(plane: &Plane) -> Vec<cliproxy_domain::AuditEntry> {
    plane.store.audit(AuditQuery::default()).await.unwrap()
}

#[tokio::test]
async fn the_guides_calls_do_what_the_guide_says() {
    let plane = Plane::configured().await;
    let answer =
        post(&plane, "claude/cooldown", "{\n    \"duration\": \"10m\",\n    \"reason\": \"manual\"\n  }")
            .await;
    assert_eq!(answer.status, StatusCode::OK);
    let period = json!({
        "started_at": "2026-02-19T22:50:30Z",
        "ends_at": "2026-02-19T23:00:30Z",
        "remaining_seconds": 600,
        "reason": "manual"
    });
    let expected = json!({
        "provider": "claude",
        "subject": "claude",
        "cooldown": period,
        "dry_run": false,
        "hint_version": 1,
        "applied_nodes": 0,
        "total_nodes": 0,
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z"
    });
    assert_eq!(answer.json, expected);
    plane.clock.advance(Duration::from_secs(300));
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!(status["providers_in_cooldown"], json!(["claude"]));
    assert_eq!(status["cooldown_periods"]["claude"]["remaining_seconds"], 300);
    assert_eq!(status["cooldown_periods"]["claude"]["reason"], "manual");
    let resting = &status["resting"]["claude"];
    assert_eq!((&resting["scope"], &resting["stage"]), (&json!("provider"), &json!("resting")));
    assert_eq!((&resting["cause"], &resting["by"]), (&json!("manual"), &json!("loopback")));

    let answer = post(&plane, "claude/recover", "").await;
    assert_eq!((answer.status, answer.json.get("cooldown")), (StatusCode::OK, None));
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!(status["providers_in_cooldown"], json!([]));
    assert_eq!(status["cooldown_periods"], json!({}));
    let over = &status["history"][0];
    assert_eq!((&over["subject"], &over["stage"]), (&json!("claude"), &json!("over")));
    assert_eq!(over["ends_at"], "2026-02-19T22:55:30Z", "when it was ended, not when it would have been");
    plane.stop().await;
}

#[tokio::test]
async fn without_a_body_the_provider_rests_for_its_own_default() {
    let plane = Plane::start().await;
    let mut snapshot = snapshot();
    if let Some(claude) = snapshot.providers.get_mut("claude") {
        claude.cooldown.default = Duration::from_secs(180);
    }
    plane.handle.apply(snapshot, "file", "start").await.unwrap();
    for body in ["", "{}"] {
        let answer = post(&plane, "claude/cooldown", body).await;
        let cooldown = &answer.json["cooldown"];
        assert_eq!((&cooldown["remaining_seconds"], &cooldown["reason"]), (&json!(180), &json!("manual")));
    }
    plane.stop().await;
}

#[tokio::test]
async fn one_credential_or_one_model_of_it_can_rest_alone() {
    let plane = Plane::configured().await;
    let answer = post(&plane, "claude/cooldown", r#"{"credential": "main"}"#).await;
    assert_eq!(answer.json["subject"], "claude/main");
    let answer = post(&plane, "claude/cooldown", r#"{"credential": "spare", "model": "claude-opus"}"#).await;
    assert_eq!(answer.json["subject"], "claude/spare/claude-opus");
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!(status["providers_in_cooldown"], json!([]), "spare serves other models");
    let resting: Vec<_> = status["resting"].as_object().unwrap().keys().collect();
    assert_eq!(resting, ["claude/main", "claude/spare/claude-opus"]);
    plane.stop().await;
}

#[tokio::test]
async fn a_recovery_ends_all_rests_within_and_no_429_from_before_it_brings_them_back() {
    let plane = Plane::configured().await;
    rest(&plane, &["main", "spare"]).await;
    assert_eq!(plane.get(COOLDOWNS).await.json["providers_in_cooldown"], json!(["claude"]));
    plane.clock.advance(Duration::from_secs(1));
    post(&plane, "claude/recover", "").await;
    assert_eq!(plane.get(COOLDOWNS).await.json["providers_in_cooldown"], json!([]));
    let mut events = open_events(plane.as_node().await).await;
    let stale = UrgentEvent { seen_epoch: 0, ..event("late", "main", Duration::from_secs(60)) };
    events.say(event_to_wire(&stale)).await;
    events.next().await;
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!(status["resting"].get("claude/main"), None, "{status}");
    let over: Vec<_> =
        status["history"].as_array().unwrap().iter().map(|rest| rest["subject"].clone()).collect();
    assert_eq!(over, [json!("claude/main"), json!("claude/spare")]);
    plane.stop().await;
}

#[tokio::test]
async fn the_health_of_a_recovered_provider_is_judged_anew() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    let status = async || plane.get(PROVIDERS).await.json["providers"]["claude"]["status"].clone();
    eventually(async || status().await == "healthy").await;
    post(&plane, "claude/recover", r#"{"credential": "main"}"#).await;
    assert_eq!(status().await, "healthy", "nothing was said of the whole provider");
    post(&plane, "claude/recover", "").await;
    assert_eq!(status().await, "unknown");
    plane.stop().await;
}

#[tokio::test]
async fn a_recovered_credential_rests_on_with_its_provider() {
    let plane = Plane::configured().await;
    post(&plane, "claude/cooldown", r#"{"duration": "10m"}"#).await;
    let answer = post(&plane, "claude/recover", r#"{"credential": "main"}"#).await;
    assert_eq!(answer.json["cooldown"]["remaining_seconds"], 600);
    plane.stop().await;
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_and_changes_nothing() {
    let plane = Plane::configured().await;
    let body = r#"{"duration": "10m", "dry_run": true, "request_id": "try"}"#;
    let answer = post(&plane, "claude/cooldown", body).await;
    assert_eq!((&answer.json["dry_run"], &answer.json["hint_version"]), (&json!(true), &json!(0)));
    assert_eq!(answer.json["cooldown"]["remaining_seconds"], 600);
    assert_eq!(plane.get(COOLDOWNS).await.json["resting"], json!({}));
    assert_eq!(audit(&plane).await, []);
    assert_eq!(plane.store.outcome("try".into()).await.unwrap(), None);
    plane.stop().await;
}

#[tokio::test]
async fn a_call_that_was_heard_before_does_nothing_and_is_answered_as_then() {
    let plane = Plane::configured().await;
    let body = r#"{"duration": "10m", "request_id": "r-1"}"#;
    let first = post(&plane, "claude/cooldown", body).await;
    plane.clock.advance(Duration::from_secs(60));
    post(&plane, "claude/recover", "").await;
    let again = post(&plane, "claude/cooldown", body).await;
    assert_eq!((again.status, again.json), (StatusCode::OK, first.json.clone()));
    assert_eq!(plane.get(COOLDOWNS).await.json["providers_in_cooldown"], json!([]), "it stays recovered");
    assert_eq!(audit(&plane).await.len(), 2);

    let store = plane.store.clone();
    plane.stop().await;
    let plane = Plane::start_on(store).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let after_restart = post(&plane, "claude/cooldown", body).await;
    assert_eq!(after_restart.json, first.json);
    plane.stop().await;
}

#[tokio::test]
async fn another_call_of_the_same_name_is_refused() {
    let plane = Plane::configured().await;
    post(&plane, "claude/cooldown", r#"{"duration": "10m", "request_id": "r-1"}"#).await;
    for (what, body) in [
        ("claude/cooldown", r#"{"duration": "20m", "request_id": "r-1"}"#),
        ("openai/cooldown", r#"{"duration": "10m", "request_id": "r-1"}"#),
        ("claude/recover", r#"{"request_id": "r-1"}"#),
    ] {
        let answer = post(&plane, what, body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{what} {body}");
        assert_eq!(answer.json["error"]["type"], "conflict");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.contains("r-1") && message.contains("cooldown claude 600000ms"), "{message}");
    }
    plane.stop().await;
}

#[tokio::test]
async fn the_audit_log_says_who_from_where_why_and_what_was_before_and_after() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    post(&plane, "claude/recover", r#"{"reason": "they called"}"#).await;
    let answer = plane.get("/v0/operations/audit?provider=claude&action=recovered").await;
    let [entry] = answer.json["entries"].as_array().unwrap().as_slice() else { panic!("{answer:?}") };
    assert_eq!((&entry["actor"], &entry["from"]), (&json!("loopback"), &json!("127.0.0.1")));
    assert_eq!((&entry["subject"], &entry["reason"]), (&json!("claude"), &json!("they called")));
    assert_eq!(entry["at"], "2026-02-19T22:50:30Z");
    let before: Value = serde_json::from_str(entry["before"].as_str().unwrap()).unwrap();
    assert_eq!((&before[0]["subject"], &before[0]["cause"]), (&json!("claude/main"), &json!("rate_limit")));
    let after: Value = serde_json::from_str(entry["after"].as_str().unwrap()).unwrap();
    assert_eq!((&after["subject"], &after["by"]), (&json!("claude"), &json!("loopback")));
    plane.stop().await;
}

#[tokio::test]
async fn an_answer_waits_until_enough_nodes_have_the_change_or_the_time_is_over() {
    let plane = Plane::configured().await;
    let mut first = connect(&plane, "node-1").await;
    let mut second = connect(&plane, "node-2").await;
    let counts = |answer: &Answer| (answer.json["applied_nodes"].clone(), answer.json["total_nodes"].clone());
    let body = r#"{"wait": "majority", "timeout": "200ms"}"#;
    let (answer, ()) = tokio::join!(post(&plane, "claude/cooldown", body), acknowledge(&mut first));
    assert_eq!(counts(&answer), (json!(1), json!(2)), "one of two is no majority");
    let body = r#"{"wait": "all", "timeout": "10s"}"#;
    let (answer, (), ()) =
        tokio::join!(post(&plane, "claude/recover", body), acknowledge(&mut first), async {
            acknowledge(&mut second).await;
            acknowledge(&mut second).await;
        });
    assert_eq!(counts(&answer), (json!(2), json!(2)));
    plane.stop().await;
}

#[tokio::test]
async fn a_rest_that_another_one_replaced_is_in_the_history() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    plane.clock.advance(Duration::from_secs(5));
    post(&plane, "claude/cooldown", r#"{"credential": "main", "duration": "10m"}"#).await;
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!(status["resting"]["claude/main"]["cause"], "manual");
    let over = &status["history"][0];
    assert_eq!((&over["cause"], &over["ends_at"]), (&json!("rate_limit"), &json!("2026-02-19T22:50:35Z")));
    plane.stop().await;
}

#[tokio::test]
async fn a_recovery_of_what_does_not_rest_is_no_rest_in_the_history() {
    let plane = Plane::configured().await;
    assert_eq!(post(&plane, "openai/recover", "").await.status, StatusCode::OK);
    plane.clock.advance(Duration::from_secs(60));
    let status = plane.get(COOLDOWNS).await.json;
    assert_eq!((&status["resting"], &status["history"]), (&json!({}), &json!([])));
    plane.stop().await;
}

#[tokio::test]
async fn what_rests_is_told_while_the_store_is_away() {
    let plane = Plane::configured().await;
    rest(&plane, &["main", "spare"]).await;
    plane.store.faults().set_unavailable(true);
    let answer = plane.get(COOLDOWNS).await;
    assert_eq!((answer.status, &answer.json["providers_in_cooldown"]), (StatusCode::OK, &json!(["claude"])));
    let answer = post(&plane, "claude/recover", r#"{"request_id": "r"}"#).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["error"]["type"], "store_unavailable");
    plane.store.faults().heal();
    plane.stop().await;
}
