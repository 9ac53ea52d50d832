//! Reasoning that a provider signed comes back to it through clients of other APIs.

use crate::{
    network::MemoryNet,
    node::provider,
    script::{Script, document},
    translation::{MESSAGES, body_of, with},
};
use cliproxy_domain::ProviderKind;
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const GENERATE: &str = "/v1beta/models/m:generateContent";

const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"thinking","thinking":"why","signature":"c2ln"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
const GEMINI: &str = r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"id":"g1","name":"f","args":{}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"up","responseId":"r"}"#;

/// The first request of a client, with a tool and thinking.
fn first(path: &str) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    match path {
        CHAT => {
            json!({"model": "m", "reasoning_effort": "low", "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
        }
        RESPONSES => {
            json!({"model": "m", "reasoning": {"effort": "low"}, "input": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "name": "f", "parameters": schema}]})
        }
        MESSAGES => json!({"model": "m", "max_tokens": 4096, "thinking": {"type": "adaptive"},
            "messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "f", "input_schema": schema}]}),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true}},
            "tools": [{"functionDeclarations": [{"name": "f"}]}]}),
    }
}

/// The next request: the answer as the client got it, and the result of its call.
fn next(path: &str, mut ask: Value, answer: &Value) -> Value {
    let list = match path {
        RESPONSES => "input",
        GENERATE => "contents",
        _ => "messages",
    };
    let turns = ask[list].as_array_mut().expect("turns");
    match path {
        CHAT => {
            let message = &answer["choices"][0]["message"];
            turns.push(message.clone());
            let id = &message["tool_calls"][0]["id"];
            turns.push(json!({"role": "tool", "tool_call_id": id, "content": "ok"}));
        }
        RESPONSES => {
            let items = answer["output"].as_array().expect("items");
            turns.extend(items.clone());
            let call = items.iter().find(|item| item["type"] == "function_call").expect("a call");
            turns.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}));
        }
        MESSAGES => {
            let blocks = &answer["content"];
            let call = blocks.as_array().expect("blocks").iter().find(|block| block["type"] == "tool_use");
            let id = &call.expect("a call")["id"];
            turns.push(json!({"role": "assistant", "content": blocks}));
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
            turns.push(json!({"role": "user", "content": [result]}));
        }
        _ => {
            turns.push(answer["candidates"][0]["content"].clone());
            let result = json!({"functionResponse": {"name": "f", "response": {"output": "ok"}}});
            turns.push(json!({"role": "user", "parts": [result]}));
        }
    }
    ask
}

/// What the provider gets of its own answer with the client's second request.
///
/// `keeps` is what the client keeps of the answer.
async fn returned(path: &str, kind: ProviderKind, reply: &str, keeps: fn(&Value) -> Value) -> Value {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", reply)]);
    let node = with(&net, vec![provider("a", kind)]).await;
    let ask = first(path);
    let answer = node.ask(path, &ask.to_string()).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    let again = node.ask(path, &next(path, ask, &keeps(&told)).to_string()).await;
    assert_eq!(again.status.as_u16(), 200, "{path}: {}", again.body);
    body_of(&script.requests()[1])
}

#[tokio::test(start_paused = true)]
async fn thinking_of_anthropic_comes_back_through_every_client() {
    for path in [CHAT, RESPONSES, GENERATE] {
        let sent = returned(path, ProviderKind::Anthropic, CLAUDE, Value::clone).await;
        let thinking = json!({"type": "thinking", "thinking": "why", "signature": "c2ln"});
        assert_eq!(sent["messages"][1]["content"][0], thinking, "{path}: {sent}");
        assert_eq!(sent["thinking"]["type"], "adaptive", "{path}: {sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn signatures_of_gemini_come_back_through_every_client() {
    for path in [CHAT, RESPONSES, MESSAGES] {
        let sent = returned(path, ProviderKind::Gemini, GEMINI, Value::clone).await;
        let part = &sent["contents"][1]["parts"][0];
        assert_eq!(
            (&part["functionCall"]["name"], &part["thoughtSignature"]),
            (&json!("f"), &json!("c2ln")),
            "{path}: {sent}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_client_that_keeps_standard_fields_alone_goes_on_without_thinking() {
    let standard = |told: &Value| {
        let mut told = told.clone();
        let message = told["choices"][0]["message"].as_object_mut().expect("a message");
        message.remove("reasoning_content");
        message["tool_calls"][0]
            .as_object_mut()
            .expect("a call")
            .remove("extra_content")
            .expect("the pocket");
        told
    };
    let sent = returned(CHAT, ProviderKind::Anthropic, CLAUDE, standard).await;
    assert_eq!(sent["thinking"]["type"], "disabled", "{sent}");
    assert!(!sent.to_string().contains("signature"), "{sent}");
}
