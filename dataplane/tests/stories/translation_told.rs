//! What a client of one API is told of a provider of another, beyond the answer itself.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{Script, document, events, send},
};
use cliproxy_domain::{ErrorClass, ErrorRule, Profile, Provider, ProviderKind};
use serde_json::{Value, json};

const ASK: &str = r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#;
const THOUGHT: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"Hm.","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

async fn node(net: &MemoryNet, profile: Option<Profile>) -> Node {
    let provider = Provider { profile, ..provider("a", ProviderKind::OpenAiCompatible) };
    Node::start(net, in_turn(vec![provider])).await
}

fn kinds(message: &Value) -> Vec<&str> {
    message["content"].as_array().expect("blocks").iter().filter_map(|block| block["type"].as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn thoughts_that_nobody_asked_for_do_not_stand_before_the_answer() {
    let net = MemoryNet::new();
    let delta =
        |delta: Value| format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta}]}));
    let stream = [
        events(),
        send(delta(json!({"reasoning_content": "Hm."}))),
        send(delta(json!({"content": "Hello"}))),
        send(
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
    ];
    Script::play(&net, "a", vec![document("200 OK", THOUGHT), stream.to_vec(), document("200 OK", THOUGHT)]);
    let node = node(&net, None).await;
    let answer = node.ask("/v1/messages", ASK).await;
    assert_eq!(kinds(&serde_json::from_str(&answer.body).expect("JSON")), ["text"]);
    let streamed = node.ask("/v1/messages", &ASK.replace("\"max", "\"stream\":true,\"max")).await;
    assert!(streamed.body.contains("Hello") && !streamed.body.contains("thinking"), "{}", streamed.body);
    let asked = ASK.replace("\"max", "\"thinking\":{\"type\":\"adaptive\"},\"max");
    let answer = node.ask("/v1/messages", &asked).await;
    assert_eq!(kinds(&serde_json::from_str(&answer.body).expect("JSON")), ["thinking", "text"]);
}

#[tokio::test(start_paused = true)]
async fn an_anthropic_sdk_finds_the_id_of_a_translated_answer() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("200 OK", THOUGHT)]);
    let answer = node(&net, None).await.ask("/v1/messages", ASK).await;
    assert_eq!(answer.headers["request-id"], answer.headers["x-request-id"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_profile_says_of_an_error_is_what_clients_of_its_own_api_are_told_too() {
    let net = MemoryNet::new();
    let warming = r#"{"error":{"message":"the model is warming up","type":"x","param":null,"code":null}}"#;
    Script::play(&net, "a", vec![document("400 Bad Request", warming)]);
    let rule = ErrorRule {
        status: Some(400),
        code: None,
        message: Some("warming up".into()),
        class: ErrorClass::Overloaded,
    };
    let node = node(&net, Some(Profile { errors: vec![rule], ..Profile::default() })).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(node.ask("/v1/chat/completions", body).await.status.as_u16(), 503);
    assert_eq!(node.ask("/v1/messages", ASK).await.status.as_u16(), 529);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_gateways_is_not_for_the_client_to_mend() {
    let net = MemoryNet::new();
    let refused = r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    Script::play(&net, "a", vec![document("401 Unauthorized", refused)]);
    let answer = node(&net, None).await.ask("/v1/messages", ASK).await;
    assert_eq!(answer.status.as_u16(), 401);
    assert!(answer.body.contains("refused the gateway's key"), "{}", answer.body);
}
