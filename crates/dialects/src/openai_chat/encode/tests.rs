mod messages;
mod parameters;

use crate::{
    fixtures,
    openai_chat::{
        CHAT,
        testing::{decoded, encoded},
    },
    scene::To,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Writes a recorded request as this dialect writes what it has read: one plain text as a string, one stop text in a
/// list, and the newer name of the limit.
fn normal(mut body: Value) -> Value {
    for message in body["messages"].as_array_mut().unwrap() {
        if let Some([only]) = message["content"].as_array().map(Vec::as_slice)
            && only.as_object().is_some_and(|part| part.len() == 2)
            && only["type"] == "text"
        {
            message["content"] = only["text"].clone();
        }
    }
    if body["stop"].is_string() {
        body["stop"] = json!([body["stop"]]);
    }
    let fields = body.as_object_mut().unwrap();
    if let Some(limit) = fields.remove("max_tokens") {
        fields.insert("max_completion_tokens".into(), limit);
    }
    body
}

#[test]
fn every_recorded_request_comes_out_as_it_came_in() {
    let names = fixtures::names("openai-chat", ".request.json");
    assert!(names.len() > 12);
    for name in names.iter().filter(|name| !name.starts_with("embeddings")) {
        let body: Value = serde_json::from_slice(&fixtures::read(&format!("openai-chat/{name}"))).unwrap();
        let request = decoded(body.clone()).unwrap();
        let (written, warnings) = encoded(&request);
        assert_eq!(written, normal(body), "{name}");
        assert_eq!(warnings, None, "{name}");
        // What this dialect says, it reads again, and loses nothing on the way.
        let again = decoded(written).unwrap();
        let strict = To::refusing(CHAT).encoded(&again).unwrap();
        assert_eq!(strict.0, encoded(&request).0, "{name}");
    }
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let body = fixtures::read("openai-chat/tool-result.request.json");
    let request = decoded(serde_json::from_slice(&body).unwrap()).unwrap();
    let written = || encoded(&request).0.to_string();
    assert_eq!(written(), written());
}

#[test]
fn nothing_that_a_client_of_this_dialect_can_say_is_lost() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "x": 1},
            {"role": "user", "content": "", "name": "ana"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "original", "x": 1}, "y": 2},
                {"type": "file", "file": {"file_id": "file-1"}}
            ]},
            {"role": "assistant", "content": "So.", "refusal": "No.", "audio": {"id": "audio_1"}, "tool_calls": [
                {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1;", "x": 1}},
                {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "not json"},
                    "extra_content": {"google": {"thought_signature": "c2ln", "x": 1}, "y": 2}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "", "name": "sql"},
            {"role": "tool", "tool_call_id": "c2", "content": "2", "z": 1}
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "x": 1}, "y": 2},
            {"type": "custom", "custom": {"name": "sql", "format": {"type": "grammar"}}},
            {"type": "web_search", "x": 1}
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "sql"}},
        "modalities": ["text", "audio"], "audio": {"voice": "x"}, "prediction": {"type": "content"},
        "logit_bias": {"1": 2}, "web_search_options": {}, "moderation": {}, "top_k": 4,
        "user": "u", "safety_identifier": "s", "service_tier": "scale", "store": true,
        "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
        "prompt_cache_retention": "24h", "reasoning_effort": "ultra", "n": 2, "logprobs": true
    });
    let request = decoded(body.clone()).unwrap();
    let (written, notes) = To::refusing(CHAT).encoded(&request).unwrap();
    assert_eq!(written, body);
    assert!(notes.names.is_empty() && notes.free_tools.is_empty());
}

/// Puts `value` in place of the value number `at`, counted through the whole tree.
fn replace(tree: &mut Value, at: &mut usize, value: &Value) {
    if *at == 0 {
        *tree = value.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Array(list) => list.iter_mut().for_each(|inner| replace(inner, at, value)),
        Value::Object(fields) => fields.values_mut().for_each(|inner| replace(inner, at, value)),
        _ => {}
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(2),
        json!(""),
        json!("none"),
        json!("data:,x"),
        json!([]),
        json!([{}]),
        json!(["x"]),
        json!({}),
        json!({"type": "x", "x_new": 1}),
        json!([{"type": "text", "text": ""}]),
        json!([{"id": "c", "type": "custom", "custom": {"name": "", "input": ""}}]),
    ];
    prop::sample::select(values.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_read_and_written_once_is_written_the_same_again(
        changes in prop::collection::vec((0_usize..60, odd_value()), 1..4)
    ) {
        for name in fixtures::names("openai-chat", ".request.json") {
            let mut body: Value =
                serde_json::from_slice(&fixtures::read(&format!("openai-chat/{name}"))).unwrap();
            for (at, value) in &changes {
                replace(&mut body, &mut at.clone(), value);
            }
            let Ok(request) = decoded(body) else { continue };
            let Ok((written, _)) = To::refusing(CHAT).encoded(&request) else { continue };
            let again = decoded(written.clone()).map(|request| To::refusing(CHAT).encoded(&request));
            let Ok(Ok((again, _))) = again else { panic!("{written} is refused: {again:?}") };
            prop_assert_eq!(again, written);
        }
    }
}
