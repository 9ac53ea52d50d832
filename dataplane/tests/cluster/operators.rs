//! Operators who ask a node.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, configuration, until},
};
use cliproxy_host::MemoryDisk;
use cliproxy_proto::v1::AskResponse;
use serde_json::json;

async fn connected() -> (Control, Node) {
    let net = MemoryNet::default();
    let control = Control::new(&net, configuration(&["a"]));
    control.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("the connection", || !node.live.is_cut_off() && node.live.known().is_some()).await;
    (control, node)
}

fn answer(status: u32, body: &str) -> Option<AskResponse> {
    let content_type = "application/json".to_owned();
    Some(AskResponse { status, content_type, body: body.as_bytes().to_vec() })
}

#[tokio::test(start_paused = true)]
async fn a_call_is_handed_on_as_it_is_and_answered_as_the_control_plane_answers() {
    let (control, node) = connected().await;
    control.answer(answer(409, r#"{"error":{"type":"conflict","message":"so it is"}}"#));
    let body = r#"{"reason": "maintenance"}"#;
    let (status, told) = node.operate("POST", "providers/no%20such/cooldown?x=1", body).await;
    assert_eq!((status, told), (409, json!({"error": {"type": "conflict", "message": "so it is"}})));
    let asked = &control.told().asked[0];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.path, "/v0/operations/providers/no%20such/cooldown?x=1");
    assert_eq!((asked.body.as_slice(), asked.content_type.as_str()), (body.as_bytes(), "application/json"));
    assert_eq!((asked.actor.as_str(), asked.from.as_str()), ("loopback", "127.0.0.1"));
    for path in ["nodes", "audit?limit=5", "config/history", "requests/elsewhere", "cooldown/status"] {
        control.answer(answer(200, &format!(r#"{{"of":"{path}"}}"#)));
        assert_eq!(node.operate("GET", path, "").await, (200, json!({"of": path})));
    }
    assert_eq!(node.metric(r#"cliproxy_node_operations_total{answered_by="cluster"} "#), 6);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_this_node_served_it_tells_itself_and_of_the_rest_it_asks() {
    let (control, node) = connected().await;
    control.answer(answer(200, r#"{"source":"cluster"}"#));
    // Nobody is at the provider's address.
    let id = node.failed_chat("a/m").await;
    let (status, told) = node.operate("GET", &format!("requests/{id}"), "").await;
    assert_eq!((status, &told["source"]), (200, &json!("node")), "{told}");
    let request = &told["request"];
    assert_eq!((&request["id"], &request["node"]), (&json!(id), &json!("me")));
    assert_eq!(request["attempts"][0]["outcome"], "connect_failed", "{told}");
    assert!(control.told().asked.is_empty());
    // It went up as well.
    let records =
        || control.told().observed.iter().flat_map(|told| told.requests.clone()).collect::<Vec<_>>();
    until("the record", || !records().is_empty()).await;
    let record: serde_json::Value = serde_json::from_slice(&records()[0]).expect("JSON");
    assert_eq!(&record, request);
    assert_eq!(node.operate("GET", "requests/elsewhere", "").await.1, json!({"source": "cluster"}));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_is_not_handed_on() {
    let (control, node) = connected().await;
    control.answer(answer(200, "{}"));
    for (method, path, status) in
        [("GET", "nothing", 404), ("DELETE", "nodes", 405), ("GET", "providers/a/recover", 405)]
    {
        assert_eq!(node.operate(method, path, "").await.0, status, "{method} {path}");
    }
    let large = " ".repeat(70_000);
    assert_eq!(node.operate("POST", "providers/a/recover", &large).await.0, 413);
    assert_eq!(node.operate("PUT", "config", &large).await.0, 200, "a configuration may be longer");
    assert_eq!(node.operate("PUT", "config", &" ".repeat(1_100_000)).await.0, 413);
    assert_eq!(control.told().asked.len(), 1);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_hangs_is_waited_for_so_long_and_the_node_answers_by_itself() {
    let (control, node) = connected().await;
    control.answer(None);
    let (status, told) = node.operate("GET", "providers/status", "").await;
    assert_eq!((status, &told["source"]), (200, &json!("node")));
    assert!(told["providers"]["a"].is_object() && told["as_of"].is_string(), "{told}");
    let (status, told) = node.operate("POST", "providers/a/cooldown", "").await;
    assert_eq!((status, &told["error"]["type"]), (503, &json!("control_plane_unavailable")));
    let message = told["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("it may have taken this word: see GET /v0/operations/cooldown/status"),
        "{message}"
    );
    assert!(node.live.hints().is_empty(), "the word is not this node's to give");
    node.stop().await;
}
