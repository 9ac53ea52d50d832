//! Signatures on their way through clients of other dialects and back (§8.3 of the wire formats).

use super::testing::{context, fixture, to};
use crate::{
    form::{Losses, Request},
    framing::Framing,
    scene::To,
    translate::{self, ReplyContext},
};
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

const OTHERS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic];

/// Hands an answer of `upstream` to a client of `client`.
fn told(upstream: Dialect, client: Dialect, answer: &Value) -> Value {
    let reply = translate::decode_reply(upstream, answer.to_string().as_bytes()).unwrap();
    let context = ReplyContext { client, ..context(upstream, Framing::Sse) };
    serde_json::from_slice(&translate::encode_reply(&reply, &context, &mut Losses::default())).unwrap()
}

/// Sends the answer back as a client of `client` does: with the results of its calls, or with a question.
fn sent_back(client: Dialect, answer: &Value, calls: &[&str]) -> Request {
    let result = |id: &&str| match client {
        Dialect::OpenAiChat => json!({"role": "tool", "tool_call_id": id, "content": "1"}),
        Dialect::OpenAiResponses => json!({"type": "function_call_output", "call_id": id, "output": "1"}),
        _ => json!({"type": "tool_result", "tool_use_id": id, "content": "1"}),
    };
    let mut after: Vec<Value> = calls.iter().map(result).collect();
    if after.is_empty() && client != Dialect::Anthropic {
        after.push(json!({"role": "user", "content": "more"}));
    }
    let mut list = vec![json!({"role": "user", "content": "hi"})];
    let body = match client {
        Dialect::OpenAiChat => {
            list.push(answer["choices"][0]["message"].clone());
            list.extend(after);
            json!({ "messages": list })
        }
        Dialect::OpenAiResponses => {
            list.extend(answer["output"].as_array().unwrap().iter().cloned());
            list.extend(after);
            json!({ "input": list })
        }
        _ => {
            list.push(json!({"role": "assistant", "content": answer["content"]}));
            let content = if after.is_empty() { json!("more") } else { Value::Array(after) };
            list.push(json!({"role": "user", "content": content}));
            json!({"messages": list, "max_tokens": 9})
        }
    };
    translate::decode_request(client, body.to_string().as_bytes(), "m", false).unwrap()
}

fn parts_sent(request: &Request) -> Value {
    to().encoded(request).unwrap().0["contents"][1]["parts"].clone()
}

#[test]
fn a_signature_on_a_call_comes_back_on_that_call_through_every_client() {
    for (name, calls) in [
        ("tool-single.response.json", &["fc-fx-oslo01"][..]),
        ("tool-parallel.response.json", &["fc-fx-oslo01", "fc-fx-lima02"][..]),
    ] {
        let answer = fixture(name);
        for client in OTHERS {
            let request = sent_back(client, &told(Dialect::Gemini, client, &answer), calls);
            let expected = &answer["candidates"][0]["content"]["parts"];
            assert_eq!(&parts_sent(&request), expected, "{name} {client:?}");
        }
    }
}

#[test]
fn a_signature_on_a_text_comes_back_on_that_text_where_the_client_has_a_pocket_for_it() {
    let answer = fixture("thinking.response.json");
    let client = Dialect::OpenAiResponses;
    let request = sent_back(client, &told(Dialect::Gemini, client, &answer), &[]);
    // Thoughts that nobody signed are not sent back.
    let expected = json!([answer["candidates"][0]["content"]["parts"][1]]);
    assert_eq!(parts_sent(&request), expected);
}

#[test]
fn calls_without_signatures_and_ids_come_back_without_both_but_for_the_filler() {
    let call = |city: &str| json!({"functionCall": {"name": "f", "args": {"city": city}}});
    let answer = json!({"responseId": "r", "candidates": [{"finishReason": "STOP", "content": {
        "role": "model", "parts": [call("a"), call("b")]}}]});
    let ids = [crate::tool_ids::made("r", 0), crate::tool_ids::made("r", 1)];
    for client in OTHERS {
        let told = told(Dialect::Gemini, client, &answer);
        let sent = parts_sent(&sent_back(client, &told, &[&ids[0], &ids[1]]));
        let mut expected = json!([call("a"), call("b")]);
        expected[0]["thoughtSignature"] = json!("skip_thought_signature_validator");
        assert_eq!(sent, expected, "{client:?}");
    }
}

/// What a Gemini client sends back of its answer, whether it keeps the thoughts or not.
fn history(answer: &Value, keeps_thoughts: bool) -> Request {
    let mut parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    parts.retain(|part| keeps_thoughts || part["thought"] != true);
    let results: Vec<Value> = parts
        .iter()
        .filter_map(|part| part.get("functionCall"))
        .map(|call| {
            json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "1"}}})
        })
        .collect();
    let after = if results.is_empty() { vec![json!({"text": "more"})] } else { results };
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": after}
    ]});
    super::testing::decode(body).unwrap()
}

/// Writes a request for the provider that gave the answer.
fn returned(request: &Request, dialect: Dialect) -> Value {
    To::new(dialect).encoded(request).unwrap().0
}

#[test]
fn thinking_of_anthropic_comes_back_as_it_was_through_a_gemini_client() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}});
    let text = json!({"type": "text", "text": "b"});
    let thinking = json!({"type": "thinking", "thinking": "é \"7\".\n", "signature": "c2ln"});
    let redacted = json!({"type": "redacted_thinking", "data": "b3BhcXVl"});
    for content in [
        json!([thinking, call]),
        json!([thinking, text, call]),
        json!([redacted, text]),
        json!([thinking, redacted, call]),
        json!([thinking, text, thinking, call]),
    ] {
        let answer = json!({"id": "m", "model": "m", "role": "assistant", "type": "message",
            "content": content, "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
        let told = told(Dialect::Anthropic, Dialect::Gemini, &answer);
        for keeps_thoughts in [true, false] {
            let sent = returned(&history(&told, keeps_thoughts), Dialect::Anthropic);
            assert_eq!(sent["messages"][1]["content"], content, "thoughts kept: {keeps_thoughts}");
        }
    }
}

#[test]
fn encrypted_reasoning_of_openai_comes_back_before_its_call_through_a_gemini_client() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "ZW5j",
        "summary": [{"type": "summary_text", "text": "so"}]});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_x", "name": "f",
        "arguments": "{\"x\":1}", "status": "completed"});
    let answer = json!({"id": "resp_1", "object": "response", "model": "m", "status": "completed",
        "output": [reasoning, call]});
    let told = told(Dialect::OpenAiResponses, Dialect::Gemini, &answer);
    for keeps_thoughts in [true, false] {
        let sent = returned(&history(&told, keeps_thoughts), Dialect::OpenAiResponses);
        let input = sent["input"].as_array().unwrap();
        let at = input.iter().position(|item| item["type"] == "reasoning").expect("the item is there");
        assert_eq!((&input[at]["id"], &input[at]["encrypted_content"]), (&json!("rs_1"), &json!("ZW5j")));
        assert_eq!(input[at]["summary"], json!([{"type": "summary_text", "text": "so"}]));
        assert_eq!(input[at + 1]["call_id"], "call_x");
    }
}
