//! What a provider signed comes back to it through a client of any other dialect, who sends the answer back as a
//! part of the history (§8.3 of the wire formats).

use super::{TARGETS, scene};
use crate::{
    form::{Args, Losses, Opaque, Part, PartKind, Role},
    translate::{decode_reply, encode_reply, encode_request},
};
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

/// Answers with everything that a provider of each dialect signs.
fn signed() -> Vec<(Dialect, Value)> {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let claude = |content: Value| {
        let answer = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": "end_turn", "stop_sequence": null, "usage": usage
        });
        (Dialect::Anthropic, answer)
    };
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {"at": id}});
    let thought = json!({"type": "thinking", "thinking": "why", "signature": "c2ln"});
    let hidden = json!({"type": "redacted_thinking", "data": "aGlk"});
    let openai = |output: Value| {
        let answer = json!({
            "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
            "output": output, "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        });
        (Dialect::OpenAiResponses, answer)
    };
    let reasoning = json!({
        "type": "reasoning", "id": "rs_1", "encrypted_content": "Z0FB",
        "summary": [{"type": "summary_text", "text": "why"}]
    });
    let function = |id: &str| {
        let arguments = json!({"at": id}).to_string();
        json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "look", "arguments": arguments, "status": "completed"})
    };
    let gemini = |parts: Value| {
        let candidate =
            json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0});
        (Dialect::Gemini, json!({"candidates": [candidate], "responseId": "r1", "modelVersion": "m"}))
    };
    let made = |id: &str| json!({"id": id, "name": "look", "args": {"at": id}});
    vec![
        claude(json!([thought, call("a"), call("b")])),
        claude(json!([hidden, {"type": "text", "text": "so"}, call("a")])),
        claude(json!([thought, {"type": "text", "text": "so"}, call("a")])),
        openai(json!([reasoning, function("a"), function("b")])),
        gemini(json!([{"functionCall": made("a"), "thoughtSignature": "c2ln"}, {"functionCall": made("b")}])),
        gemini(json!([{"text": "so"}, {"functionCall": made("a"), "thoughtSignature": "c2ln"}])),
    ]
}

/// The same without calls: a chat client has no pocket for these.
fn signed_texts() -> Vec<(Dialect, Value)> {
    let of = |name: &str| serde_json::from_slice(&crate::fixtures::read(name)).unwrap();
    vec![
        (Dialect::Anthropic, of("anthropic/thinking.response.json")),
        (Dialect::Anthropic, of("anthropic/thinking-redacted.response.json")),
        (Dialect::Anthropic, of("anthropic/thinking-omitted.response.json")),
        (Dialect::OpenAiResponses, of("openai-responses/thinking.response.json")),
        (Dialect::Gemini, of("gemini/thinking.response.json")),
    ]
}

/// Writes the request in which a client that got `answer` goes on.
fn next_request(client: Dialect, answer: &Value, calls: &[String]) -> Value {
    match client {
        Dialect::OpenAiChat => {
            let mut messages =
                vec![json!({"role": "user", "content": "hi"}), answer["choices"][0]["message"].clone()];
            messages.extend(
                calls.iter().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "seen"})),
            );
            messages.push(json!({"role": "user", "content": "and?"}));
            json!({"model": scene::ASKED, "messages": messages})
        }
        Dialect::OpenAiResponses => {
            let mut input = vec![json!({"role": "user", "content": "hi"})];
            input.extend(answer["output"].as_array().unwrap().clone());
            input.extend(
                calls
                    .iter()
                    .map(|id| json!({"type": "function_call_output", "call_id": id, "output": "seen"})),
            );
            input.push(json!({"role": "user", "content": "and?"}));
            json!({"model": scene::ASKED, "input": input})
        }
        Dialect::Anthropic => {
            let result = |id: &String| json!({"type": "tool_result", "tool_use_id": id, "content": "seen"});
            let mut content: Vec<Value> = calls.iter().map(result).collect();
            content.push(json!({"type": "text", "text": "and?"}));
            json!({"model": scene::ASKED, "max_tokens": 9000, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": answer["content"]},
                {"role": "user", "content": content}
            ]})
        }
        Dialect::Gemini => {
            let result = |id: &String| json!({"functionResponse": {"id": id, "name": "look", "response": {"output": "seen"}}});
            let mut parts: Vec<Value> = calls.iter().map(result).collect();
            parts.push(json!({"text": "and?"}));
            json!({"contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                answer["candidates"][0]["content"],
                {"role": "user", "parts": parts}
            ]})
        }
    }
}

fn call_ids(parts: &[Part]) -> Vec<String> {
    let id = |part: &Part| match &part.kind {
        PartKind::ToolCall(call) => Some(call.id.clone()),
        _ => None,
    };
    parts.iter().filter_map(id).collect()
}

/// Tells the parts that must come back: signed ones, and calls.
fn told(parts: &[Part]) -> Vec<String> {
    let tell = |part: &Part| {
        let what = match &part.kind {
            PartKind::ToolCall(call) => {
                let Args::Json(args) = &call.args else { panic!("{call:?}") };
                format!("call of {} with {args}", call.name)
            }
            PartKind::Reasoning { text, form } => format!("{form:?} thought {text:?}"),
            PartKind::Text { text, .. } => format!("text {text:?}"),
            other => panic!("not in these tests: {other:?}"),
        };
        match &part.state {
            // Of a call's signature it is the call's id, which the call has as well.
            Some(Opaque::Native(state)) if state.dialect == Dialect::Gemini => {
                Some(format!("{what}, signed {}", state.payload))
            }
            Some(Opaque::Native(state)) => {
                Some(format!("{what}, signed {} of {:?}, {}", state.payload, state.item_id, state.redacted))
            }
            Some(Opaque::Sealed(_)) => Some(format!("{what}, sealed")),
            None => matches!(part.kind, PartKind::ToolCall(_)).then_some(what),
        }
    };
    parts.iter().filter_map(tell).collect()
}

/// Sends an answer through a client and back; gives the parts as they were and as they came back.
fn there_and_back(upstream: Dialect, answer: &Value, client: Dialect) -> (Vec<String>, Vec<String>) {
    let reply = decode_reply(upstream, answer.to_string().as_bytes()).unwrap();
    let parts = &reply.choices[0].parts;
    let context = scene::context(upstream, client);
    let shown = encode_reply(&reply, &context, &mut Losses::default());
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    let next = next_request(client, &shown, &call_ids(parts));
    let request = scene::request(client, next.to_string().as_bytes()).unwrap();
    let (body, _) = encode_request(&request, &scene::target(upstream)).unwrap();
    let again = scene::request(upstream, &body).unwrap();
    let of_model = again.turns.iter().filter(|turn| turn.role == Role::Assistant);
    let back: Vec<Part> = of_model.flat_map(|turn| turn.parts.clone()).collect();
    (told(parts), told(&back))
}

#[test]
fn a_signed_call_comes_back_through_every_client() {
    for (upstream, answer) in signed() {
        for (client, short) in TARGETS.into_iter().filter(|(client, _)| *client != upstream) {
            let (sent, back) = there_and_back(upstream, &answer, client);
            assert_eq!(back, sent, "{answer} through {short}");
        }
    }
}

#[test]
fn a_signed_text_comes_back_through_every_client_that_has_a_pocket() {
    for (upstream, answer) in signed_texts() {
        for (client, short) in TARGETS.into_iter().filter(|(client, _)| *client != upstream) {
            let (sent, back) = there_and_back(upstream, &answer, client);
            // Chat has no pocket for it, and in an Anthropic message a block after the last text would be its result.
            let is_last = client == Dialect::Anthropic && upstream == Dialect::Gemini;
            if client == Dialect::OpenAiChat || is_last {
                assert_eq!(back, [""; 0], "{answer} through {short}");
            } else {
                assert_eq!(back, sent, "{answer} through {short}");
            }
        }
    }
}

#[test]
fn a_signature_goes_to_no_provider_but_its_own() {
    for (upstream, answer) in signed().into_iter().chain(signed_texts()) {
        let reply = decode_reply(upstream, answer.to_string().as_bytes()).unwrap();
        let calls = call_ids(&reply.choices[0].parts);
        for (client, _) in TARGETS {
            let shown = encode_reply(&reply, &scene::context(upstream, client), &mut Losses::default());
            let shown: Value = serde_json::from_slice(&shown).unwrap();
            let next = next_request(client, &shown, &calls).to_string();
            let request = scene::request(client, next.as_bytes()).unwrap();
            for (target, short) in TARGETS.into_iter().filter(|(target, _)| *target != upstream) {
                let (body, _) = encode_request(&request, &scene::target(target)).unwrap();
                let body = String::from_utf8(body.to_vec()).unwrap();
                for secret in ["c2ln", "aGlk", "Z0FB", crate::envelope::PREFIX] {
                    assert!(!body.contains(secret), "{secret} went to {short}: {body}");
                }
            }
        }
    }
}
