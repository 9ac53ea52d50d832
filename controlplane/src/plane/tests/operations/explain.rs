//! Where a request would go, and why; and where one went.

use super::*;
use cliproxy_domain::{AttemptRecord, ModelPattern, RequestRecord};
use cliproxy_store::{Store, StoredRequest};

pub(super) fn record(id: &str) -> RequestRecord {
    RequestRecord {
        id: id.into(),
        node: "node-1".into(),
        at: START,
        api: "openai_chat".into(),
        outcome: "rate_limit".into(),
        code: None,
        why: None,
        served_by: None,
        status: 429,
        latency_ms: 12,
        decision: None,
        client: None,
        key: None,
        tags: Default::default(),
        attempts: vec![AttemptRecord {
            reserved_tokens: Some(4_230),
            spent_tokens: Some(5),
            provider: "claude".into(),
            model: "claude-sonnet-4-5".into(),
            credential: "main".into(),
            started_ms: 1,
            took_ms: 11,
            outcome: "rate_limit".into(),
            http_status: Some(429),
            hint_ms: Some(7_000),
            cost_usd: Some(0.000_000_1),
            price: Some("config-1".into()),
            then: "gave up: no choice is left".into(),
        }],
    }
}

pub(super) async fn keep(plane: &Plane, record: &RequestRecord) {
    let body = serde_json::to_string(record).unwrap();
    let stored = StoredRequest { id: record.id.clone(), at: record.at, body };
    plane.store.record_requests(vec![stored], START).await.unwrap();
}

#[tokio::test]
async fn explain_tells_who_would_be_tried_who_is_left_out_and_why() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    let answer = plane.get("/v0/operations/explain?model=smart&api=anthropic&stream=true").await;
    assert_eq!((answer.status, &answer.json["source"]), (StatusCode::OK, &json!("cluster")));
    let decision = &answer.json["decision"];
    assert_eq!((&decision["config"], &decision["model"]), (&json!(1), &json!("smart")));
    let first = &decision["candidates"][0];
    assert_eq!((&first["provider"], &first["credential"]), (&json!("claude"), &json!("spare")));
    assert_eq!(first["place"], 1);
    let candidates = decision["candidates"].as_array().unwrap();
    let out = candidates.iter().find(|candidate| candidate["excluded"] == "cooldown").unwrap();
    assert_eq!((&out["credential"], &out["cause"]), (&json!("main"), &json!("rate_limit")));
    assert_eq!(out["until"], "2026-02-19T22:51:30Z");
    assert!(!decision["reason"].as_str().unwrap().is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn explaining_has_no_effect() {
    let plane = Plane::configured().await;
    let path = "/v0/operations/explain?model=smart&session=abc";
    let first = plane.get(path).await.json;
    assert_eq!(first["decision"]["session"], true);
    for _ in 0..3 {
        assert_eq!(plane.get(path).await.json, first);
    }
    plane.stop().await;
}

#[tokio::test]
async fn what_a_provider_cannot_do_is_told() {
    let plane = Plane::configured().await;
    let answer = plane.get("/v0/operations/explain?model=smart&operation=embed").await;
    let candidates = answer.json["decision"]["candidates"].as_array().unwrap();
    let claude = candidates.iter().find(|candidate| candidate["provider"] == "claude").unwrap();
    assert_eq!(claude["excluded"], "capability");
    plane.stop().await;
}

#[tokio::test]
async fn what_a_client_may_not_use_is_left_out_where_it_would_ask() {
    let mut snapshot = keys::with_clients();
    let mut may = |name: &str, models: &[&str], providers: &[&str]| {
        let client = snapshot.clients.get_mut(name).unwrap();
        client.models = models.iter().map(|model| ModelPattern::new(*model)).collect();
        client.providers = providers.iter().map(|provider| (*provider).into()).collect();
    };
    may("ci", &[], &["openai"]);
    may("web", &["other-*"], &[]);
    let plane = Plane::configured_with(snapshot).await;
    let asked =
        async |query: &str| plane.get(&format!("/v0/operations/explain?model=smart{query}")).await.json;
    let out = |answer: &Value| -> Vec<(String, Value)> {
        let candidates = answer["decision"]["candidates"].as_array().unwrap();
        let of = |one: &Value| (one["provider"].as_str().unwrap().to_owned(), one["excluded"].clone());
        candidates.iter().map(of).filter(|(_, excluded)| !excluded.is_null()).collect()
    };
    let anybody = asked("").await;
    assert_eq!((out(&anybody), anybody.get("client")), (vec![], None));
    let ci = asked("&client=ci").await;
    assert_eq!((out(&ci), &ci["client"]), (vec![("claude".to_owned(), json!("not_allowed"))], &json!("ci")));
    let web = asked("&client=web").await;
    assert_eq!(out(&web).len(), anybody["decision"]["candidates"].as_array().unwrap().len());
    assert!(out(&web).iter().all(|(_, excluded)| excluded == "not_allowed"), "{web}");
    assert_eq!(web["decision"]["reason"], "client web may not ask for the model `smart`");

    let answer = plane.get("/v0/operations/explain?model=smart&client=wbe").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("there is no client \"wbe\"; "), "{message}");
    plane.stop().await;
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_the_closest_names() {
    let plane = Plane::configured().await;
    let answer = plane.get("/v0/operations/explain?model=smarte").await;
    assert_eq!((answer.status, &answer.json["error"]["type"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert_eq!(message, "no provider serves the model `smarte`; did you mean `smart`?");
    plane.stop().await;
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_told_what_to_ask() {
    let plane = Plane::configured().await;
    for (query, expected) in [
        ("", "model is \"\"; give the name"),
        ("?model=smart&api=openai", "api is \"openai\"; give one of openai_chat"),
        ("?model=smart&stream=yes", "stream is \"yes\"; give one of true, false"),
        ("?model=smart&operation=chat", "operation is \"chat\"; give one of generate"),
        ("?model=smart&model=other", "model is \"other\" after it was given before"),
    ] {
        let answer = plane.get(&format!("/v0/operations/explain{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(expected), "{query}: {message}");
    }
    plane.stop().await;
}

#[tokio::test]
async fn what_is_kept_of_a_request_is_told_by_its_id() {
    let plane = Plane::configured().await;
    keep(&plane, &record("req-1")).await;
    let answer = plane.get("/v0/operations/requests/req-1").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json["request"], serde_json::to_value(record("req-1")).unwrap());
    let answer = plane.get("/v0/operations/requests/req-2").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("all that failed and a sample of the others, for 24 h"), "{message}");
    assert!(message.ends_with("and none that was refused for its key or for the lack of one"), "{message}");
    plane.stop().await;
}
