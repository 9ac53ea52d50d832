//! Requests that the real APIs refuse are refused by a strict mock, and what the vendors show as examples is taken.

use crate::client::{Received, mock, post};
use cliproxy_mock_provider::{MockProvider, Script};
use serde_json::Value;
use std::{fs, path::Path};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-x:generateContent";

fn strict() -> MockProvider {
    mock(Script { strict: true, ..Script::default() })
}

fn refusal(received: &Received) -> String {
    assert_eq!(received.status, 400, "{}", received.text());
    received.json()["error"]["message"].as_str().unwrap().to_owned()
}

/// Posts each body and expects words of the refusal, or 200 where there are none.
async fn judge(path: &str, cases: &[(&str, &str)]) {
    let mock = strict();
    for (body, words) in cases {
        serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let received = post(&mock, path, body).await;
        if words.is_empty() {
            assert_eq!(received.status, 200, "{body}: {}", received.text());
        } else {
            let text = refusal(&received);
            assert!(text.contains(words), "{body}: {text}");
        }
    }
}

#[tokio::test]
async fn chat_refuses_what_the_api_refuses() {
    let hi = r#"{"role":"user","content":"hi"}"#;
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let result = r#"{"role":"tool","tool_call_id":"c1","content":"1"}"#;
    let with = |rest: &str, messages: &[&str]| {
        format!(r#"{{"model":"m","messages":[{}]{rest}}}"#, messages.join(","))
    };
    let cases = [
        (with("", &[hi]), ""),
        (with(r#","top_k":3"#, &[hi]), "Unknown parameter: 'top_k'"),
        (with(r#","stream_options":{"include_usage":true}"#, &[hi]), "only allowed when 'stream'"),
        (with(r#","stop":["a","b","c","d","e"]"#, &[hi]), "maximum length 4"),
        (with(r#","max_tokens":1,"max_completion_tokens":1"#, &[hi]), "at the same time"),
        (with(r#","tool_choice":"required""#, &[hi]), "only allowed when 'tools'"),
        (
            with(r#","tools":[{"type":"function","function":{"name":"a.b"}}]"#, &[hi]),
            "does not match pattern",
        ),
        (with("", &[hi, call, result]), ""),
        (with("", &[hi, call, hi]), "must be followed by tool messages"),
        (with("", &[hi, call]), "answers the tool_call_id c1"),
        (with("", &[hi, result]), "must be a response to a preceding message"),
        (with("", &[r#"{"role":"user","content":[]}"#]), "expected a string or an array"),
        (with("", &[r#"{"role":"user","content":"a","cache_control":{}}"#]), "messages[0].cache_control"),
        (
            with(
                "",
                &[
                    r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,a-_="}}]}"#,
                ],
            ),
            "Invalid image_url",
        ),
        (with(r#","response_format":{"type":"json_object"}"#, &[hi]), "must contain the word 'json'"),
    ];
    judge(CHAT, &cases.each_ref().map(|(body, words)| (body.as_str(), *words))).await;
}

#[tokio::test]
async fn responses_refuse_what_the_api_refuses() {
    let with = |rest: &str, items: &str| format!(r#"{{"model":"m","input":[{items}]{rest}}}"#);
    let call = r#"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#;
    let output = r#"{"type":"function_call_output","call_id":"c1","output":"1"}"#;
    let hi = r#"{"role":"user","content":"hi"}"#;
    let cases = [
        (with("", &[hi, call, output].join(",")), ""),
        (with("", &[hi, call].join(",")), "No tool output found for function call c1"),
        (with("", &[hi, output].join(",")), "No tool call found"),
        (with(r#","stop":["a"]"#, hi), "Unknown parameter: 'stop'"),
        (with(r#","max_output_tokens":15"#, hi), "Expected a value >= 16"),
        (
            with("", r#"{"role":"assistant","content":[{"type":"input_text","text":"a"}]}"#),
            "Supported values are: output_text",
        ),
        (
            with("", r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"made up"}"#),
            "could not be verified",
        ),
        (with("", r#"{"type":"reasoning","id":"th_1","summary":[]}"#), "begins with 'rs'"),
        (with("", r#"{"type":"reasoning","id":"rs_1"}"#), "Missing required parameter: 'input[0].summary'"),
    ];
    judge(RESPONSES, &cases.each_ref().map(|(body, words)| (body.as_str(), *words))).await;
}

#[tokio::test]
async fn messages_refuse_what_the_api_refuses() {
    let with = |rest: &str, messages: &[&str]| {
        format!(r#"{{"model":"m","max_tokens":2048,"messages":[{}]{rest}}}"#, messages.join(","))
    };
    let tools = r#","tools":[{"name":"f","input_schema":{"type":"object"}}]"#;
    let hi = r#"{"role":"user","content":"hi"}"#;
    let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    let thought_call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_thought_1","name":"f","input":{}}]}"#;
    let thought_result =
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_thought_1","content":"1"}]}"#;
    let result = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"}]}"#;
    let late = r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"t1","content":"1"}]}"#;
    let cases = [
        (with(tools, &[hi, call, result]), ""),
        (with("", &[hi, call, result]), "must define tools"),
        (with(tools, &[hi, call]), "without `tool_result` blocks"),
        (with(tools, &[hi, call, hi]), "without `tool_result` blocks"),
        (with(tools, &[hi, call, late]), "must come first"),
        (with(tools, &[hi, result]), "unexpected `tool_use_id`"),
        (with(r#","seed":1"#, &[hi]), "seed: Extra inputs are not permitted"),
        (with(r#","temperature":1.5"#, &[hi]), "temperature: range"),
        (with(r#","stop_sequences":[" "]"#, &[hi]), "non-whitespace"),
        (with("", &[r#"{"role":"user","content":""}"#]), "non-empty content"),
        (with("", &[r#"{"role":"user","content":[{"type":"text","text":""}]}"#]), "must be non-empty"),
        (with("", &[r#"{"role":"assistant","content":"a"}"#]), "first message must use"),
        (with(r#","thinking":{"type":"enabled","budget_tokens":2048}"#, &[hi]), "must be greater than"),
        (with(r#","thinking":{"type":"adaptive"}"#, &[hi]), ""),
        (
            with(
                &format!(r#"{tools},"thinking":{{"type":"adaptive"}}"#),
                &[hi, thought_call, thought_result],
            ),
            "must start with a thinking block",
        ),
        (
            with(
                "",
                &[
                    hi,
                    r#"{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b"}]}"#,
                ],
            ),
            "Invalid `signature`",
        ),
        (with(r#","tool_choice":{"type":"any"}"#, &[hi]), "only be specified while providing tools"),
    ];
    judge(MESSAGES, &cases.each_ref().map(|(body, words)| (body.as_str(), *words))).await;
}

#[tokio::test]
async fn gemini_refuses_what_the_api_refuses() {
    let with = |rest: &str, contents: &[&str]| format!(r#"{{"contents":[{}]{rest}}}"#, contents.join(","));
    let hi = r#"{"role":"user","parts":[{"text":"hi"}]}"#;
    let call = r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}"#;
    let filled = r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}]}"#;
    let forged =
        r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"Zm9yZ2Vk"}]}"#;
    let result = r#"{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":1}}}]}"#;
    let cases = [
        (with("", &[hi, filled, result]), ""),
        (with("", &[hi, call, result]), "missing a thought_signature"),
        (with("", &[hi, call, result, hi]), ""),
        (with("", &[hi, forged, result]), "Thought signature is not valid"),
        (with("", &[hi, filled, hi]), "number of function response parts"),
        (with("", &[filled, result]), "first turn is a user turn"),
        (with("", &[hi, filled]), "followed by a function response"),
        (with(r#","stream_options":{}"#, &[hi]), "Unknown name \"stream_options\": Cannot find field"),
        (
            with(r#","generation_config":{"top_k":1,"thinking_config":{"effort":1}}"#, &[hi]),
            "Unknown name \"effort\" at 'generation_config.thinking_config'",
        ),
        (
            with(
                r#","generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}"#,
                &[hi],
            ),
            "only one of",
        ),
        (with("", &[r#"{"role":"user","parts":[]}"#]), "must not be empty"),
        (with("", &[r#"{"role":"user","parts":[{"text":""}]}"#]), "text must not be empty"),
        (with("", &[r#"{"role":"assistant","parts":[{"text":"a"}]}"#]), "valid role"),
        (
            with(
                r#","tools":[{"functionDeclarations":[{"name":"f","parameters":{"$schema":"x","type":"OBJECT"}}]}]"#,
                &[hi],
            ),
            "Unknown name \"$schema\"",
        ),
        (with(r#","generationConfig":{"responseSchema":{"type":"OBJECT"}}"#, &[hi]), "only allowed with"),
    ];
    judge(GEMINI, &cases.each_ref().map(|(body, words)| (body.as_str(), *words))).await;
}

/// What is refused of the examples, and why: they hold signatures that the mock did not make, and ids likewise.
const FOREIGN: [&str; 4] = [
    "could not be verified",
    "Invalid `signature`",
    "signature is not valid",
    "is not one of a function call",
];

#[tokio::test]
async fn the_vendors_own_examples_are_taken() {
    let mock = strict();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialects/fixtures");
    let mut taken = 0;
    for (folder, path) in
        [("openai-chat", CHAT), ("openai-responses", RESPONSES), ("anthropic", MESSAGES), ("gemini", GEMINI)]
    {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let other = ["count-tokens", "embeddings", "forward-compat"];
            if !name.ends_with(".request.json") || other.iter().any(|other| name.starts_with(other)) {
                continue;
            }
            let received = post(&mock, path, &fs::read_to_string(&file).unwrap()).await;
            let known = FOREIGN.iter().any(|words| received.text().contains(words));
            assert!(received.status == 200 || known, "{folder}/{name}: {}", received.text());
            taken += u32::from(received.status == 200);
        }
    }
    assert!(taken >= 30, "{taken} examples");
}
