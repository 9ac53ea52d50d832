//! What becomes of a provider's numbers when the configuration changes.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{Script, Step, document, events, send},
};
use cliproxy_domain::{ProviderKind, Snapshot};
use std::time::Duration;

const OK: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

const REQUEST: (&str, &str) = ("/v1/chat/completions", r#"{"model":"m"}"#);

fn only(name: &str) -> Snapshot {
    in_turn(vec![provider(name, ProviderKind::OpenAi)])
}

/// Starts a node of the provider `a`; its first answer is a stream that goes on for a while, the next is whole.
async fn node() -> Node {
    let net = MemoryNet::new();
    let stream = vec![events(), send(CONTENT), Step::Pause(Duration::from_secs(9)), send(END)];
    Script::play(&net, "a", vec![stream, document("200 OK", OK)]);
    Script::play(&net, "b", vec![document("200 OK", OK)]);
    Node::start(&net, only("a")).await
}

fn shows(node: &Node, provider: &str) -> bool {
    node.metrics().contains(&format!("provider=\"{provider}\""))
}

#[tokio::test(start_paused = true)]
async fn the_series_of_a_provider_go_when_it_does() {
    let node = node().await;
    node.ask(REQUEST.0, REQUEST.1).await;
    node.ask(REQUEST.0, r#"{"model":"unknown"}"#).await;
    assert!(shows(&node, "a") && shows(&node, "none"));
    node.adopt(only("b"));
    node.ask(REQUEST.0, REQUEST.1).await;
    assert!(!shows(&node, "a"), "{}", node.metrics());
    assert!(shows(&node, "b") && shows(&node, "none"));
    assert_eq!(node.metric("cliproxy_attempts_total{provider=\"b\",outcome=\"success\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_stays_keeps_its_counts() {
    let node = node().await;
    node.ask(REQUEST.0, REQUEST.1).await;
    node.adopt(in_turn(vec![provider("a", ProviderKind::OpenAi), provider("b", ProviderKind::OpenAi)]));
    node.ask(REQUEST.0, REQUEST.1).await;
    assert_eq!(node.metric("cliproxy_attempts_total{provider=\"a\",outcome=\"success\"}"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_provider_brings_no_series_back() {
    let node = node().await;
    let stream = node.open(post(REQUEST.0, r#"{"model":"m","stream":true}"#)).await;
    assert_eq!(node.metric("cliproxy_in_flight{provider=\"a\"}"), 1);
    node.adopt(only("b"));
    assert_eq!(Answer::read(stream).await.body, [CONTENT, END].concat());
    assert!(!shows(&node, "a"), "{}", node.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_comes_back_during_a_call_counts_its_own_calls_only() {
    let node = node().await;
    let stream = node.open(post(REQUEST.0, r#"{"model":"m","stream":true}"#)).await;
    node.adopt(only("b"));
    node.adopt(only("a"));
    Answer::read(stream).await;
    node.ask(REQUEST.0, REQUEST.1).await;
    assert!(node.metrics().contains("cliproxy_in_flight{provider=\"a\"} 0\n"), "{}", node.metrics());
}
