use super::super::testing::{chunks, context, events, fixture, stream};
use crate::{
    form::{BlockKind, Citation, Event, Finish, Opaque, Place, ReasoningForm, State},
    framing::{ArrayPosition, Framing},
    scene::sealer,
    translate::checks::{assembled, assert_well_formed, comparable},
};
use cliproxy_domain::{Dialect, Failure, TokenUsage};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;

mod writing;

fn recorded(name: &str) -> (Vec<u8>, Framing) {
    let framing = if name.ends_with(".json") { Framing::JsonArray } else { Framing::Sse };
    (crate::fixtures::read(&format!("gemini/{name}")), framing)
}

/// The recorded streams that come to their end.
fn whole_streams() -> Vec<String> {
    let mut names = crate::fixtures::names("gemini", ".stream.sse");
    names.extend(crate::fixtures::names("gemini", ".stream.json"));
    names.retain(|name| !name.starts_with("error-") && !name.starts_with("truncated-"));
    assert!(names.len() >= 7);
    names
}

fn read(name: &str) -> Vec<Event<'static>> {
    let (bytes, framing) = recorded(name);
    events(&bytes, framing).unwrap()
}

fn sse(chunks: &[Value]) -> Vec<u8> {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect::<String>().into_bytes()
}

fn parts(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}], "responseId": "r1"})
}

fn stop() -> Value {
    json!({"candidates": [{"finishReason": "STOP", "index": 0}]})
}

fn opened<'e>(events: &'e [Event<'_>]) -> Vec<&'e BlockKind<'e>> {
    let kind = |event: &'e Event<'_>| match event {
        Event::Open { kind, .. } => Some(kind),
        _ => None,
    };
    events.iter().filter_map(kind).collect()
}

#[test]
fn every_recorded_stream_is_well_formed_and_says_what_the_whole_answer_says() {
    for name in whole_streams() {
        let events = read(&name);
        assert_well_formed(&events);
        let case = name.split('.').next().unwrap().trim_end_matches("-jsonarray");
        if case == "tool-parallel-noid" || case == "prompt-blocked" {
            continue;
        }
        let body = fixture(&format!("{case}.response.json")).to_string();
        let whole = super::super::decode_reply(body.as_bytes()).unwrap();
        assert_eq!(assembled(&events), comparable(whole), "{name}");
    }
}

#[test]
fn every_recorded_stream_is_written_so_that_it_reads_the_same() {
    for framing in [Framing::Sse, Framing::JsonArray] {
        for name in whole_streams() {
            let first = read(&name);
            let bytes = stream(&first, context(Dialect::Gemini, framing));
            let second = events(&bytes, framing).unwrap();
            assert_well_formed(&second);
            let (mut first, mut second) = (assembled(&first), assembled(&second));
            for reply in [&mut first, &mut second] {
                (reply.id, reply.model) = (None, None);
                given_ids(reply);
            }
            assert_eq!(first, second, "{name}");
        }
    }
}

/// Forgets whether a call's id is known for Gemini's own: what was made for want of one is written like any other.
fn given_ids(reply: &mut crate::form::Reply) {
    for part in reply.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let Some(Opaque::Native(state)) = &mut part.state {
            state.item_id = None;
        }
    }
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_gives_the_same_output(
        which in 0_usize..100,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let names = whole_streams();
        let (bytes, framing) = recorded(&names[which % names.len()]);
        let translated = |pieces: &[&[u8]]| {
            let context = std::sync::Arc::new(context(Dialect::Gemini, framing));
            let mut translator = crate::translate::StreamTranslator::new(framing, context);
            let mut out = Vec::new();
            for piece in pieces {
                translator.feed(piece, &mut out).unwrap();
            }
            translator.finish(&mut out).unwrap();
            out
        };
        let whole = translated(&[&bytes]);
        prop_assert_eq!(translated(&crate::fixtures::chunks(&bytes, &cuts)), whole);
    }

    #[test]
    fn no_bytes_make_the_reader_fail_otherwise_than_by_an_error(
        which in 0_usize..100,
        at in any::<usize>(),
        with in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let names = whole_streams();
        let (mut bytes, framing) = recorded(&names[which % names.len()]);
        let at = at % bytes.len();
        bytes.splice(at..(at + with.len()).min(bytes.len()), with);
        if let Ok(events) = events(&bytes, framing) {
            crate::translate::checks::assert_well_begun(&events);
        }
    }
}

#[test]
fn parallel_calls_are_never_merged_though_each_is_the_first_part_of_its_chunk() {
    let events = read("tool-parallel-noid.stream.sse");
    let ids: Vec<_> = opened(&events)
        .into_iter()
        .map(|kind| match kind {
            BlockKind::ToolCall { id, name, .. } => (id.clone(), name.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0].0, ids[1].0);
    assert_eq!(ids[0].0, crate::tool_ids::made("fx-gem-0012", 0));
    assert!(events.contains(&Event::Finish { choice: 0, finish: Finish::ToolUse }));
}

#[test]
fn a_call_that_is_sent_again_under_its_id_is_ignored_and_another_one_is_not() {
    let call =
        |city: &str| parts(json!([{"functionCall": {"id": "a", "name": "f", "args": {"city": city}}}]));
    let events = events(&sse(&[call("Oslo"), call("Oslo"), call("Lima"), stop()]), Framing::Sse).unwrap();
    assert_well_formed(&events);
    let calls = opened(&events);
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0], calls[1]);
}

#[test]
fn the_reason_stop_after_a_call_does_not_hide_the_call() {
    let call = json!({"candidates": [{"finishReason": "STOP", "index": 0, "content": {"parts": [
        {"functionCall": {"name": "f", "args": {}}}]}}]});
    let late =
        json!({"candidates": [{"finishReason": "STOP", "index": 0, "content": {"parts": [{"text": ""}]}}]});
    let events = events(&sse(&[call, late]), Framing::Sse).unwrap();
    let finishes: Vec<_> = events.iter().filter(|event| matches!(event, Event::Finish { .. })).collect();
    assert_eq!(finishes, [&Event::Finish { choice: 0, finish: Finish::ToolUse }]);
}

#[test]
fn text_and_thoughts_make_blocks_of_their_own_and_empty_texts_none() {
    let events = events(
        &sse(&[
            parts(json!([{"text": "a", "thought": true}, {"text": "b"}])),
            parts(json!([{"text": ""}, {"text": "c"}, {"text": "d", "thought": true}])),
            stop(),
        ]),
        Framing::Sse,
    )
    .unwrap();
    assert_well_formed(&events);
    let thought = BlockKind::Reasoning(ReasoningForm::Summary);
    assert_eq!(opened(&events), [&thought, &BlockKind::Text, &thought]);
}

#[test]
fn a_signature_on_an_empty_text_is_of_the_text_before_it_or_of_nothing() {
    let signed = json!({"text": "", "thoughtSignature": "c2ln"});
    let after_text = events(
        &sse(&[parts(json!([{"text": "a"}])), parts(json!([signed])), parts(json!([{"text": "b"}])), stop()]),
        Framing::Sse,
    )
    .unwrap();
    assert_well_formed(&after_text);
    assert_eq!(opened(&after_text), [&BlockKind::Text, &BlockKind::Text], "a signed part takes no more text");
    let state = Opaque::Native(State::native(Dialect::Gemini, "c2ln"));
    assert!(after_text.contains(&Event::State { choice: 0, block: 0, state: state.clone() }));
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    let after_call = events(&sse(&[parts(json!([call, signed])), stop()]), Framing::Sse).unwrap();
    assert_well_formed(&after_call);
    assert_eq!(opened(&after_call)[1], &BlockKind::Reasoning(ReasoningForm::Hidden));
    assert!(after_call.contains(&Event::State { choice: 0, block: 1, state }));
}

#[test]
fn candidates_are_read_side_by_side() {
    let chunk = |index: u32, text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "index": index}]});
    let end = json!({"candidates": [{"finishReason": "STOP", "index": 0}, {"finishReason": "MAX_TOKENS", "index": 1}]});
    let events = events(&sse(&[chunk(0, "a"), chunk(1, "x"), chunk(0, "b"), end]), Framing::Sse).unwrap();
    assert_well_formed(&events);
    let reply = assembled(&events);
    assert_eq!(reply.choices[0].parts[0].as_text(), Some("ab"));
    assert_eq!((reply.choices[1].index, &reply.choices[1].finish), (1, &Finish::MaxTokens));
}

#[test]
fn a_failed_end_is_an_error_after_what_was_said_before_it() {
    let bad = json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}]});
    let error = events(&sse(&[parts(json!([{"text": "a"}])), bad]), Framing::Sse).unwrap_err();
    assert_eq!(error.failure, Failure::Upstream);
}

#[test]
fn counts_that_change_are_told_and_repeated_ones_are_not() {
    let told = |events: &[Event<'_>]| events.iter().filter(|event| matches!(event, Event::Usage(_))).count();
    assert_eq!(told(&read("tool-parallel.stream.sse")), 3, "the last chunk repeats the one before");
    let last = read("thinking.stream.sse").into_iter().rev().find_map(|event| match event {
        Event::Usage(usage) => Some(usage),
        _ => None,
    });
    let expected = TokenUsage { input: 12, output: 140, reasoning: 128, ..TokenUsage::default() };
    assert_eq!(last, Some(expected), "thoughts are output too");
}

#[test]
fn an_end_mark_and_events_without_data_say_nothing() {
    let mut bytes = sse(&[parts(json!([{"text": "a"}])), stop()]);
    bytes.extend_from_slice(b"data: [DONE]\r\n\r\ndata:\r\n\r\n");
    assert_well_formed(&events(&bytes, Framing::Sse).unwrap());
}

#[test]
fn half_a_surrogate_pair_does_not_kill_the_stream() {
    let mut bytes =
        b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\ud83d\"}]}}]}\r\n\r\n".to_vec();
    bytes.extend(sse(&[stop()]));
    let reply = assembled(&events(&bytes, Framing::Sse).unwrap());
    assert_eq!(reply.choices[0].parts[0].as_text(), Some("a\u{fffd}"));
}

#[test]
fn a_continuation_keeps_its_token() {
    let end = json!({"candidates": [{"finishReason": "CONTINUATION", "continuationToken": "t", "index": 0}]});
    let events = events(&sse(&[parts(json!([{"text": "a"}])), end]), Framing::Sse).unwrap();
    let finish = Finish::Pause { token: Some("t".into()) };
    assert!(events.contains(&Event::Finish { choice: 0, finish }));
}

#[test]
fn citations_are_told_once_on_the_text_they_are_of() {
    let cited = json!({"candidates": [{"index": 0, "content": {"parts": [{"text": "To be"}]},
        "citationMetadata": {"citations": [{"endIndex": 5, "uri": "https://x.example"}]}}]});
    let mut again = cited.clone();
    again["candidates"][0]["content"] = json!({"parts": [{"text": "!"}]});
    let events = events(&sse(&[cited, again, stop()]), Framing::Sse).unwrap();
    assert_well_formed(&events);
    let cites = events.iter().filter(|event| matches!(event, Event::Cite { .. })).count();
    assert_eq!(cites, 1);
}
