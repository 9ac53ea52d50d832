//! What a request's writer does in place of what its target lacks is undone in the answer: whole circles, from a
//! client's request to what that client is told.

use super::scene;
use crate::{
    form::{Losses, Reply},
    framing::Framing,
    translate::{
        Notes, StreamTranslator,
        checks::{assembled, assert_well_formed, comparable, events_of, written},
        decode_reply, encode_reply, encode_request, rework_reply,
    },
};
use cliproxy_domain::{Dialect, ModelTraits, Need, Needs};
use serde_json::{Value, json};
use std::sync::Arc;

/// Sends a request; gives what the provider gets and what is to be remembered.
fn sent(client: Dialect, request: &Value, target: Dialect, traits: &ModelTraits) -> (Value, Notes) {
    let request = scene::request(client, request.to_string().as_bytes()).unwrap();
    let target = crate::translate::Target { traits, ..scene::target(target) };
    let (body, notes) = encode_request(&request, &target).unwrap();
    (serde_json::from_slice(&body).unwrap(), notes)
}

/// Gives what the client is told of a provider's answer, whole and as a stream, which must say the same.
fn told(upstream: Dialect, answer: &Value, client: Dialect, notes: Notes) -> Value {
    let mut context = scene::context(upstream, client);
    context.notes = notes;
    let mut reply = decode_reply(upstream, answer.to_string().as_bytes()).unwrap();
    let stream = streamed(&reply, upstream);
    rework_reply(&mut reply, &context);
    let whole = encode_reply(&reply, &context, &mut Losses::default());

    let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(context));
    let mut out = Vec::new();
    // Byte by byte, so that every text comes in fragments of the framing's making as well.
    for byte in stream {
        translator.feed(&[byte], &mut out).unwrap();
    }
    translator.finish(&mut out).unwrap();
    let (events, ended) = events_of(client, Framing::Sse, &[&out]);
    assert_eq!(ended, Ok(()));
    assert_well_formed(&events);
    let expected = comparable(decode_reply(client, &whole).unwrap());
    assert_eq!(assembled(&events).choices, expected.choices, "the stream says something else");
    serde_json::from_slice(&whole).unwrap()
}

/// Streams an answer as its provider would, a character in each event.
fn streamed(reply: &Reply, upstream: Dialect) -> Vec<u8> {
    let events = super::answers::events(reply, 1, false);
    written(scene::context(upstream, upstream), &events)
}

fn claude(content: Value, stop_reason: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}
    })
}

fn gemini(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}]})
}

#[test]
fn a_free_form_tool_is_a_function_for_its_provider_and_free_for_its_client() {
    let chat = json!({
        "messages": [{"role": "user", "content": "go"}],
        "tools": [{"type": "custom", "custom": {"name": "sh", "description": "d"}}]
    });
    let responses = json!({
        "input": "go",
        "tools": [{"type": "custom", "name": "sh", "description": "d"}]
    });
    let script = "echo \"é\\n\"\n\tdone 😀";
    let wrapped = json!({ "input": script });
    let by_claude =
        claude(json!([{"type": "tool_use", "id": "t1", "name": "sh", "input": wrapped}]), "tool_use");
    let by_gemini = gemini(json!([{"functionCall": {"id": "t1", "name": "sh", "args": wrapped}}]));
    for (upstream, answer) in [(Dialect::Anthropic, by_claude), (Dialect::Gemini, by_gemini)] {
        let traits = ModelTraits::default();
        let (body, notes) = sent(Dialect::OpenAiChat, &chat, upstream, &traits);
        assert!(body.to_string().contains(r#""properties":{"input":{"type":"string"}}"#), "{body}");
        let said = told(upstream, &answer, Dialect::OpenAiChat, notes);
        let call = &said["choices"][0]["message"]["tool_calls"][0];
        assert_eq!(call["custom"], json!({"name": "sh", "input": script}), "{said}");

        let (_, notes) = sent(Dialect::OpenAiResponses, &responses, upstream, &traits);
        let said = told(upstream, &answer, Dialect::OpenAiResponses, notes);
        let call = &said["output"][0];
        assert_eq!((&call["type"], &call["input"]), (&json!("custom_tool_call"), &json!(script)), "{said}");
    }
}

#[test]
fn a_schema_that_its_provider_does_not_take_is_a_call_there_and_text_here() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let lacking = ModelTraits { lacks: Needs::of(&[Need::StructuredOutput]), ..ModelTraits::default() };
    let request = json!({
        "messages": [{"role": "user", "content": "go"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    });
    let (body, notes) = sent(Dialect::OpenAiChat, &request, Dialect::Anthropic, &lacking);
    assert_eq!(body["tool_choice"]["type"], "tool", "{body}");
    let name = &body["tool_choice"]["name"];
    let answer =
        claude(json!([{"type": "tool_use", "id": "t1", "name": name, "input": {"a": "é\""}}]), "tool_use");
    let said = told(Dialect::Anthropic, &answer, Dialect::OpenAiChat, notes);
    let choice = &said["choices"][0];
    assert_eq!(choice["message"]["content"], r#"{"a":"é\""}"#);
    assert_eq!((&choice["finish_reason"], &choice["message"]["tool_calls"]), (&json!("stop"), &Value::Null));
}

#[test]
fn stop_texts_that_a_provider_does_not_take_end_the_answer_here() {
    let answer = json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "one two END three", "annotations": []}]}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    });
    let user = json!([{"role": "user", "content": "go"}]);
    let requests = [
        (Dialect::OpenAiChat, json!({"messages": user, "stop": "END"})),
        (Dialect::Anthropic, json!({"messages": user, "max_tokens": 99, "stop_sequences": ["no", "END"]})),
        (
            Dialect::Gemini,
            json!({"contents": [{"parts": [{"text": "go"}]}], "generationConfig": {"stopSequences": ["END"]}}),
        ),
    ];
    for (client, request) in requests {
        let (_, notes) = sent(client, &request, Dialect::OpenAiResponses, &ModelTraits::default());
        let said = told(Dialect::OpenAiResponses, &answer, client, notes).to_string();
        assert!(said.contains("one two ") && !said.contains("three"), "{said}");
        if client == Dialect::Anthropic {
            assert!(said.contains(r#""stop_reason":"stop_sequence","stop_sequence":"END""#), "{said}");
        }
    }
}

#[test]
fn a_tool_that_its_provider_knows_by_another_name_keeps_its_own() {
    let request = json!({
        "contents": [{"role": "user", "parts": [{"text": "go"}]}],
        "tools": [{"functionDeclarations": [{"name": "mcp.fs:read", "parametersJsonSchema": {"type": "object"}}]}]
    });
    let (body, notes) = sent(Dialect::Gemini, &request, Dialect::Anthropic, &ModelTraits::default());
    let name = &body["tools"][0]["name"];
    assert_ne!(name, "mcp.fs:read");
    let answer =
        claude(json!([{"type": "tool_use", "id": "t1", "name": name, "input": {"a": 1}}]), "tool_use");
    let said = told(Dialect::Anthropic, &answer, Dialect::Gemini, notes);
    assert_eq!(said["candidates"][0]["content"]["parts"][0]["functionCall"]["name"], "mcp.fs:read", "{said}");
}
