//! JSON schemas, as tools and structured answers carry them to every dialect.

use crate::{assert_bounded, settings, written_json};
use cliproxy_dialects::translate::{decode_request, encode_request};
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

/// Writes `text`, when it is a JSON object, as the schema of a strict tool and of the answer, and as Gemini's older form.
pub fn run(text: &[u8]) {
    let Ok(schema @ Value::Object(_)) = serde_json::from_slice::<Value>(text) else { return };
    let messages = json!([{"role": "user", "content": "hi"}]);
    let strict = json!({
        "messages": messages,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": true}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}},
    });
    written(Dialect::OpenAiChat, &strict);
    let loose = json!({
        "messages": messages,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    });
    written(Dialect::OpenAiChat, &loose);
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let openapi = json!({
        "contents": contents,
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
    });
    written(Dialect::Gemini, &openapi);
    let answer = json!({
        "contents": contents,
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema},
    });
    written(Dialect::Gemini, &answer);
}

fn written(from: Dialect, body: &Value) {
    let body = body.to_string();
    let Ok(request) = decode_request(from, body.as_bytes(), "asked", false) else { return };
    settings::each_target(|target| {
        let Ok((written, _)) = encode_request(&request, target) else { return };
        assert_bounded(body.len(), written.len());
        let Ok(read) = decode_request(target.dialect, &written, "upstream-model", false) else {
            panic!("{:?} cannot read what was written: {written:?}", target.dialect)
        };
        // What fits the target needs no second change.
        if let Ok((again, _)) = encode_request(&read, target) {
            assert_eq!(written_json(&written), written_json(&again), "{:?}", target.dialect);
        }
    });
}
