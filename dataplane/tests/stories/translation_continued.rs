//! Answers that end elsewhere than their provider ends them: those that it gives in parts, and those that a stop text
//! ends which it was not told.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, provider},
    script::{Script, Step, document, events, send},
    translation::{ASK, MESSAGES, body_of, names, with},
};
use cliproxy_domain::{BudgetId, Provider, ProviderKind, Quota, QuotaReset, QuotaUnit};
use serde_json::{Value, json};

const TOKENS: &str = "cliproxy_tokens_total{provider=\"a\",model=\"up\",type=\"output\"}";

fn part(text: &str, token: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
    match token {
        Some(token) => {
            candidate["finishReason"] = json!("CONTINUATION");
            candidate["continuationToken"] = json!(token);
        }
        None => candidate["finishReason"] = json!("STOP"),
    }
    let usage = json!({"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5});
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "up", "responseId": "r"})
}

fn whole(part: &Value) -> Vec<Step> {
    document("200 OK", &part.to_string())
}

fn streamed(part: &Value) -> Vec<Step> {
    vec![events(), send(format!("data: {part}\r\n\r\n"))]
}

async fn asked(net: &MemoryNet, answers: Vec<Vec<Step>>, stream: bool) -> (Node, Script, Answer) {
    asked_of(net, provider("a", ProviderKind::Gemini), answers, stream).await
}

async fn asked_of(
    net: &MemoryNet,
    provider: Provider,
    answers: Vec<Vec<Step>>,
    stream: bool,
) -> (Node, Script, Answer) {
    let script = Script::play(net, "a", answers);
    let node = with(net, vec![provider]).await;
    let mut ask: Value = serde_json::from_str(ASK).expect("JSON");
    ask["stream"] = json!(stream);
    let answer = node.ask(MESSAGES, &ask.to_string()).await;
    (node, script, answer)
}

fn said(stream: &str) -> String {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = data.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
    events.filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_two_parts_is_one_with_the_tokens_of_both() {
    let net = MemoryNet::new();
    let parts = vec![whole(&part("Hel", Some("t1"))), whole(&part("lo", None))];
    let (node, script, answer) = asked(&net, parts, false).await;
    let message: Value = serde_json::from_str(&answer.body).expect("JSON");
    let texts = message["content"].as_array().expect("blocks").iter();
    let text: String = texts.filter_map(|block| block["text"].as_str()).collect();
    assert_eq!((text.as_str(), &message["stop_reason"]), ("Hello", &json!("end_turn")), "{message}");
    assert_eq!(message["usage"]["output_tokens"], 4);
    assert_eq!(node.metric(TOKENS), 4);
    let requests = script.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(body_of(&requests[1])["continuationToken"], "t1");
    assert_eq!(body_of(&requests[1])["contents"], body_of(&requests[0])["contents"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_two_parts_is_one_with_the_tokens_of_both() {
    let net = MemoryNet::new();
    let parts = vec![streamed(&part("Hel", Some("t1"))), streamed(&part("lo", None))];
    let (node, script, answer) = asked(&net, parts, true).await;
    assert_eq!((said(&answer.body).as_str(), answer.complete), ("Hello", true));
    let count = |name| names(&answer.body).into_iter().filter(|event| *event == name).count();
    assert_eq!((count("message_start"), count("message_stop")), (1, 1), "{}", answer.body);
    assert!(answer.body.contains(r#""output_tokens":4"#), "{}", answer.body);
    assert_eq!((node.metric(TOKENS), script.requests().len()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_ends_is_cut_after_a_bounded_number_of_parts() {
    for stream in [false, true] {
        let net = MemoryNet::new();
        let endless = part("x", Some("again"));
        let one = if stream { streamed(&endless) } else { whole(&endless) };
        let (_, script, answer) = asked(&net, vec![one], stream).await;
        assert_eq!((answer.status.as_u16(), script.requests().len()), (200, 17), "{}", answer.body);
        assert!(answer.body.contains("max_tokens"), "it is told as cut: {}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_part_that_fails_is_told_within_the_clients_stream() {
    let net = MemoryNet::new();
    let busy = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
    let parts = vec![streamed(&part("Hel", Some("t1"))), document("503 Service Unavailable", busy)];
    let (_, _, answer) = asked(&net, parts, true).await;
    assert_eq!((answer.status.as_u16(), answer.complete), (200, true));
    let names = names(&answer.body);
    assert_eq!(names.last(), Some(&"error"), "{}", answer.body);
    assert!(!names.contains(&"message_stop"), "{}", answer.body);
    assert!(answer.body.contains("overloaded_error"), "{}", answer.body);
}

fn limited(limit: u64, unit: QuotaUnit) -> (Provider, BudgetId) {
    let quota = Some(Quota::new(limit, unit, QuotaReset::Daily));
    (Provider { quota, ..provider("a", ProviderKind::Gemini) }, BudgetId::of_provider("a", unit))
}

#[tokio::test(start_paused = true)]
async fn every_part_is_a_call_and_no_quota_of_requests_is_passed_by_them() {
    for stream in [false, true] {
        let net = MemoryNet::new();
        let endless = part("x", Some("again"));
        let one = if stream { streamed(&endless) } else { whole(&endless) };
        let (provider, id) = limited(3, QuotaUnit::Requests);
        let (node, script, answer) = asked_of(&net, provider, vec![one], stream).await;
        assert_eq!((answer.status.as_u16(), script.requests().len()), (200, 3), "{}", answer.body);
        assert!(answer.complete && answer.body.contains("max_tokens"), "{}", answer.body);
        assert_eq!(node.spent(&id), (3, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_parts_before_one_that_fails_are_paid_for() {
    let net = MemoryNet::new();
    let fault = r#"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}"#;
    let parts = vec![whole(&part("Hel", Some("t1"))), document("400 Bad Request", fault)];
    let (provider, id) = limited(100_000, QuotaUnit::Tokens);
    let (node, _, answer) = asked_of(&net, provider, parts, false).await;
    assert_ne!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(node.spent(&id), (5, 99_995));
}

fn responses_events(text: &str) -> Vec<Step> {
    let response = |status: &str| json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "up", "output": []});
    let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []});
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let events = [
        json!({"type": "response.created", "response": response("in_progress")}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0, "part": part}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text}),
    ];
    let write =
        |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"));
    vec![self::events(), send(events.iter().map(write).collect::<String>()), Step::Hang]
}

#[tokio::test(start_paused = true)]
async fn a_stop_text_that_responses_is_not_told_ends_the_answer_and_the_providers_call() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![responses_events("Hello END and more")]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAi)]).await;
    let mut ask: Value = serde_json::from_str(ASK).expect("JSON");
    ask["stream"] = json!(true);
    ask["stop_sequences"] = json!(["END"]);
    ask["thinking"] = json!({"type": "adaptive"});
    let answer = node.ask(MESSAGES, &ask.to_string()).await;
    assert!(script.requests()[0].starts_with("POST /v1/responses "), "{}", script.requests()[0]);
    assert_eq!(answer.headers["x-cliproxy-warnings"], "stop_sequences=emulated");
    assert_eq!((said(&answer.body).as_str(), answer.complete), ("Hello ", true));
    assert!(answer.body.contains(r#""stop_reason":"stop_sequence""#), "{}", answer.body);
    assert!(answer.body.contains(r#""stop_sequence":"END""#), "{}", answer.body);
    assert_eq!(names(&answer.body).last(), Some(&"message_stop"));
    while script.hung_up() == 0 {
        tokio::task::yield_now().await;
    }
    let ended =
        |outcome| node.metric(&format!("cliproxy_attempts_total{{provider=\"a\",outcome=\"{outcome}\"}}"));
    assert_eq!((ended("success"), ended("client_gone")), (1, 0), "{}", node.metrics());
}
