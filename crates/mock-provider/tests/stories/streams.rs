//! Good answers: whole, streamed, paced.

use crate::client::{chat, generating, mock, now, post, request};
use cliproxy_mock_provider::{Behaviour, Latency, Reply, Rule, Script};
use serde_json::{Value, json};
use std::time::Duration;

fn saying(text: &str) -> Script {
    Rule::new(Behaviour::Answer).reply(Reply { text: Some(text.into()), ..Reply::default() }).into()
}

fn json_events(events: &[(Option<String>, String)]) -> Vec<Value> {
    events.iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

fn joined<'a>(parts: impl Iterator<Item = &'a Value>) -> String {
    parts.filter_map(Value::as_str).collect()
}

const TEXT: &str = "Quoted \"text\"\nwith æ lines \\ done.";

#[tokio::test]
async fn a_chat_stream_adds_up_to_the_whole_answer() {
    let mock = mock(saying(TEXT));
    let whole = chat(&mock, false).await.json();
    let events = chat(&mock, true).await.events();
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(last.1, "[DONE]");
    let chunks = json_events(chunks);
    let text = joined(chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["content"]));
    assert_eq!(text, TEXT);
    assert_eq!(whole["choices"][0]["message"]["content"], TEXT);
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "usage was not asked for");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
}

#[tokio::test]
async fn a_chat_stream_ends_with_usage_when_asked() {
    let mock = mock(saying(TEXT));
    let body = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;
    let events = post(&mock, "/v1/chat/completions", body).await.events();
    let chunks = json_events(&events[..events.len() - 1]);
    let (usage, others) = chunks.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], body.len().div_ceil(4));
    assert_eq!(usage["usage"]["completion_tokens"], TEXT.split(' ').count());
    assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
}

#[tokio::test]
async fn a_responses_stream_follows_its_grammar() {
    let mock = mock(saying(TEXT));
    let [_, (_, path, body), ..] = generating(true);
    let events = post(&mock, &path, &body).await.events();
    let documents = json_events(&events);
    for (number, ((name, _), document)) in events.iter().zip(&documents).enumerate() {
        assert_eq!(document["sequence_number"], number);
        assert_eq!(document["type"].as_str(), name.as_deref());
    }
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_deref().unwrap()).collect();
    assert_eq!(
        names[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added"
        ]
    );
    assert_eq!(
        names[names.len() - 4..],
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    assert_eq!(joined(documents.iter().map(|document| &document["delta"])), TEXT);
    let last = &documents.last().unwrap()["response"];
    assert_eq!(last["output"][0]["content"][0]["text"], TEXT);
    assert_eq!(last["usage"]["output_tokens"], TEXT.split(' ').count());
}

#[tokio::test]
async fn a_messages_stream_follows_its_grammar() {
    let mock = mock(saying(TEXT));
    let [_, _, (_, path, body), _] = generating(true);
    let events = post(&mock, &path, &body).await.events();
    let documents = json_events(&events);
    for ((name, _), document) in events.iter().zip(&documents) {
        assert_eq!(document["type"].as_str(), name.as_deref());
    }
    let deltas = TEXT.split(' ').count();
    let mut names = vec!["message_start", "content_block_start", "ping"];
    names.extend(vec!["content_block_delta"; deltas]);
    names.extend(["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(events.iter().map(|(name, _)| name.as_deref().unwrap()).collect::<Vec<_>>(), names);
    assert_eq!(joined(documents.iter().map(|document| &document["delta"]["text"])), TEXT);
    assert_eq!(documents[names.len() - 2]["usage"]["output_tokens"], deltas);
}

#[tokio::test]
async fn a_gemini_stream_says_the_same_as_events_and_as_an_array() {
    let mock = mock(saying(TEXT));
    let [.., (_, path, body)] = generating(true);
    let received = post(&mock, &path, &body).await;
    assert!(received.text().ends_with("\r\n\r\n") && !received.text().contains("event:"));
    let events = json_events(&received.events());
    let array = post(&mock, path.strip_suffix("?alt=sse").unwrap(), &body).await;
    assert_eq!(array.json(), Value::Array(events.clone()));
    assert_eq!(
        joined(events.iter().map(|event| &event["candidates"][0]["content"]["parts"][0]["text"])),
        TEXT
    );
    let finishes = events.iter().filter(|event| event["candidates"][0].get("finishReason").is_some());
    assert_eq!(finishes.count(), 1);
    let usage = &events.last().unwrap()["usageMetadata"];
    assert_eq!(usage["candidatesTokenCount"], TEXT.split(' ').count());
}

#[tokio::test]
async fn the_default_text_names_the_mock_and_what_it_read() {
    let mock = mock(Script::default());
    for (api, path, body) in generating(false) {
        let text = post(&mock, &path, &body).await.text().to_owned();
        assert!(text.contains(&format!("mock read {} bytes with hash ", body.len())), "{api}: {text}");
        assert_eq!(post(&mock, &path, &body).await.text(), text, "{api} answers the same again");
    }
}

#[tokio::test]
async fn bytes_cut_anywhere_are_the_same_stream() {
    let whole = chat(&mock(saying(TEXT)), true).await.body;
    let reply = Reply { text: Some(TEXT.into()), chunk_bytes: Some(3), ..Reply::default() };
    let cut = chat(&mock(Rule::new(Behaviour::Answer).reply(reply)), true).await;
    assert_eq!(cut.body, whole);
}

#[tokio::test]
async fn tokens_come_at_their_times() {
    let latency = Latency { headers_ms: 20, time_to_first_token_ms: 30, per_token_ms: 10 };
    let reply = Reply { tokens: Some(4), ..Reply::default() };
    let mock = mock(Rule::new(Behaviour::Answer).latency(latency).reply(reply));
    for stream in [true, false] {
        let begun = now();
        assert_eq!(chat(&mock, stream).await.status, 200);
        assert!(begun.elapsed() >= Duration::from_millis(20 + 30 + 3 * 10), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_large_answer_is_never_held_in_memory() {
    const SIZE: u64 = 64 << 20;
    let reply = Reply { total_bytes: Some(SIZE), ..Reply::default() };
    let mock = mock(Rule::new(Behaviour::Answer).reply(reply));
    for (stream, verb) in [(true, "streamed"), (false, "whole")] {
        let [(_, path, body), ..] = generating(stream);
        let before = resident();
        let mut connection = crate::client::open(&mock, "POST", &path, &body).await;
        let (mut received, mut peak) = (0, 0);
        let mut buffer = vec![0; 65_536];
        loop {
            match tokio::io::AsyncReadExt::read(&mut connection, &mut buffer).await.unwrap() {
                0 => break,
                count => received += count as u64,
            }
            peak = peak.max(resident());
        }
        assert!(received > SIZE, "{verb}: only {received} bytes");
        let grown = peak.saturating_sub(before);
        assert!(grown < 16 << 20, "{verb}: {grown} bytes of memory");
    }
}

/// Gives the resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::test]
async fn a_tool_is_called_once_and_its_result_gets_text() {
    let mock = mock(Script::default());
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters":
        {"type": "object", "required": ["where"], "properties": {"where": {"type": "string"}}}}}]);
    let user = json!({"role": "user", "content": "please use the tool"});
    let ask = json!({"model": "m", "messages": [user], "tools": tools});
    let call = post(&mock, "/v1/chat/completions", &ask.to_string()).await.json();
    let choice = &call["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (function["name"].as_str(), function["arguments"].as_str()),
        (Some("look"), Some(r#"{"where":"mock"}"#))
    );
    let result = json!({"role": "tool", "tool_call_id": "x", "content": "here"});
    let ask = json!({"model": "m", "messages": [user, choice["message"], result], "tools": tools});
    let answer = post(&mock, "/v1/chat/completions", &ask.to_string()).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn counts_embeddings_and_lists_have_their_families_shapes() {
    let mock = mock(Script::default());
    let [(_, _, chat), _, (_, _, messages), (_, _, gemini)] = generating(false);
    let counted = post(&mock, "/v1/messages/count_tokens", &messages).await.json();
    assert_eq!(counted["input_tokens"], messages.len().div_ceil(4));
    let counted = post(&mock, "/v1beta/models/g:countTokens", &gemini).await.json();
    assert_eq!(counted["totalTokens"], gemini.len().div_ceil(4));
    let input = chat.replace("\"messages\"", "\"input\"");
    let counted = post(&mock, "/v1/responses/input_tokens", &input).await.json();
    assert_eq!(counted["input_tokens"], input.len().div_ceil(4));
    let body = r#"{"model":"e","input":["a","b"],"dimensions":3}"#;
    let vectors = post(&mock, "/v1/embeddings", body).await.json();
    assert_eq!(vectors["data"][1]["embedding"].as_array().unwrap().len(), 3);
    let one = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    let vector = post(&mock, "/v1beta/models/e:embedContent", one).await.json();
    let batch = format!(r#"{{"requests":[{one}]}}"#);
    let vectors = post(&mock, "/v1beta/models/e:batchEmbedContents", &batch).await.json();
    assert_eq!(vectors["embeddings"][0], vector["embedding"]);
    assert!(request(&mock, "GET", "/v1beta/models", "").await.json()["models"][0]["name"].is_string());
    // The client of these tests sends Anthropic's version header.
    assert_eq!(request(&mock, "GET", "/v1/models", "").await.json()["has_more"], false);
}
