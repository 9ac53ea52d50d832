//! A client that goes away: the provider's call ends with it, and everything is counted once.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, post, provider},
    script::{Script, Step, events, send},
};
use cliproxy_domain::ProviderKind;
use http_body_util::BodyExt as _;
use std::time::Duration;

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";

async fn node(steps: Vec<Step>) -> (Node, Script) {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![steps]);
    (Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await, script)
}

/// Waits until the call to the provider has ended, both here and there.
async fn call_ended(node: &Node, script: &Script) {
    for _ in 0..1_000 {
        let open = node.metric("cliproxy_in_flight{provider=\"a\"}");
        if open == 0 && script.hung_up() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the provider's call goes on, {} times told of a hang-up", script.hung_up());
}

fn attempts(node: &Node, outcome: &str) -> u64 {
    node.metric(&format!("cliproxy_attempts_total{{provider=\"a\",outcome=\"{outcome}\"}}"))
}

/// Gives how many requests were counted as failed; all of them here, as their clients went away.
fn gone(node: &Node, provider: &str, model: &str) -> u64 {
    assert!(!node.metrics().contains("cliproxy_errors_total{"), "a hang-up is nobody's error");
    let labels = format!("provider=\"{provider}\",model=\"{model}\",status=\"error\"");
    node.metric(&format!("cliproxy_requests_total{{{labels}}}"))
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_stream_ends_the_call_with_the_tokens_so_far() {
    let (node, script) = node(vec![events(), send(CONTENT), Step::Hang]).await;
    let mut response = node.open(post("/v1/chat/completions", STREAM)).await;
    let first = response.frame().await.expect("a frame").expect("a good one");
    assert_eq!(first.data_ref().expect("data"), CONTENT);
    drop(response);
    call_ended(&node, &script).await;
    assert_eq!((attempts(&node, "client_gone"), attempts(&node, "success")), (1, 0));
    assert_eq!(gone(&node, "a", "up"), 1);
    let tokens = |kind| format!("cliproxy_tokens_total{{provider=\"a\",model=\"up\",type=\"{kind}\"}}");
    assert_eq!(node.metric(&tokens("output")), 1, "one event of content was passed on");
    assert!(node.metric(&tokens("input")) > 0);
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_answered_ends_the_call() {
    let (node, script) = node(vec![Step::Hang]).await;
    let waiting =
        tokio::time::timeout(Duration::from_secs(3), node.open(post("/v1/chat/completions", STREAM)));
    assert!(waiting.await.is_err(), "nothing is answered yet");
    call_ended(&node, &script).await;
    assert_eq!((attempts(&node, "client_gone"), gone(&node, "none", "other")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn while_it_is_kept_alive_for_a_late_stream_ends_the_call() {
    let (node, script) = node(vec![Step::Hang]).await;
    let mut response = node.open(post("/v1/chat/completions", STREAM)).await;
    assert_eq!(
        response.frame().await.expect("a frame").expect("good").data_ref().expect("data"),
        ": keep-alive\n\n"
    );
    drop(response);
    call_ended(&node, &script).await;
    assert_eq!((attempts(&node, "client_gone"), gone(&node, "none", "other")), (1, 1));
}
