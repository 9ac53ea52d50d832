//! A client of one API and providers of others.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{Script, Step, document, events, send},
};
use cliproxy_domain::{
    MaxTokensName, ModelPattern, Need, OnLoss, Profile, Provider, ProviderKind, Snapshot, TraitsEntry,
};
use serde_json::{Value, json};
use std::time::Duration;

pub const MESSAGES: &str = "/v1/messages";
pub const ASK: &str = r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#;
const ASK_STREAM: &str =
    r#"{"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
pub const CHAT_REPLY: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

pub fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up",
        "choices": [choice]});
    format!("data: {chunk}\n\n")
}

pub fn text(text: &str) -> String {
    chunk(&json!({ "content": text }), None)
}

pub fn end() -> String {
    chunk(&json!({}), Some("stop")) + "data: [DONE]\n\n"
}

pub fn names(stream: &str) -> Vec<&str> {
    stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
}

pub fn body_of(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

pub fn error_of(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["error"].take()
}

pub async fn with(net: &MemoryNet, providers: Vec<Provider>) -> Node {
    Node::start(net, in_turn(providers)).await
}

#[tokio::test(start_paused = true)]
async fn an_anthropic_client_is_served_by_a_server_that_speaks_chat() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask(MESSAGES, ASK).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let message: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hello"}]));
    assert_eq!(message["model"], "m", "the name that the client asked for");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-cliproxy-provider"], "a");
    let request = script.requests().remove(0);
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer upstream-key\r\n"), "{request}");
    assert_eq!(body_of(&request)["messages"], json!([{"role": "user", "content": "hi"}]));
    let tokens = |kind| format!("cliproxy_tokens_total{{provider=\"a\",model=\"up\",type=\"{kind}\"}}");
    assert_eq!((node.metric(&tokens("input")), node.metric(&tokens("output"))), (3, 2));
    let translated = r#"cliproxy_translated_attempts_total{client="anthropic",upstream="openai_chat"}"#;
    assert_eq!(node.metric(translated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_fails_over_to_a_provider_of_another_api() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("500 Internal Server Error", "{}")]);
    let stream = vec![events(), send(text("Hel")), send(text("lo")), send(end())];
    Script::play(&net, "b", vec![stream]);
    let providers =
        vec![provider("a", ProviderKind::Anthropic), provider("b", ProviderKind::OpenAiCompatible)];
    let answer = with(&net, providers).await.ask(MESSAGES, ASK_STREAM).await;
    assert_eq!((answer.status.as_u16(), answer.complete), (200, true));
    assert_eq!(answer.headers["x-cliproxy-provider"], "b");
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&answer.body), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_told_in_the_clients_own_words() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![vec![events(), send(text("Hel"))]]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask(MESSAGES, ASK_STREAM).await;
    assert!(answer.complete, "the body ends as HTTP says");
    let names = names(&answer.body);
    assert_eq!(names.last(), Some(&"error"), "{}", answer.body);
    assert!(!names.contains(&"message_delta") && !names.contains(&"message_stop"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn an_error_within_the_providers_stream_is_told_in_the_clients_own_words() {
    let net = MemoryNet::new();
    let error =
        "data: {\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"code\":null}}\n\n";
    Script::play(&net, "a", vec![vec![events(), send(text("Hel")), send(error)]]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask(MESSAGES, ASK_STREAM).await;
    let last = answer.body.trim_end().lines().last().expect("a line");
    let event: Value = serde_json::from_str(last.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(event["error"]["type"], "rate_limit_error", "{event}");
}

#[tokio::test(start_paused = true)]
async fn an_error_before_the_stream_has_its_status_and_type_in_the_clients_api() {
    let net = MemoryNet::new();
    let busy = r#"{"error":{"message":"busy","type":"server_error","code":"server_is_overloaded"}}"#;
    Script::play(&net, "a", vec![document("503 Service Unavailable", busy)]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask(MESSAGES, ASK_STREAM).await;
    assert_eq!(answer.status.as_u16(), 529);
    assert_eq!(error_of(&answer)["type"], "overloaded_error");
    assert!(answer.headers.contains_key("retry-after"));
}

/// A provider whose models see no images.
fn blind(name: &str, kind: ProviderKind) -> Provider {
    let entry = TraitsEntry {
        models: vec![ModelPattern::new("*")],
        abilities: vec![(Need::Images, false)],
        ..TraitsEntry::default()
    };
    Provider { traits: vec![entry], ..provider(name, kind) }
}

const WITH_IMAGE: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}"#;

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_do_what_is_asked_is_left_out_before_it_is_tried() {
    let net = MemoryNet::new();
    let first = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    Script::play(&net, "b", vec![document("200 OK", CHAT_REPLY)]);
    let kind = ProviderKind::OpenAiCompatible;
    let answer =
        with(&net, vec![blind("a", kind), provider("b", kind)]).await.ask(MESSAGES, WITH_IMAGE).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(answer.headers["x-cliproxy-provider"], "b");
    assert_eq!(answer.headers["x-cliproxy-attempts"], "1");
    assert!(first.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_no_target_can_do_is_refused_by_the_name_of_its_field() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    let node = with(&net, vec![blind("a", ProviderKind::Anthropic)]).await;
    let image = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}"#;
    let answer = node.ask("/v1/chat/completions", image).await;
    assert_eq!(answer.status.as_u16(), 400);
    let error = error_of(&answer);
    assert_eq!((&error["code"], &error["param"]), (&json!("capability"), &json!("messages[0]")));
    let answer =
        node.ask("/v1/chat/completions", r#"{"model":"m","n":2,"messages":[{"role":"user","content":"x"}]}"#);
    assert_eq!(error_of(&answer.await)["param"], "n");
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_lacks_something_is_left_out_for_clients_of_its_own_api_too() {
    let net = MemoryNet::new();
    let first = Script::play(&net, "a", vec![document("200 OK", "{}")]);
    Script::play(
        &net,
        "b",
        vec![document(
            "200 OK",
            r#"{"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":1},"stop_reason":"end_turn"}"#,
        )],
    );
    let providers = vec![blind("a", ProviderKind::Anthropic), provider("b", ProviderKind::Anthropic)];
    let node = with(&net, providers).await;
    assert_eq!(node.ask(MESSAGES, WITH_IMAGE).await.headers["x-cliproxy-provider"], "b");
    assert!(first.requests().is_empty());
}

fn with_seed() -> &'static str {
    r#"{"model":"m","seed":7,"messages":[{"role":"user","content":"hi"}]}"#
}

pub const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_told_in_a_header() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("200 OK", MESSAGE)]);
    let node = with(&net, vec![provider("a", ProviderKind::Anthropic)]).await;
    let answer = node.ask("/v1/chat/completions", with_seed()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(answer.headers["x-cliproxy-warnings"], "seed=dropped");
    let lost = r#"cliproxy_translation_losses_total{client="openai_chat",upstream="anthropic"}"#;
    assert_eq!(node.metric(lost), 1);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_may_be_lost_the_target_is_not_used() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", MESSAGE)]);
    let mut snapshot: Snapshot = in_turn(vec![provider("a", ProviderKind::Anthropic)]);
    snapshot.policy.translation.on_loss = OnLoss::Refuse;
    let node = Node::start(&net, snapshot).await;
    let answer = node.ask("/v1/chat/completions", with_seed()).await;
    assert_eq!((answer.status.as_u16(), &error_of(&answer)["param"]), (400, &json!("seed")));
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_finds_fault_with_a_translated_body_is_not_the_last_word() {
    let net = MemoryNet::new();
    let fault = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    Script::play(&net, "a", vec![document("400 Bad Request", fault)]);
    Script::play(&net, "b", vec![document("200 OK", MESSAGE)]);
    let providers =
        vec![provider("a", ProviderKind::OpenAiCompatible), provider("b", ProviderKind::Anthropic)];
    let answer = with(&net, providers).await.ask(MESSAGES, ASK).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, MESSAGE));
    assert_eq!(answer.headers["x-cliproxy-attempts"], "2");
}

#[tokio::test(start_paused = true)]
async fn what_the_clients_own_provider_says_outranks_what_the_others_say_of_a_translated_body() {
    let net = MemoryNet::new();
    let own = r#"{"type":"error","error":{"type":"not_found_error","message":"model: up"}}"#;
    Script::play(&net, "own", vec![document("404 Not Found", own)]);
    let fault = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    Script::play(&net, "other", vec![document("400 Bad Request", fault)]);
    let providers =
        vec![provider("own", ProviderKind::Anthropic), provider("other", ProviderKind::OpenAiCompatible)];
    let answer = with(&net, providers).await.ask(MESSAGES, ASK).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, own));
    assert_eq!(answer.headers["x-cliproxy-provider"], "own");
    assert_eq!(answer.headers["x-cliproxy-attempts"], "2");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_refused_by_its_field_and_passes_to_its_own_provider() {
    let net = MemoryNet::new();
    let own = Script::play(&net, "own", vec![document("200 OK", MESSAGE)]);
    Script::play(&net, "other", vec![document("200 OK", CHAT_REPLY)]);
    let odd = r#"{"model":"m","max_tokens":9,"messages":"odd"}"#;
    let node = with(&net, vec![provider("other", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask(MESSAGES, odd).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(error_of(&answer)["message"].as_str().expect("text").contains("`messages`"), "{}", answer.body);
    let both =
        vec![provider("other", ProviderKind::OpenAiCompatible), provider("own", ProviderKind::Anthropic)];
    node.adopt(in_turn(both));
    assert_eq!(node.ask(MESSAGES, odd).await.status.as_u16(), 200);
    assert_eq!(body_of(&own.requests()[0])["messages"], "odd");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_translated_stream_ends_the_call() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![vec![events(), send(text("Hi")), Step::Hang]]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    drop(node.open(post(MESSAGES, ASK_STREAM)).await);
    let ended = async {
        while script.hung_up() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the provider's call ends");
    assert_eq!(node.metric("cliproxy_attempts_total{provider=\"a\",outcome=\"client_gone\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_where_a_stream_was_asked_for_goes_elsewhere() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    Script::play(&net, "b", vec![vec![events(), send(text("Hi")), send(end())]]);
    let kind = ProviderKind::OpenAiCompatible;
    let answer =
        with(&net, vec![provider("a", kind), provider("b", kind)]).await.ask(MESSAGES, ASK_STREAM).await;
    assert_eq!(answer.headers["x-cliproxy-provider"], "b");
    assert_eq!(names(&answer.body).last(), Some(&"message_stop"));
}

#[tokio::test(start_paused = true)]
async fn tokens_that_nobody_can_count_are_estimated_and_said_to_be() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", "{}")]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAiCompatible)]).await;
    let answer = node.ask("/v1/messages/count_tokens", ASK).await;
    let counted: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert!(counted["input_tokens"].as_u64().expect("a number") > 0);
    assert_eq!(answer.headers["x-cliproxy-warnings"], "input_tokens=estimated");
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_field_that_a_server_does_not_know_is_renamed_and_the_rest_stays() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    let profile = Profile { max_tokens: MaxTokensName::MaxTokens, ..Profile::default() };
    let provider = Provider { profile: Some(profile), ..provider("a", ProviderKind::OpenAiCompatible) };
    let node = with(&net, vec![provider]).await;
    let body =
        r#"{"model":"m","max_completion_tokens":9,"top_k":3,"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = node.ask("/v1/chat/completions", body).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, CHAT_REPLY), "the answer passes");
    let sent = body_of(&script.requests()[0]);
    assert_eq!((&sent["max_tokens"], &sent["top_k"], &sent["model"]), (&json!(9), &json!(3), &json!("up")));
    assert!(sent.get("max_completion_tokens").is_none());
    let as_it_is = r#"{"model":"m","max_tokens":9,"zzz":1,"messages":[]}"#;
    node.ask("/v1/chat/completions", as_it_is).await;
    assert!(script.requests()[1].ends_with(&as_it_is.replace("\"m\"", "\"up\"")), "untouched");
}

#[tokio::test(start_paused = true)]
async fn reasoning_of_another_provider_never_reaches_one_of_the_clients_own_api() {
    let net = MemoryNet::new();
    Script::play(
        &net,
        "a",
        vec![document(
            "200 OK",
            r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"up","responseId":"r"}"#,
        )],
    );
    let own = Script::play(&net, "b", vec![document("200 OK", MESSAGE)]);
    let node = with(&net, vec![provider("a", ProviderKind::Gemini)]).await;
    let ask = json!({"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}]});
    let answer = node.ask(MESSAGES, &ask.to_string()).await;
    let message: Value = serde_json::from_str(&answer.body).expect("JSON");
    let signed = message["content"].as_array().expect("blocks").iter();
    assert!(signed.clone().any(|block| block["signature"].is_string()), "{}", answer.body);
    let call = signed.clone().find(|block| block["type"] == "tool_use").expect("a call");
    let mut next = ask.clone();
    let turns = next["messages"].as_array_mut().expect("turns");
    turns.push(json!({"role": "assistant", "content": message["content"]}));
    turns.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}]}));
    node.adopt(in_turn(vec![provider("b", ProviderKind::Anthropic)]));
    let mut request = post(MESSAGES, &next.to_string());
    request.headers_mut().insert("anthropic-beta", "a,b".parse().expect("a value"));
    assert_eq!(Answer::read(node.open(request).await).await.status.as_u16(), 200);
    let received = own.requests().remove(0);
    assert!(received.contains("anthropic-beta: a,b\r\n"), "its own API's headers go along: {received}");
    let sent = body_of(&received);
    assert!(!sent.to_string().contains("signature"), "{sent}");
    assert_eq!(sent["messages"][1]["content"].as_array().expect("blocks").len(), 1, "the call alone: {sent}");
}

#[tokio::test(start_paused = true)]
async fn a_chat_client_reaches_by_responses_what_chat_is_refused() {
    let net = MemoryNet::new();
    let reply = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"up","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":2}}"#;
    let script = Script::play(&net, "a", vec![document("200 OK", reply), document("200 OK", CHAT_REPLY)]);
    let entry = TraitsEntry {
        models: vec![ModelPattern::new("*")],
        tools_need_responses: Some(true),
        ..TraitsEntry::default()
    };
    let node =
        with(&net, vec![Provider { traits: vec![entry], ..provider("a", ProviderKind::OpenAi) }]).await;
    let mut ask = json!({"model": "m", "reasoning_effort": "high", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    let answer = node.ask("/v1/chat/completions", &ask.to_string()).await;
    let message: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(message["choices"][0]["message"]["content"], "Hello", "{}", answer.body);
    assert!(script.requests()[0].starts_with("POST /v1/responses HTTP/1.1\r\n"));
    ask["reasoning_effort"] = json!("none");
    let body = ask.to_string();
    assert_eq!(node.ask("/v1/chat/completions", &body).await.body, CHAT_REPLY, "without reasoning it passes");
    assert!(script.requests()[1].ends_with(&body.replace("\"m\"", "\"up\"")));
}
