//! How a stream ends: told in full, cut, broken by what came, or failed before anything was told.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, provider},
    script::{Script, Step, chunk, chunked_events, events, send},
};
use cliproxy_domain::ProviderKind;

const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// What a client of Chat Completions gets of a stream that the only provider tells.
async fn told(steps: Vec<Step>) -> (Node, Answer) {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![steps]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await;
    let answer = node.ask("/v1/chat/completions", r#"{"model":"m","stream":true}"#).await;
    (node, answer)
}

fn outcome(node: &Node, outcome: &str) -> u64 {
    node.metric(&format!("cliproxy_attempts_total{{provider=\"a\",outcome=\"{outcome}\"}}"))
}

/// Gives what followed `prefix`, as one event that carries an error.
fn error_after(answer: &Answer, prefix: &str) -> serde_json::Value {
    let rest = answer.body.strip_prefix(prefix).unwrap_or_else(|| panic!("{answer:?}"));
    let json = rest.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let json = json.unwrap_or_else(|| panic!("one event is expected in {rest:?}"));
    serde_json::from_str::<serde_json::Value>(json).expect("JSON")["error"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_stream_passes_as_it_came_and_counts_once() {
    let (node, answer) = told(vec![events(), send(CONTENT), send([STOP, DONE].concat())]).await;
    assert_eq!(answer.body, [CONTENT, STOP, DONE].concat());
    assert!(answer.complete);
    assert_eq!(outcome(&node, "success"), 1);
    let requests = "cliproxy_requests_total{provider=\"a\",model=\"up\",status=\"success\"}";
    assert_eq!(node.metric(requests), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_within_an_event_ends_with_an_error_that_can_be_read() {
    let (node, answer) = told(vec![events(), send(CONTENT), send("data: {\"choices\":[{\"ind")]).await;
    assert_eq!(error_after(&answer, CONTENT)["message"], "the provider's stream ended early");
    assert_eq!(outcome(&node, "stream_broken"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_without_its_last_blank_line_passes() {
    let (_, answer) = told(vec![events(), send([CONTENT, STOP].concat()), send("data: [DONE]")]).await;
    assert_eq!(answer.body, [CONTENT, STOP, "data: [DONE]"].concat());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_no_json_is_told_as_a_failure_and_not_passed_on() {
    let usage = "data: {\"usage\":{\"prompt_tokens\":1}, what}\n\n";
    let (node, answer) =
        told(vec![events(), send(CONTENT), send([CONTENT, usage].concat()), Step::Hang]).await;
    let error = error_after(&answer, &[CONTENT, CONTENT].concat());
    assert_eq!(error["message"], "the provider sent an event that is not valid JSON");
    assert_eq!(outcome(&node, "malformed_reply"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_providers_own_error_event_is_told_once() {
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n";
    let (node, answer) = told(vec![events(), send(CONTENT), send(error)]).await;
    assert_eq!(answer.body, [CONTENT, error].concat());
    assert!(answer.complete);
    assert_eq!(outcome(&node, "upstream_error"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_after_the_streams_own_end_harms_nothing() {
    let (node, answer) = told(vec![chunked_events(), chunk(CONTENT), chunk(&[STOP, DONE].concat())]).await;
    assert_eq!(answer.body, [CONTENT, STOP, DONE].concat());
    assert_eq!((outcome(&node, "success"), outcome(&node, "stream_broken")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stays_open_after_the_streams_own_end_harms_nothing() {
    let (node, answer) = told(vec![events(), send([CONTENT, STOP, DONE].concat()), Step::Hang]).await;
    assert_eq!(answer.body.replace(": keep-alive\n\n", ""), [CONTENT, STOP, DONE].concat());
    assert!(answer.complete);
    assert_eq!((outcome(&node, "success"), outcome(&node, "timeout")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_within_a_stream_is_told() {
    let (node, answer) = told(vec![chunked_events(), chunk(CONTENT), chunk("data: {\"ch")]).await;
    assert_eq!(error_after(&answer, CONTENT)["message"], "the provider's answer broke off");
    assert!(answer.complete);
    assert_eq!(outcome(&node, "stream_broken"), 1);
}

/// Whether two events come in one piece is chance, and must not decide who answers.
#[tokio::test(start_paused = true)]
async fn an_error_in_one_piece_with_the_first_content_is_told_like_a_later_one() {
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n";
    let (node, answer) = told(vec![events(), send([CONTENT, error].concat())]).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, [CONTENT, error].concat()));
    assert_eq!(outcome(&node, "upstream_error"), 1);
}
