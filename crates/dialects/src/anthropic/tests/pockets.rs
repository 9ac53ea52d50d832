//! Thinking on its way through clients of other dialects and back.

use super::*;
use crate::{form::Losses, translate};
use serde_json::json;

/// What the model said before it called.
fn thoughts() -> [Value; 2] {
    [
        json!({"type": "thinking", "thinking": "Try é \"7\".\n", "signature": "c2lnLWZ4"}),
        json!({"type": "redacted_thinking", "data": "b3BhcXVl"}),
    ]
}

fn answer(dialect: Dialect, content: &Value) -> Value {
    let body = json!({"id": "msg_1", "model": "m", "content": content, "stop_reason": "tool_use"});
    let reply = super::super::decode_reply(&serde_json::to_vec(&body).unwrap()).unwrap();
    let context = ReplyContext { client: dialect, ..context(Dialect::Anthropic) };
    serde_json::from_slice(&translate::encode_reply(&reply, &context, &mut Losses::default())).unwrap()
}

/// Sends the answer back with the result of its call, as a client of `dialect` does.
fn sent_back(dialect: Dialect, answer: &Value) -> Request {
    let body = match dialect {
        Dialect::OpenAiChat => json!({"messages": [
            {"role": "user", "content": "a"},
            answer["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "toolu_1", "content": "1"}
        ], "reasoning_effort": "high"}),
        _ => {
            let mut input = vec![json!({"role": "user", "content": "a"})];
            input.extend(answer["output"].as_array().unwrap().iter().cloned());
            input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "1"}));
            json!({"input": input, "reasoning": {"effort": "high"}})
        }
    };
    decode_request(dialect, &serde_json::to_vec(&body).unwrap(), "m", false).unwrap()
}

#[test]
fn thinking_comes_back_as_it_was_through_every_client() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"x": 1}});
    let text = json!({"type": "text", "text": "b"});
    for thought in thoughts() {
        for content in [
            json!([thought, call]),
            json!([thought, text, call]),
            json!([text, thought, call]),
            json!([thought, text, thought, call]),
        ] {
            for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
                let request = sent_back(dialect, &answer(dialect, &content));
                let (body, losses) = to().told(&request);
                assert_eq!(body["messages"][1]["content"], content, "{dialect:?}");
                assert_eq!(body["thinking"], json!({"type": "adaptive"}), "{dialect:?}");
                assert_eq!(losses, "", "{dialect:?}");
            }
        }
    }
}
