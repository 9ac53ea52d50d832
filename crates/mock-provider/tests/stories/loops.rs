//! Scripted tool loops, thoughts and refusals, whole and streamed.

use crate::client::{mock, post};
use cliproxy_mock_provider::{
    Behaviour, Call, Finish, MockProvider, Reply, Rule, Script, Usage, UsageDetails,
};
use serde_json::{Value, json};

const THOUGHT: &str = "I must look it up.";
const TEXT: &str = "It is cold in both.";

/// Thinks, says a word, calls a tool twice, and speaks when the results are there; refuses what is put together badly.
fn looping() -> MockProvider {
    let call = |city: &str| Call { name: None, arguments: Some(json!({"city": city})) };
    let reply = Reply {
        thinking: Some(THOUGHT.into()),
        preamble: Some("Let me see.".into()),
        calls: vec![call("Oslo"), call("Bergen")],
        text: Some(TEXT.into()),
        ..Reply::default()
    };
    mock(Script { strict: true, rules: vec![Rule::new(Behaviour::Answer).reply(reply)], ..Script::default() })
}

fn events(received: &crate::client::Received) -> Vec<Value> {
    let data = received.events().into_iter().map(|(_, data)| data).filter(|data| data != "[DONE]");
    data.map(|data| serde_json::from_str(&data).unwrap()).collect()
}

#[tokio::test]
async fn a_chat_loop_thinks_calls_twice_and_ends_with_text() {
    let mock = looping();
    let tools = json!([{"type": "function", "function": {"name": "weather"}}]);
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": tools});
    let whole = post(&mock, "/v1/chat/completions", &body.to_string()).await.json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], THOUGHT);
    assert_eq!(message["content"], "Let me see.");
    let cities = |calls: &Value| -> Vec<String> {
        calls
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["function"]["arguments"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(cities(&message["tool_calls"]), [r#"{"city":"Oslo"}"#, r#"{"city":"Bergen"}"#]);
    assert_ne!(message["tool_calls"][0]["id"], message["tool_calls"][1]["id"]);
    assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);

    body["stream"] = true.into();
    let chunks = events(&post(&mock, "/v1/chat/completions", &body.to_string()).await);
    let mut streamed = vec![String::new(); 2];
    for chunk in &chunks {
        for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            streamed[at].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(streamed, cities(&message["tool_calls"]));

    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(message.clone());
    messages.extend(
        message["tool_calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "-3"})),
    );
    body["stream"] = false.into();
    let last = post(&mock, "/v1/chat/completions", &body.to_string()).await.json();
    assert_eq!(last["choices"][0]["message"]["content"], TEXT);
}

#[tokio::test]
async fn a_responses_loop_takes_its_items_back() {
    let mock = looping();
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}}]);
    let mut body = json!({"model": "m", "input": [{"role": "user", "content": "hi"}], "tools": tools,
        "reasoning": {"effort": "low", "summary": "auto"}});
    let whole = post(&mock, "/v1/responses", &body.to_string()).await.json();
    let kinds: Vec<_> =
        whole["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(whole["output"][0]["summary"][0]["text"], THOUGHT);

    body["stream"] = true.into();
    let streamed = events(&post(&mock, "/v1/responses", &body.to_string()).await);
    for (number, event) in streamed.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let done: Vec<&Value> = streamed
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(
        done,
        streamed.last().unwrap()["response"]["output"].as_array().unwrap().iter().collect::<Vec<_>>()
    );

    let input = body["input"].as_array_mut().unwrap();
    input.extend(whole["output"].as_array().unwrap().iter().cloned());
    for call in &whole["output"].as_array().unwrap()[2..] {
        input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": "-3"}));
    }
    body["stream"] = false.into();
    let last = post(&mock, "/v1/responses", &body.to_string()).await.json();
    assert_eq!(last["output"][1]["content"][0]["text"], TEXT, "{last}");
}

#[tokio::test]
async fn a_messages_loop_takes_its_signed_thoughts_back_and_misses_them() {
    let mock = looping();
    let tools = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
    let mut body = json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}],
        "tools": tools, "thinking": {"type": "adaptive"}});
    let whole = post(&mock, "/v1/messages", &body.to_string()).await.json();
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["content"][0]["thinking"], THOUGHT);

    body["stream"] = true.into();
    let streamed = events(&post(&mock, "/v1/messages", &body.to_string()).await);
    let signed = streamed.iter().find(|event| event["delta"]["type"] == "signature_delta").unwrap();
    assert_eq!(signed["delta"]["signature"], whole["content"][0]["signature"]);
    let starts: Vec<u64> = streamed
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .map(|event| event["index"].as_u64().unwrap())
        .collect();
    assert_eq!(starts, [0, 1, 2, 3]);

    let results: Vec<Value> = whole["content"].as_array().unwrap()[2..]
        .iter()
        .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "-3"}))
        .collect();
    body["stream"] = false.into();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": whole["content"]}));
    messages.push(json!({"role": "user", "content": results}));
    let last = post(&mock, "/v1/messages", &body.to_string()).await.json();
    assert_eq!(last["content"][1]["text"], TEXT, "{last}");
    body["messages"][1]["content"].as_array_mut().unwrap().remove(0);
    let refused = post(&mock, "/v1/messages", &body.to_string()).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_gemini_loop_signs_the_first_call_and_takes_it_back() {
    let mock = looping();
    let tools = json!([{"functionDeclarations": [{"name": "weather"}]}]);
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "tools": tools,
        "generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let path = "/v1beta/models/m:generateContent";
    let whole = post(&mock, path, &body.to_string()).await.json();
    let content = whole["candidates"][0]["content"].clone();
    let parts = content["parts"].as_array().unwrap();
    assert_eq!(parts[0]["thought"], true);
    let signed: Vec<bool> = parts[2..].iter().map(|part| part.get("thoughtSignature").is_some()).collect();
    assert_eq!(signed, [true, false]);
    assert_eq!(whole["usageMetadata"]["thoughtsTokenCount"], 5);

    let streamed =
        events(&post(&mock, "/v1beta/models/m:streamGenerateContent?alt=sse", &body.to_string()).await);
    let calls = streamed
        .iter()
        .filter(|event| event["candidates"][0]["content"]["parts"][0].get("functionCall").is_some());
    assert_eq!(calls.count(), 2);

    let results: Vec<Value> = parts[2..]
        .iter()
        .map(|part| json!({"functionResponse": {"name": part["functionCall"]["name"], "response": {"output": "-3"}}}))
        .collect();
    let contents = body["contents"].as_array_mut().unwrap();
    contents.push(content);
    contents.push(json!({"role": "user", "parts": results}));
    let last = post(&mock, path, &body.to_string()).await.json();
    assert_eq!(last["candidates"][0]["content"]["parts"][1]["text"], TEXT, "{last}");
}

#[tokio::test]
async fn refusals_limits_and_details_are_told_in_every_api() {
    let details = UsageDetails { cached_tokens: 40, cache_write_tokens: 10, reasoning_tokens: 3 };
    let usage = Some(Usage { input_tokens: 60, output_tokens: 9 });
    let refusing =
        Reply { refusal: Some("I cannot.".into()), usage, usage_details: Some(details), ..Reply::default() };
    let short = Reply { finish: Some(Finish::Length), ..Reply::default() };
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let messages = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let responses = r#"{"model":"m","input":"hi"}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let asked = [
        ("/v1/chat/completions", chat),
        ("/v1/responses", responses),
        ("/v1/messages", messages),
        ("/v1beta/models/m:generateContent", gemini),
    ];
    let mock = mock(Rule::new(Behaviour::Answer).reply(refusing));
    let mut told = Vec::new();
    for (path, body) in asked {
        told.push(post(&mock, path, body).await.json());
    }
    assert_eq!(told[0]["choices"][0]["message"]["refusal"], "I cannot.");
    assert_eq!(told[0]["usage"]["prompt_tokens_details"]["cached_tokens"], 40);
    assert_eq!(told[1]["output"][0]["content"][0], json!({"type": "refusal", "refusal": "I cannot."}));
    assert_eq!(told[1]["usage"]["output_tokens_details"]["reasoning_tokens"], 3);
    assert_eq!(told[2]["stop_reason"], "refusal");
    assert_eq!(told[2]["usage"]["input_tokens"], 10, "what is cached or written counts apart");
    assert_eq!(told[3]["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(told[3]["usageMetadata"]["candidatesTokenCount"], 6);

    mock.set(Rule::new(Behaviour::Answer).reply(short)).unwrap();
    let mut ends = Vec::new();
    for (path, body) in asked {
        ends.push(post(&mock, path, body).await.json());
    }
    assert_eq!(ends[0]["choices"][0]["finish_reason"], "length");
    assert_eq!(ends[1]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(ends[2]["stop_reason"], "max_tokens");
    assert_eq!(ends[3]["candidates"][0]["finishReason"], "MAX_TOKENS");
}
