//! Streams that are ended from our side.

use super::*;
use crate::{
    form::{Event, Finish},
    translate::{Decoder, Ids},
};
use serde_json::Value;

const SPENT: TokenUsage =
    TokenUsage { input: 24, output: 3, cache_read: 0, cache_write: 0, reasoning: 0, estimated: 3 };

/// The places between two events of a stream.
fn boundaries(fixture: &Fixture) -> Vec<usize> {
    match framing(fixture) {
        Framing::Sse => {
            let ends = fixture.bytes.windows(2).enumerate().filter(|(_, two)| *two == b"\n\n");
            ends.map(|(at, _)| at + 2).collect()
        }
        Framing::JsonArray => (1..fixture.bytes.len()).collect(),
    }
}

/// Feeds a followed observer the beginning of a stream; gives what a client has then, whole events only, once the stream
/// is ended. None where it cannot be: nothing was said yet, or all was.
fn ended_after(fixture: &Fixture, at: usize) -> Option<Vec<u8>> {
    let mut observer = Observer::new(fixture.dialect, Operation::Generate, framing(fixture));
    observer.follow();
    let progress = observer.feed(&fixture.bytes[..at]).ok()?;
    if !progress.semantic || observer.is_complete() {
        return None;
    }
    let mut whole = fixture.bytes[..progress.whole].to_vec();
    whole.extend_from_slice(&observer.end_early(&SPENT)?);
    Some(whole)
}

#[test]
fn a_stream_that_is_ended_early_is_whole_for_a_reader_of_its_dialect() {
    let mut ended = 0;
    for fixture in streams() {
        for at in boundaries(fixture) {
            let Some(bytes) = ended_after(fixture, at) else { continue };
            ended += 1;
            let verdict = observe(fixture.dialect, framing(fixture), &[&bytes]);
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(verdict.result, Ok(()), "{} after {at} bytes:\n{text}", fixture.name);
            assert!(verdict.complete, "{} after {at} bytes:\n{text}", fixture.name);
        }
    }
    assert!(ended > 200, "{ended}");
}

#[test]
fn its_reason_is_that_the_maximum_of_tokens_is_reached() {
    for fixture in streams() {
        if framing(fixture) == Framing::JsonArray {
            continue;
        }
        for at in boundaries(fixture) {
            let Some(bytes) = ended_after(fixture, at) else { continue };
            let told = String::from_utf8_lossy(&bytes);
            let reasons = reasons(fixture.dialect, &bytes);
            assert!(reasons.contains(&Finish::MaxTokens), "{} after {at} bytes:\n{told}", fixture.name);
        }
    }
}

/// Why the choices of a stream ended, as a client of the dialect reads it.
fn reasons(dialect: Dialect, bytes: &[u8]) -> Vec<Finish> {
    let mut decoder = Decoder::new(dialect, Ids::new([1, 2]));
    let mut observer = Observer::new(dialect, Operation::Generate, Framing::Sse);
    let mut reasons = Vec::new();
    let mut sink = |event: Event<'_>| {
        if let Event::Finish { finish, .. } = event {
            reasons.push(finish);
        }
    };
    observer.feed_each(bytes, |name, data| decoder.event(name, data, &mut sink)).unwrap();
    reasons
}

fn events(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

fn fixture(name: &str) -> &'static Fixture {
    streams().iter().find(|fixture| fixture.name == name).expect("the fixture is there")
}

#[test]
fn a_response_that_is_ended_early_repeats_what_was_said_of_it() {
    let fixture = fixture("openai-responses/text.stream.sse");
    let text = String::from_utf8(fixture.bytes.clone()).unwrap();
    let at = text.find("event: response.output_text.done").unwrap();
    let events = events(&ended_after(fixture, at).unwrap());
    let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let kinds: Vec<&str> = events.iter().rev().take(4).map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.incomplete",
            "response.output_item.done",
            "response.content_part.done",
            "response.output_text.done"
        ]
    );
    let response = &events.last().unwrap()["response"];
    assert_eq!(response["id"], "resp_fx0001");
    assert_eq!(response["status"], "incomplete");
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert_eq!(response["output"][0]["content"][0]["text"], "Oslo is the capital of Norway.");
    assert_eq!(response["instructions"], "Answer in one short sentence.", "the echo of the request");
    assert_eq!(response["usage"]["total_tokens"], 27);
}

#[test]
fn a_chat_that_is_ended_early_tells_its_tokens_to_those_who_asked_for_them() {
    for (name, wanted) in
        [("openai-chat/text.stream.sse", true), ("openai-chat/text-no-usage.stream.sse", false)]
    {
        let fixture = fixture(name);
        let at = boundaries(fixture)[1];
        let bytes = ended_after(fixture, at).unwrap();
        assert!(bytes.ends_with(b"data: [DONE]\n\n"), "{name}");
        let events = events(&bytes);
        let usage = events.iter().find(|event| event["usage"].is_object());
        assert_eq!(usage.map(|event| event["usage"]["total_tokens"].clone()), wanted.then_some(27.into()));
    }
}

#[test]
fn nobody_ends_a_stream_that_nobody_follows() {
    let fixture = fixture("openai-chat/text.stream.sse");
    let mut observer = Observer::new(fixture.dialect, Operation::Generate, Framing::Sse);
    observer.feed(&fixture.bytes[..boundaries(fixture)[1]]).unwrap();
    assert_eq!(observer.end_early(&SPENT), None);
}

#[test]
fn what_was_said_counts_where_the_report_of_tokens_is_behind() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#;
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let mut stream = event("message_start", start) + &event("content_block_start", block);
    for _ in 0..5 {
        stream += &event("content_block_delta", delta);
    }
    let usage = observe_sse(Dialect::Anthropic, &stream).usage;
    assert_eq!((usage.input, usage.output, usage.estimated), (9, 5, 4), "the client hangs up here");
    let usage = observe_sse(Dialect::Anthropic, &(stream + &event("message_delta", end))).usage;
    assert_eq!((usage.output, usage.estimated), (2, 0), "the provider's word is the last");
}

#[test]
fn what_is_said_is_counted_by_its_text_and_not_by_the_media_within() {
    let image = "A".repeat(400_000);
    let chunk = format!(
        r#"data: {{"candidates":[{{"index":0,"content":{{"role":"model","parts":[{{"text":"{}"}},{{"inlineData":{{"mimeType":"image/png","data":"{image}"}}}}]}}}}],"usageMetadata":{{"promptTokenCount":3,"candidatesTokenCount":20}}}}"#,
        "word ".repeat(20)
    );
    let mut observer = Observer::new(Dialect::Gemini, Operation::Generate, Framing::Sse);
    observer.follow();
    observer.feed(format!("{chunk}\r\n\r\n").as_bytes()).expect("a chunk");
    assert_eq!(observer.usage(0).output, 25, "a quarter of the text, as the provider counts less");
}
