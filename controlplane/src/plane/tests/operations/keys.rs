//! Clients' keys: made, shown once, replaced, revoked.

use super::{super::node::TestNode, cluster, *};
use cliproxy_domain::{AuditQuery, Client, ClientKey, Hint, KeyHash, KeyRecord, Priority, RateLimits};
use cliproxy_store::Store;
use sha2::{Digest, Sha256};

const KEYS: &str = "/v0/operations/clients/ci/keys";

/// A client that may ask for models of one kind, with a key of the configuration.
fn client(name: &str) -> Client {
    let key = KeyHash(Sha256::digest(format!("the key of {name}")).into());
    Client {
        name: name.into(),
        keys: vec![ClientKey { hash: key, expires_at: None }],
        models: vec![cliproxy_domain::ModelPattern::new("claude-*")],
        providers: vec!["claude".into()],
        tags: [("team".to_owned(), "search".to_owned())].into(),
        rate_limit: RateLimits { requests_per_minute: Some(600), ..RateLimits::default() },
        budgets: Vec::new(),
        priority: Priority::High,
    }
}

/// A configuration with a quota and two clients.
pub(super) fn with_clients() -> cliproxy_domain::Snapshot {
    let mut snapshot = cluster::with_quota();
    for name in ["ci", "web"] {
        snapshot.clients.insert(name.into(), client(name));
    }
    snapshot
}

pub(super) async fn change(plane: &Plane, path: &str, body: &str) -> Answer {
    plane.send(Method::POST, path, body.to_owned(), None).await
}

async fn create(plane: &Plane, body: &str) -> Value {
    let answer = change(plane, KEYS, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json
}

fn id(answer: &Value) -> String {
    answer["details"]["id"].as_str().unwrap().to_owned()
}

/// Gives the states of the client's keys by their names.
async fn states(plane: &Plane) -> Vec<(String, String)> {
    let keys = plane.get(KEYS).await.json["keys"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    keys.as_array().unwrap().iter().map(|key| (text(&key["id"]), text(&key["state"]))).collect()
}

fn record(node: &TestNode, id: &str) -> Option<KeyRecord> {
    node.board().into_iter().find_map(|hint| match hint {
        Hint::ClientKey(record) if record.id.0 == id => Some(record),
        _ => None,
    })
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_its_hash() {
    let plane = Plane::configured_with(with_clients()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    let answer = change(&plane, KEYS, r#"{"expires_in": "90d", "reason": "for the new runner"}"#).await;
    assert_eq!(
        (answer.status, &answer.headers["cache-control"]),
        (StatusCode::OK, &"no-store".parse().unwrap())
    );
    let made = answer.json;
    let key = made["key"].as_str().unwrap();
    let random = key.strip_prefix("cpk_").unwrap();
    assert_eq!(random.len(), 43, "{key}");
    assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{key}");
    let hash = KeyHash(Sha256::digest(key).into());
    assert_eq!(id(&made), hash.id().0);
    assert_eq!(
        (&made["applied_nodes"], &made["total_nodes"]),
        (&json!(1), &json!(1)),
        "it can be used at once"
    );
    assert_eq!(made["details"]["expires_at"], "2026-05-20T22:50:30Z");
    let told = record(&node, &id(&made)).unwrap();
    assert_eq!((told.hash, told.client.as_str(), told.created_at), (hash, "ci", Some(START)));

    let listed = plane.get("/v0/operations/clients").await.json;
    let audit = plane.store.audit(AuditQuery::default()).await.unwrap();
    let entry = audit.iter().find(|entry| entry.action == "client_key_created").unwrap();
    assert_eq!((entry.actor.as_str(), entry.reason.as_str()), ("loopback", "for the new runner"));
    assert_eq!(entry.subject, format!("client ci key {}", id(&made)));
    for kept in
        [listed.to_string(), format!("{audit:?}"), format!("{:?}", plane.store.hints().await.unwrap())]
    {
        assert!(!kept.contains(random), "{kept}");
    }
    let created = r#"cliproxy_controlplane_client_key_changes_total{action="created"}"#;
    assert_eq!(plane.metric(created), 1.0);
    plane.stop().await;
}

#[tokio::test]
async fn no_two_keys_are_alike() {
    let plane = Plane::configured_with(with_clients()).await;
    let (one, two) = (create(&plane, "").await, create(&plane, "{}").await);
    assert_ne!(one["key"], two["key"]);
    assert_ne!(id(&one), id(&two));
    plane.stop().await;
}

#[tokio::test]
async fn clients_are_told_with_what_they_may_and_with_their_keys() {
    let plane = Plane::configured_with(with_clients()).await;
    let made = create(&plane, "").await;
    let clients = plane.get("/v0/operations/clients").await.json["clients"].clone();
    let mut ci = clients["ci"].clone();
    let keys = ci.as_object_mut().unwrap().remove("keys").unwrap();
    assert_eq!(
        ci,
        json!({
            "configured": true,
            "tags": {"team": "search"},
            "models": ["claude-*"],
            "providers": ["claude"],
            "priority": "high",
            "rate_limit": {"requests_per_minute": 600, "on_loss": "safe"},
            "budgets": []
        })
    );
    let configured = KeyHash(Sha256::digest("the key of ci").into()).id().0;
    assert_eq!(
        keys,
        json!([
            {"id": id(&made), "origin": "operator", "state": "active", "created_at": "2026-02-19T22:50:30Z"},
            {"id": configured, "origin": "configuration", "state": "active"}
        ])
    );
    assert_eq!(clients["web"]["keys"].as_array().unwrap().len(), 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_key_and_shows_none() {
    let plane = Plane::configured_with(with_clients()).await;
    let first = create(&plane, r#"{"request_id": "r-1"}"#).await;
    let again = create(&plane, r#"{"request_id": "r-1", "wait": "none"}"#).await;
    assert_eq!((id(&again), again.get("key")), (id(&first), None));
    let note = again["note"].as_str().unwrap();
    assert!(
        note.starts_with("this call was carried out before; its key was shown then and is not kept"),
        "{note}"
    );
    assert_eq!(states(&plane).await.len(), 2, "that of the configuration and one more");

    let other = change(&plane, KEYS, r#"{"request_id": "r-1", "expires_in": "1d"}"#).await;
    assert_eq!((other.status, &other.json["error"]["type"]), (StatusCode::CONFLICT, &json!("conflict")));
    let cooldown = post(&plane, "claude/cooldown", r#"{"request_id": "r-1"}"#).await;
    assert_eq!(cooldown.status, StatusCode::CONFLICT, "names are of all calls together");
    assert!(
        !format!("{:?}", plane.store.outcome("r-1".to_owned()).await)
            .contains(first["key"].as_str().unwrap())
    );
    plane.stop().await;
}

#[tokio::test]
async fn a_rotated_key_goes_on_for_as_long_as_was_asked_and_no_longer() {
    let plane = Plane::configured_with(with_clients()).await;
    let old = id(&create(&plane, r#"{"expires_in": "30d"}"#).await);
    plane.clock.advance_wall(Duration::from_secs(3_600));
    let rotated = change(&plane, &format!("{KEYS}/{old}/rotate"), r#"{"overlap": "10m"}"#).await.json;
    assert_ne!(id(&rotated), old);
    assert_eq!(
        rotated["details"]["expires_at"], "2026-03-21T23:50:30Z",
        "it lives as long as the old one was given"
    );
    assert_eq!((&rotated["replaces"]["id"], &rotated["replaces"]["state"]), (&json!(old), &json!("active")));
    assert_eq!(rotated["replaces"]["expires_at"], "2026-02-20T00:00:30Z");
    plane.clock.advance_wall(Duration::from_secs(600));
    let state_of = |states: Vec<(String, String)>, id: &str| {
        states.into_iter().find(|(known, _)| known == id).map(|(_, state)| state)
    };
    assert_eq!(state_of(states(&plane).await, &old).as_deref(), Some("expired"));
    assert_eq!(state_of(states(&plane).await, &id(&rotated)).as_deref(), Some("active"));
    let refused = change(&plane, &format!("{KEYS}/{old}/rotate"), "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let message = format!("key {old} of client ci is expired; create a key instead");
    assert_eq!(refused.json["error"]["message"], message);
    plane.stop().await;
}

#[tokio::test]
async fn a_rotation_does_not_lengthen_the_life_of_the_old_key() {
    let plane = Plane::configured_with(with_clients()).await;
    let old = id(&create(&plane, r#"{"expires_in": "1h"}"#).await);
    let body = r#"{"overlap": "24h", "expires_in": "never"}"#;
    let rotated = change(&plane, &format!("{KEYS}/{old}/rotate"), body).await.json;
    assert_eq!(rotated["replaces"]["expires_at"], "2026-02-19T23:50:30Z");
    assert_eq!(rotated["details"].get("expires_at"), None);
    plane.stop().await;
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_nodes_know_before_the_answer() {
    let plane = Plane::configured_with(with_clients()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    let made = id(&create(&plane, "").await);
    let path = format!("{KEYS}/{made}/revoke");
    let revoked = change(&plane, &path, r#"{"reason": "it was in a log"}"#).await.json;
    assert_eq!((&revoked["details"]["state"], &revoked["applied_nodes"]), (&json!("revoked"), &json!(1)));
    assert_eq!(record(&node, &made).unwrap().revoked_at, Some(START));
    plane.clock.advance_wall(Duration::from_secs(60));
    let again = change(&plane, &path, "").await.json;
    assert_eq!(
        (&again["hint_version"], &again["details"]["revoked_at"]),
        (&json!(0), &json!("2026-02-19T22:50:30Z"))
    );
    assert_eq!(again["note"], "it was revoked at 2026-02-19T22:50:30Z already; nothing changed");
    let entries = plane.store.audit(AuditQuery::default()).await.unwrap();
    let revocations = entries.iter().filter(|entry| entry.action == "client_key_revoked");
    let before_and_after: Vec<_> =
        revocations.map(|entry| (entry.before.as_str(), entry.after.as_str())).collect();
    assert_eq!(before_and_after.len(), 1);
    assert!(before_and_after[0].0.contains("\"active\"") && before_and_after[0].1.contains("\"revoked\""));
    plane.stop().await;
}

#[tokio::test]
async fn a_key_of_the_configuration_is_revoked_by_its_name() {
    let plane = Plane::configured_with(with_clients()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    let hash = KeyHash(Sha256::digest("the key of ci").into());
    let revoked = change(&plane, &format!("{KEYS}/{}/revoke", hash.id()), "").await.json;
    assert_eq!(
        (&revoked["details"]["origin"], &revoked["details"]["state"]),
        (&json!("configuration"), &json!("revoked"))
    );
    let told = record(&node, &hash.id().0).unwrap();
    assert_eq!((told.hash, told.created_at, told.revoked_at), (hash, None, Some(START)));
    // However long ago: without the record the configuration would have it valid again.
    plane.state.hints.forget_ended(START.plus(Duration::from_secs(400 * 24 * 60 * 60)));
    assert_eq!(states(&plane).await, [(hash.id().0, "revoked".to_owned())]);
    plane.stop().await;
}

#[tokio::test]
async fn a_revoked_key_that_the_configuration_takes_up_stays_revoked() {
    let plane = Plane::configured_with(with_clients()).await;
    let made = create(&plane, "").await;
    change(&plane, &format!("{KEYS}/{}/revoke", id(&made)), "").await;
    let hash = KeyHash(Sha256::digest(made["key"].as_str().unwrap()).into());
    let mut taken_up = with_clients();
    let client = taken_up.clients.get_mut("ci").unwrap();
    client.keys = vec![ClientKey { hash, expires_at: None }];
    plane.handle.apply(taken_up, "file", "another").await.unwrap();
    // Whoever leads tidies up as it begins.
    let plane = plane.restarted().await;
    let node = TestNode::connect(&plane, "node-1").await;
    eventually(async || record(&node, &id(&made)).is_some_and(|record| record.created_at.is_none())).await;
    let far = START.plus(Duration::from_secs(400 * 24 * 60 * 60));
    plane.state.hints.forget_ended(far);
    plane.store.forget_cooldowns(far, None).await.unwrap();
    assert_eq!(states(&plane).await, [(id(&made), "revoked".to_owned())]);
    let kept = plane.restarted().await;
    assert_eq!(states(&kept).await, [(id(&made), "revoked".to_owned())]);
    kept.stop().await;
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_done_by_halves() {
    let plane = Plane::configured_with(with_clients()).await;
    let node = TestNode::connect(&plane, "node-1").await;
    let made = id(&create(&plane, "").await);
    let before = node.board();
    plane.store.faults().set_unavailable(true);
    for path in [KEYS.to_owned(), format!("{KEYS}/{made}/rotate"), format!("{KEYS}/{made}/revoke")] {
        let refused = change(&plane, &path, r#"{"request_id": "r-1"}"#).await;
        assert_eq!(
            (refused.status, &refused.json["error"]["type"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("store_unavailable")),
            "{path}"
        );
    }
    let listed = plane.get(KEYS).await;
    assert_eq!(
        (listed.status, listed.json["keys"].as_array().unwrap().len()),
        (StatusCode::OK, 2),
        "memory answers"
    );
    plane.store.faults().heal();
    // What comes next is in order: nothing of the refused calls came before it.
    let next = create(&plane, r#"{"request_id": "r-1"}"#).await;
    let mut expected = before;
    expected.push(Hint::ClientKey(record(&node, &id(&next)).unwrap()));
    expected.sort_by_key(Hint::key);
    assert_eq!(node.board(), expected);
    assert_eq!(states(&plane).await.len(), 3);
    plane.stop().await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_told_as_such_and_a_repetition_makes_no_second_key() {
    let plane = Plane::configured_with(with_clients()).await;
    // Whatever else commits meanwhile.
    plane.store.faults().lose_answers(100);
    let body = r#"{"request_id": "r-1"}"#;
    let unsure = change(&plane, KEYS, body).await;
    assert_eq!(unsure.status, StatusCode::SERVICE_UNAVAILABLE);
    let message = unsure.json["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the store did not say whether it committed"), "{message}");
    plane.store.faults().heal();
    let again = create(&plane, body).await;
    assert_eq!(again.get("key"), None, "nobody has it: it is to be revoked");
    let (_, hints) = plane.store.hints().await.unwrap();
    assert_eq!(hints.iter().filter(|hint| matches!(hint, Hint::ClientKey(_))).count(), 1);
    plane.stop().await;
}

#[tokio::test]
async fn clients_and_keys_that_are_not_there_are_answered_with_those_that_are() {
    let plane = Plane::configured_with(with_clients()).await;
    let cases = [
        (
            "/v0/operations/clients/cli/keys".to_owned(),
            "there is no client \"cli\"; the configured ones are ci, web; add it to clients first".to_owned(),
        ),
        (
            format!("{KEYS}/000000000000/revoke"),
            format!(
                "client ci has no key \"000000000000\"; it has {}",
                KeyHash(Sha256::digest("the key of ci").into()).id()
            ),
        ),
    ];
    for (path, expected) in cases {
        let refused = change(&plane, &path, "").await;
        assert_eq!(
            (refused.status, &refused.json["error"]["message"]),
            (StatusCode::NOT_FOUND, &json!(expected))
        );
    }
    let wrong = change(&plane, KEYS, r#"{"expires": "1d"}"#).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(plane.get("/v0/operations/clients/cli/keys").await.status, StatusCode::NOT_FOUND);
    plane.stop().await;
}

#[tokio::test]
async fn keys_of_a_client_that_is_no_longer_configured_are_told_and_can_be_revoked() {
    let plane = Plane::configured_with(with_clients()).await;
    let made = id(&create(&plane, "").await);
    plane.handle.apply(snapshot(), "file", "without clients").await.unwrap();
    let clients = plane.get("/v0/operations/clients").await.json["clients"].clone();
    assert_eq!(
        (&clients["ci"]["configured"], &clients["ci"]["keys"][0]["id"]),
        (&json!(false), &json!(made))
    );
    assert_eq!(change(&plane, KEYS, "").await.status, StatusCode::NOT_FOUND, "it gets no further key");
    let revoked = change(&plane, &format!("{KEYS}/{made}/revoke"), "").await;
    assert_eq!(revoked.status, StatusCode::OK);
    plane.stop().await;
}

#[tokio::test]
async fn a_client_has_no_more_than_a_hundred_valid_keys() {
    let plane = Plane::configured_with(with_clients()).await;
    for _ in 0..99 {
        create(&plane, r#"{"wait": "none"}"#).await;
    }
    let refused = change(&plane, KEYS, "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("client ci has 100 valid keys"), "{message}");
    let one = states(&plane).await.swap_remove(0).0;
    change(&plane, &format!("{KEYS}/{one}/revoke"), "").await;
    create(&plane, "").await;
    plane.stop().await;
}
