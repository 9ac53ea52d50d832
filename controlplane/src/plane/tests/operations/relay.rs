//! What nodes hand on is answered as the operators' own listener answers it.

use super::*;
use cliproxy_proto::v1::{AskRequest, AskResponse, relay_client::RelayClient};
use tonic::Status;

async fn ask(plane: &Plane, method: &str, path: &str, body: &str) -> Result<AskResponse, Status> {
    let request = AskRequest {
        method: method.into(),
        path: path.into(),
        body: body.into(),
        actor: "ops".into(),
        from: "203.0.113.5".into(),
        content_type: if body.is_empty() { String::new() } else { "application/json".into() },
    };
    RelayClient::new(plane.as_node().await).ask(request).await.map(tonic::Response::into_inner)
}

fn json(answer: &AskResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_relayed_call_is_answered_like_a_call_of_ones_own() {
    let plane = Plane::configured().await;
    rest(&plane, &["main", "spare"]).await;
    for path in [
        PROVIDERS,
        COOLDOWNS,
        "/v0/operations/explain?model=smart&api=gemini",
        "/v0/operations/explain?model=nobody",
        "/v0/operations/audit?limit=0",
        "/v0/operations/requests/none",
        "/v0/operations/nothing",
    ] {
        let own = plane.get(path).await;
        let relayed = ask(&plane, "GET", path, "").await.unwrap();
        assert_eq!((relayed.status, json(&relayed)), (own.status.as_u16().into(), own.json), "{path}");
        assert_eq!(relayed.content_type, "application/json");
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_relayed_change_is_that_of_whom_the_node_let_in() {
    let plane = Plane::configured().await;
    let path = "/v0/operations/providers/claude/cooldown";
    let answer = ask(&plane, "POST", path, r#"{"duration": "10m"}"#).await.unwrap();
    assert_eq!(
        (answer.status, &json(&answer)["cooldown"]["remaining_seconds"]),
        (200, &serde_json::json!(600))
    );
    let entry = plane.get("/v0/operations/audit").await.json["entries"][0].clone();
    assert_eq!(
        (&entry["actor"], &entry["from"]),
        (&serde_json::json!("ops"), &serde_json::json!("203.0.113.5"))
    );
    let refused = ask(&plane, "POST", path, r#"{"duration": 5}"#).await.unwrap();
    assert_eq!(refused.status, 400);
    plane.stop().await;
}

#[tokio::test]
async fn nodes_can_relay_operations_and_nothing_else() {
    let plane = Plane::configured().await;
    for (method, path) in
        [("GET", "/metrics"), ("GET", "/health"), ("DELETE", PROVIDERS), ("get", PROVIDERS), ("GET", "")]
    {
        let refused = ask(&plane, method, path, "").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{method} {path}");
    }
    let refused = ask(&plane, "GET", "/v0/operations/a b", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let relayed = ask(&plane, "PUT", PROVIDERS, "").await.unwrap();
    assert_eq!(relayed.status, 405, "that is the path's to say");
    plane.stop().await;
}

#[tokio::test]
async fn operators_cannot_relay_and_nodes_have_no_operations() {
    let plane = Plane::configured().await;
    let refused = RelayClient::new(plane.as_operator().await).ask(AskRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let mut operations = v1::operations_client::OperationsClient::new(plane.as_node().await);
    let refused = operations.list_nodes(v1::ListNodesRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "nobody would check who asks");
    plane.stop().await;
}
