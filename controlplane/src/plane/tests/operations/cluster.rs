//! The nodes, the quotas, what is wrong, and the audit log.

use super::*;
use cliproxy_domain::{
    AuditEntry, Health, HealthState, Hint, Incarnation, NodeId, Quota, QuotaReset, QuotaUnit,
};
use cliproxy_store::{Change, NodeRecord, Store};

/// Notes a node as if it had connected.
pub(super) fn connected(plane: &Plane, name: &str) {
    let record = NodeRecord {
        node: name.into(),
        incarnation: Incarnation(3),
        build: "0.1.0".into(),
        listen: "http://127.0.0.1:8317".into(),
        last_seen: START,
    };
    plane.state.nodes.connected(record, cliproxy_domain::ConfigId(1), cliproxy_domain::HintVersion(4));
}

/// Notes that a node refused the configuration in force.
pub(super) fn refused(plane: &Plane, name: &str) {
    let refusal = crate::state::Refusal {
        config: cliproxy_domain::ConfigId(1),
        still_on: cliproxy_domain::ConfigId(0),
        reason: "provider claude has no key".into(),
        at: START,
        again_at: None,
    };
    plane.state.nodes.refused(&NodeId::from(name), refusal);
}

pub(super) fn entry(number: i64, action: &str, provider: &str) -> AuditEntry {
    AuditEntry {
        id: format!("0{number}"),
        at: START.plus(Duration::from_secs(u64::try_from(number).unwrap())),
        actor: "ops".into(),
        from: "203.0.113.5".into(),
        action: action.into(),
        provider: Some(provider.into()),
        subject: provider.into(),
        reason: "why".into(),
        before: String::new(),
        after: "{}".into(),
    }
}

pub(super) async fn audited(plane: &Plane, entries: Vec<AuditEntry>) {
    plane.store.change(Change { audit: entries, ..Change::default() }).await.unwrap();
}

/// A configuration in which OpenAI may be used for 5 US dollars a day.
pub(super) fn with_quota() -> cliproxy_domain::Snapshot {
    let mut snapshot = snapshot();
    let quota = Quota::new(5_000_000_000, QuotaUnit::Usd, QuotaReset::Daily);
    if let Some(openai) = snapshot.providers.get_mut("openai") {
        openai.quota = Some(quota);
    }
    snapshot
}

#[tokio::test]
async fn every_node_tells_what_it_runs_and_what_it_refused() {
    let plane = Plane::configured().await;
    connected(&plane, "node-1");
    connected(&plane, "node-2");
    refused(&plane, "node-2");
    plane.state.nodes.disconnected(&"node-1".into(), Incarnation(3), START.plus(Duration::from_secs(5)));
    let answer = plane.get("/v0/operations/nodes").await.json;
    let expected = json!({
        "connected": false,
        "incarnation": 3,
        "build": "0.1.0",
        "listen": "http://127.0.0.1:8317",
        "last_seen": "2026-02-19T22:50:35Z",
        "config": 1,
        "hints": 4
    });
    assert_eq!(answer["nodes"]["node-1"], expected);
    assert_eq!(answer["nodes"]["node-2"]["refused"], "configuration 1: provider claude has no key");
    let alert = &plane.get("/v0/operations/alerts").await.json["alerts"][0];
    assert_eq!((&alert["name"], &alert["severity"]), (&json!("configuration_refused"), &json!("warning")));
    assert_eq!(alert["since"], "2026-02-19T22:50:30Z");
    assert_eq!(
        alert["message"],
        "node node-2 runs none yet and refuses configuration 1: provider claude has no key; send a configuration that \
         it takes, or this one again once the node can take it"
    );
    plane.stop().await;
}

#[tokio::test]
async fn two_processes_of_one_name_are_told_of_until_one_has_gone() {
    let plane = Plane::start().await;
    connected(&plane, "node-1");
    assert_eq!(plane.get("/v0/operations/alerts").await.json["alerts"], json!([]));
    let record = NodeRecord {
        node: "node-1".into(),
        incarnation: Incarnation(4),
        build: "0.1.0".into(),
        listen: "http://127.0.0.1:8327".into(),
        last_seen: START,
    };
    plane.state.nodes.connected(record, cliproxy_domain::ConfigId(1), cliproxy_domain::HintVersion(4));
    let alert = &plane.get("/v0/operations/alerts").await.json["alerts"][0];
    assert_eq!((&alert["name"], &alert["severity"]), (&json!("node_name_shared"), &json!("warning")));
    let message = alert["message"].as_str().unwrap();
    assert!(message.starts_with("2 processes are connected as node node-1"), "{message}");
    plane.state.nodes.disconnected(&"node-1".into(), Incarnation(3), START);
    assert_eq!(plane.get("/v0/operations/alerts").await.json["alerts"], json!([]));
    plane.stop().await;
}

#[tokio::test]
async fn a_quota_tells_its_period_and_what_is_left() {
    let plane = Plane::start().await;
    plane.handle.apply(with_quota(), "file", "start").await.unwrap();
    let answer = plane.get("/v0/operations/quotas").await.json;
    let expected = json!({
        "openai": {
            "unit": "usd",
            "limit": 5.0,
            "used": 0.0,
            "remaining": 5.0,
            "started_at": "2026-02-19T00:00:00Z",
            "resets_at": "2026-02-20T00:00:00Z"
        }
    });
    assert_eq!(answer["quotas"], expected, "claude has none");
    plane.stop().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_the_first_alert() {
    let plane = Plane::configured().await;
    assert_eq!(plane.get("/v0/operations/alerts").await.json["alerts"], json!([]));
    connected(&plane, "node-1");
    refused(&plane, "node-1");
    plane.store.faults().set_unavailable(true);
    plane.clock.advance(Duration::from_secs(1));
    let first = async || plane.get("/v0/operations/alerts").await.json["alerts"][0]["name"].clone();
    eventually(async || first().await == "store_unavailable").await;
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_an_alert_that_says_why() {
    let plane = Plane::configured().await;
    for (revision, state, name) in
        [(1, HealthState::Unhealthy, "provider_unhealthy"), (2, HealthState::Failed, "provider_failed")]
    {
        let health = Health {
            revision,
            provider: "openai".into(),
            state,
            since: START,
            recovered: false,
            recoveries: 0,
            why: "3 probes in a row failed (503)".into(),
        };
        plane.state.hints.merge(Hint::Health(health), START).unwrap();
        let alerts = plane.get("/v0/operations/alerts").await.json["alerts"].clone();
        let expected = json!([{
            "name": name,
            "severity": "critical",
            "provider": "openai",
            "since": "2026-02-19T22:50:30Z",
            "message": "openai: 3 probes in a row failed (503)"
        }]);
        assert_eq!(alerts, expected);
        let openai = plane.get(PROVIDERS).await.json["providers"]["openai"].clone();
        assert_eq!(openai["status"], state.as_str());
        assert_eq!(openai["why"], "3 probes in a row failed (503)");
    }
    plane.stop().await;
}

#[tokio::test]
async fn the_audit_log_is_asked_by_provider_action_age_and_number() {
    let plane = Plane::configured().await;
    let entries =
        vec![entry(1, "recovered", "claude"), entry(2, "recovered", "openai"), entry(3, "alert", "claude")];
    audited(&plane, entries).await;
    let ids = async |query: &str| {
        let answer = plane.get(&format!("/v0/operations/audit{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let entries = answer.json["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, ["03", "02", "01"], "the newest first");
    assert_eq!(ids("?provider=claude").await, ["03", "01"]);
    assert_eq!(ids("?action=recovered&limit=1").await, ["02"]);
    assert_eq!(ids("?before=2026-02-19T22:50:33Z").await, ["02", "01"]);
    plane.stop().await;
}

#[tokio::test]
async fn an_audit_query_that_is_not_understood_is_told_what_to_ask() {
    let plane = Plane::configured().await;
    for (query, expected) in [
        ("limit=0", "limit is 0; give a whole number from 1 to 1000"),
        ("limit=1001", "limit is 1001; give a whole number from 1 to 1000"),
        ("limit=ten", "limit is \"ten\"; give a whole number from 1 to 1000"),
        ("before=yesterday", "before is \"yesterday\"; give a time as 2026-02-19T22:50:00Z"),
    ] {
        let answer = plane.get(&format!("/v0/operations/audit?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(expected), "{query}: {message}");
    }
    plane.stop().await;
}
