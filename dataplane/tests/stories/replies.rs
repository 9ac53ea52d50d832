//! What a client gets of answers that are not what was asked for.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, provider},
    script::{Script, Step, document, head, send},
};
use cliproxy_domain::{AliasTarget, Provider, ProviderKind, Target};
use std::time::Duration;

const OK: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// What a client that asks for a stream gets from a provider that plays `steps`.
async fn streamed(steps: Vec<Step>) -> Answer {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![steps]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await;
    node.ask("/v1/chat/completions", r#"{"model":"m","stream":true}"#).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_say_what_it_is_flows_like_one() {
    let unnamed = send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    let answer = streamed(vec![unnamed, send(CONTENT), send(END)]).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, [CONTENT, END].concat()));
    assert_eq!(answer.headers["content-type"], "text/event-stream");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_to_a_stream_passes_as_what_it_is() {
    let answer = streamed(document("200 OK", OK)).await;
    assert_eq!(
        (answer.headers["content-type"].as_bytes(), answer.body.as_str()),
        (&b"application/json"[..], OK)
    );
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_after_the_head_of_a_stream_went_out_is_told_as_a_failure() {
    let late = vec![Step::Pause(Duration::from_secs(12)), head("200 OK", "application/json"), send(OK)];
    let answer = streamed(late).await;
    assert_eq!((answer.status.as_u16(), answer.complete), (200, true));
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let event = answer.body.strip_prefix("data: ").expect("an event");
    let tree: serde_json::Value = serde_json::from_str(event.trim_end()).expect("JSON");
    assert_eq!(
        tree["error"]["message"],
        "the provider answered in another form than the one that was asked for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_of_ours_is_told_without_what_the_provider_says_of_it() {
    let refused = r#"{"error":{"message":"Incorrect API key provided: sk-pr**********cdef. See https://x.com/keys","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    let answer = streamed(document("401 Unauthorized", refused)).await;
    assert_eq!(answer.status.as_u16(), 401);
    let tree: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(tree["error"]["code"], "invalid_api_key");
    assert!(!answer.body.contains("cdef") && !answer.body.contains("x.com"), "{}", answer.body);
}

/// A node whose alias has two models of the provider `a`, with one credential, before `b`.
async fn two_models_and_another(net: &MemoryNet) -> Node {
    let openai = |name| -> Provider { provider(name, ProviderKind::OpenAi) };
    let mut snapshot = in_turn(vec![openai("a"), openai("b")]);
    let alias = snapshot.models.get_mut("m").expect("there");
    let target = Target { provider: "a".into(), model: "second".into() };
    alias.targets.insert(1, AliasTarget { target, priority: Some(1), weight: None });
    Node::start(net, snapshot).await
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_was_just_sent_away_is_not_tried_with_another_model() {
    let net = MemoryNet::new();
    let limited = [
        send("HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\nconnection: close\r\n\r\n"),
        send(r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#),
    ];
    let first = Script::play(&net, "a", vec![limited.to_vec()]);
    Script::play(&net, "b", vec![document("200 OK", OK)]);
    let node = two_models_and_another(&net).await;
    let answer = node.ask("/v1/chat/completions", r#"{"model":"m"}"#).await;
    assert_eq!((answer.body.as_str(), answer.headers["x-cliproxy-attempts"].as_bytes()), (OK, &b"2"[..]));
    assert_eq!(first.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_merely_failed_is_tried_with_its_other_model() {
    let net = MemoryNet::new();
    let first =
        Script::play(&net, "a", vec![document("500 Internal Server Error", "{}"), document("200 OK", OK)]);
    Script::play(&net, "b", vec![document("200 OK", OK)]);
    let node = two_models_and_another(&net).await;
    let answer = node.ask("/v1/chat/completions", r#"{"model":"m"}"#).await;
    assert_eq!(answer.headers["x-cliproxy-provider"], "a");
    assert_eq!(first.requests().len(), 2);
}
