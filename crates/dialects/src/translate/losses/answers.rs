//! What becomes of answers (§10): their ends, counts, names, thoughts, citations and refusals.

use super::*;
use crate::{
    form::Losses,
    framing::Framing,
    translate::{Ids, ReplyContext, decode_reply, encode_reply},
};
use cliproxy_domain::Failure;

fn context(upstream: Dialect, client: Dialect) -> ReplyContext {
    ReplyContext {
        client,
        framing: Framing::Sse,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "up".to_owned(),
        credential: "key".to_owned(),
        sealer: Sealer::new("provider", b"secret"),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: false,
        stream_usage: true,
        input_estimate: 0,
        echo: serde_json::Map::new(),
    }
}

/// What a client is told of a provider's answer, and the header's words.
fn told(upstream: Dialect, answer: &Value, client: Dialect) -> (Value, Option<String>) {
    shown(upstream, answer, client, false)
}

fn shown(upstream: Dialect, answer: &Value, client: Dialect, reasoning: bool) -> (Value, Option<String>) {
    let reply = decode_reply(upstream, answer.to_string().as_bytes()).unwrap();
    let context = ReplyContext { shows_reasoning: reasoning, ..context(upstream, client) };
    let mut losses = Losses::default();
    let body = encode_reply(&reply, &context, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.header())
}

/// An answer of `upstream` that ends for the reason `value`.
fn ended(upstream: Dialect, value: &str, called: bool) -> Value {
    match upstream {
        Chat => {
            let call =
                json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
            let calls = if called { json!([call]) } else { Value::Null };
            let message = json!({"role": "assistant", "content": "hi", "tool_calls": calls});
            let choice = json!({"index": 0, "message": message, "finish_reason": value});
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "up", "choices": [choice]})
        }
        Responses => {
            let (status, reason) = value.split_once(':').unwrap_or((value, ""));
            let part = json!({"type": "output_text", "text": "hi", "annotations": []});
            let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]});
            let error = json!({"code": "server_error", "message": "broke"});
            let error = if status == "failed" { error } else { Value::Null };
            let details = if reason.is_empty() { Value::Null } else { json!({"reason": reason}) };
            json!({"id": "r", "object": "response", "status": status, "model": "up", "output": [message],
                "incomplete_details": details, "error": error})
        }
        Anthropic => {
            let mut content = vec![json!({"type": "text", "text": "hi"})];
            if called {
                content.push(json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}));
            }
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": content,
                "stop_reason": value, "usage": {"input_tokens": 1, "output_tokens": 1}})
        }
        Gemini if value == "promptFeedback.blockReason" => {
            json!({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "up", "responseId": "r"})
        }
        Gemini => {
            let mut parts = vec![json!({"text": "hi"})];
            if called {
                parts.push(json!({"functionCall": {"name": "f", "args": {}}}));
            }
            let content = json!({"role": "model", "parts": parts});
            let candidate = json!({"index": 0, "content": content, "finishReason": value});
            json!({"candidates": [candidate], "modelVersion": "up", "responseId": "r"})
        }
    }
}

/// The end of an answer as its client reads it.
fn end(client: Dialect, told: &Value) -> String {
    let text = |place: &str| told.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    match client {
        Chat => text("/choices/0/finish_reason"),
        Responses => match text("/incomplete_details/reason") {
            reason if reason.is_empty() => text("/status"),
            reason => format!("{}:{reason}", text("/status")),
        },
        Anthropic => text("/stop_reason"),
        Gemini => text("/candidates/0/finishReason"),
    }
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Chat => "openai-chat",
        Responses => "openai-responses",
        Anthropic => "anthropic",
        Gemini => "gemini",
    }
}

#[test]
fn every_end_is_told_to_every_client_as_the_golden_table_says() {
    let golden: Value = serde_json::from_slice(&crate::fixtures::read("golden/finish-reasons.json")).unwrap();
    let mut rows = 0;
    for row in golden["rows"].as_array().unwrap() {
        let upstream = COLUMNS.into_iter().find(|dialect| row["from"] == name(*dialect)).unwrap();
        let (value, canonical) = (row["value"].as_str().unwrap(), row["canonical"].as_str().unwrap());
        let called = canonical == "tool_use" || row["had_tool_call"] == true;
        let answer = ended(upstream, value, called);
        for client in COLUMNS.into_iter().filter(|client| *client != upstream) {
            rows += 1;
            match canonical {
                "error" => {
                    let error = decode_reply(upstream, answer.to_string().as_bytes()).unwrap_err();
                    assert_eq!(error.failure, Failure::Upstream, "{value}");
                }
                // What nobody went on with is cut.
                "pause" | "continuation" => {
                    let told = end(client, &told(upstream, &answer, client).0);
                    let cut =
                        ["length", "incomplete:max_output_tokens", "max_tokens", "pause_turn", "MAX_TOKENS"];
                    assert!(cut.contains(&told.as_str()), "{value} to {client:?}: {told}");
                }
                _ => {
                    let expected = row[name(client)].as_str().unwrap();
                    let expected = expected.split('|').next().unwrap();
                    assert_eq!(end(client, &told(upstream, &answer, client).0), expected, "{row}");
                }
            }
        }
    }
    assert!(rows > 120, "{rows} rows");
}

#[test]
fn tokens_are_split_as_the_client_splits_them() {
    let usage = json!({"input_tokens": 52, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 0,
        "output_tokens": 140, "output_tokens_details": {"thinking_tokens": 128}});
    let mut answer = ended(Anthropic, "end_turn", false);
    answer["usage"] = usage;
    let (chat, _) = told(Anthropic, &answer, Chat);
    assert_eq!(
        (&chat["usage"]["prompt_tokens"], &chat["usage"]["total_tokens"]),
        (&json!(2100), &json!(2240))
    );
    assert_eq!(chat["usage"]["completion_tokens_details"]["reasoning_tokens"], 128);
    let (responses, _) = told(Anthropic, &answer, Responses);
    assert_eq!(responses["usage"]["input_tokens_details"]["cached_tokens"], 2048);
    let (gemini, _) = told(Anthropic, &answer, Gemini);
    assert_eq!(gemini["usageMetadata"]["candidatesTokenCount"], 12, "thoughts are apart");
    assert_eq!(gemini["usageMetadata"]["thoughtsTokenCount"], 128);
}

#[test]
fn tokens_that_nobody_reported_are_absent_or_zero_with_a_warning() {
    let answer = ended(Chat, "stop", false);
    let (anthropic, warned) = told(Chat, &answer, Anthropic);
    assert_eq!((&anthropic["usage"]["output_tokens"], warned.as_deref()), (&json!(0), Some("usage=missing")));
    let (gemini, warned) = told(Chat, &answer, Gemini);
    assert_eq!(gemini["usageMetadata"]["totalTokenCount"], 0);
    assert_eq!(warned.as_deref(), Some("usageMetadata=missing"));
    let (chat, warned) = told(Gemini, &ended(Gemini, "STOP", false), Chat);
    assert_eq!((chat.get("usage"), warned), (None, None));
}

#[test]
fn ids_and_the_models_name_are_the_clients() {
    for (client, id, model, prefix) in [
        (Chat, "id", "model", "chatcmpl-"),
        (Responses, "id", "model", "resp_"),
        (Anthropic, "id", "model", "msg_"),
        (Gemini, "responseId", "modelVersion", ""),
    ] {
        let upstream = if client == Gemini { Chat } else { Gemini };
        let value = if upstream == Chat { "stop" } else { "STOP" };
        let (told, _) = told(upstream, &ended(upstream, value, false), client);
        assert_eq!(told[model], "asked", "{told}");
        assert!(told[id].as_str().unwrap().starts_with(prefix), "{told}");
        assert!(!["c", "r"].contains(&told[id].as_str().unwrap()), "the provider's own is not told: {told}");
    }
    let (chat, _) = told(Gemini, &ended(Gemini, "STOP", false), Chat);
    assert_eq!((&chat["created"], chat.get("system_fingerprint")), (&json!(17), None), "{chat}");
}

#[test]
fn thoughts_are_shown_to_chat_and_gemini_only_where_they_are_wanted() {
    let mut answer = ended(Anthropic, "end_turn", false);
    let thought = json!({"type": "thinking", "thinking": "why", "signature": "c2ln"});
    answer["content"].as_array_mut().unwrap().insert(0, thought);
    let chat = |wanted| shown(Anthropic, &answer, Chat, wanted).0;
    assert_eq!(chat(true)["choices"][0]["message"]["reasoning_content"], "why");
    assert!(!chat(false).to_string().contains("why"));
    let gemini = |wanted| shown(Anthropic, &answer, Gemini, wanted).0;
    let parts = gemini(true)["candidates"][0]["content"]["parts"].clone();
    assert_eq!((&parts[0]["text"], &parts[0]["thought"]), (&json!("why"), &json!(true)));
    assert!(!gemini(false).to_string().contains("\"thought\""));
    let (responses, _) = told(Anthropic, &answer, Responses);
    assert_eq!(responses["output"][0]["summary"][0]["text"], "why");
}

#[test]
fn texts_are_one_for_chat_without_anything_between() {
    let mut answer = ended(Anthropic, "end_turn", false);
    answer["content"] = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(told(Anthropic, &answer, Chat).0["choices"][0]["message"]["content"], "ab");
}

#[test]
fn a_refusal_in_words_stays_one_where_there_is_a_place() {
    let mut answer = ended(Chat, "stop", false);
    answer["choices"][0]["message"] = json!({"role": "assistant", "content": null, "refusal": "no"});
    let (responses, _) = told(Chat, &answer, Responses);
    assert_eq!(responses["output"][0]["content"][0], json!({"type": "refusal", "refusal": "no"}));
    assert_eq!(told(Chat, &answer, Anthropic).0["content"][0]["text"], "no");
    assert_eq!(told(Chat, &answer, Gemini).0["candidates"][0]["content"]["parts"][0]["text"], "no");
}

#[test]
fn citations_with_a_url_are_annotations_and_others_are_dropped() {
    let cited = |citation: Value| {
        let mut answer = ended(Anthropic, "end_turn", false);
        answer["content"] = json!([{"type": "text", "text": "hi", "citations": [citation]}]);
        answer
    };
    let page = cited(
        json!({"type": "web_search_result_location", "url": "https://example.com", "title": "t", "cited_text": "x", "encrypted_index": "e"}),
    );
    let (chat, warned) = told(Anthropic, &page, Chat);
    let annotation = &chat["choices"][0]["message"]["annotations"][0];
    assert_eq!((&annotation["type"], warned), (&json!("url_citation"), None), "{chat}");
    assert_eq!(annotation["url_citation"]["url"], "https://example.com");
    let (responses, _) = told(Anthropic, &page, Responses);
    assert_eq!(responses["output"][0]["content"][0]["annotations"][0]["url"], "https://example.com");
    let place = cited(
        json!({"type": "char_location", "cited_text": "x", "document_index": 0, "document_title": null, "start_char_index": 0, "end_char_index": 1}),
    );
    assert_eq!(told(Anthropic, &place, Chat).1.as_deref(), Some("citations=dropped"));
}

#[test]
fn blocks_of_a_kind_that_nobody_knows_are_dropped() {
    let mut answer = ended(Anthropic, "end_turn", false);
    answer["content"].as_array_mut().unwrap().push(json!({"type": "hologram", "data": "x"}));
    for client in [Chat, Responses, Gemini] {
        let (told, warned) = told(Anthropic, &answer, client);
        assert!(!told.to_string().contains("hologram"), "{told}");
        assert!(warned.unwrap().ends_with("=dropped"));
    }
}
