//! Clients' keys over all replicas.

use super::*;
use cliproxy_domain::{Client, Hint, HintKey, KeyId, KeyRecord, Priority, RateLimits};
use hyper::Method;
use serde_json::Value;

const KEYS: &str = "/v0/operations/clients/ci/keys";

fn with_client() -> Snapshot {
    let client = Client {
        name: "ci".into(),
        keys: Vec::new(),
        models: Vec::new(),
        providers: Vec::new(),
        tags: Default::default(),
        rate_limit: RateLimits::default(),
        budgets: Vec::new(),
        priority: Priority::Normal,
    };
    Snapshot { clients: [(client.name.clone(), client)].into(), ..snapshot() }
}

async fn post(plane: &Plane, path: &str, body: &'static str) -> Value {
    let answer = plane.send(Method::POST, path, body, None).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json
}

fn record(node: &TestNode, id: &str) -> Option<KeyRecord> {
    node.board().into_iter().find_map(|hint| match hint {
        Hint::ClientKey(record) if record.id.0 == id => Some(record),
        _ => None,
    })
}

fn is_known(plane: &Plane, id: &str) -> bool {
    plane.state.hints.stored().1.iter().any(|hint| hint.key() == HintKey::ClientKey(KeyId(id.to_owned())))
}

#[tokio::test]
async fn a_key_made_at_one_replica_is_revoked_at_the_other_and_every_node_knows_before_the_answer() {
    let (pair, one, two) = Pair::configured_with(with_client()).await.with_nodes().await;
    let made = post(&pair.a, KEYS, "").await;
    assert_eq!((&made["applied_nodes"], &made["total_nodes"]), (&2.into(), &2.into()));
    let id = made["details"]["id"].as_str().unwrap().to_owned();
    for node in [&one, &two] {
        assert!(record(node, &id).is_some_and(|record| record.revoked_at.is_none()));
    }
    let revoked = post(&pair.b, &format!("{KEYS}/{id}/revoke"), "").await;
    assert_eq!((&revoked["applied_nodes"], &revoked["total_nodes"]), (&2.into(), &2.into()));
    for node in [&one, &two] {
        assert!(record(node, &id).is_some_and(|record| record.revoked_at.is_some()));
    }
    pair.stop().await;
}

#[tokio::test]
async fn one_call_that_two_replicas_hear_at_once_makes_one_key() {
    let pair = Pair::configured_with(with_client()).await;
    let body = r#"{"request_id": "r-1", "wait": "none"}"#;
    let (one, two) = tokio::join!(post(&pair.a, KEYS, body), post(&pair.b, KEYS, body));
    assert_eq!(one["details"]["id"], two["details"]["id"]);
    let shown = [&one, &two].into_iter().filter(|answer| answer.get("key").is_some()).count();
    assert_eq!(shown, 1, "the other one was never stored");
    let id = one["details"]["id"].as_str().unwrap();
    for plane in [&pair.a, &pair.b] {
        eventually(async || is_known(plane, id)).await;
        assert_eq!(plane.get(KEYS).await.json["keys"].as_array().unwrap().len(), 1);
    }
    pair.stop().await;
}
