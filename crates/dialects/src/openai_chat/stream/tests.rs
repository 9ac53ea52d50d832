mod reading;
mod writing;

use crate::{
    fixtures,
    form::{Event, Opaque, Reply},
    framing::Framing,
    openai_chat::{
        CHAT, decode_reply,
        testing::{context, data, read_stream, write_stream},
    },
    passthrough::Observer,
    translate::{
        Ids,
        checks::{assembled, assert_well_begun, assert_well_formed, comparable, owned},
    },
};
use cliproxy_domain::{AttemptError, Failure, Operation};
use proptest::prelude::*;

/// Reads a stream as the gateway does, in the given chunks.
fn watched(chunks: &[&[u8]]) -> (Vec<Event<'static>>, Result<(), AttemptError>) {
    let mut observer = Observer::new(CHAT, Operation::Generate, Framing::Sse);
    let mut decoder = super::StreamDecoder::new(Ids::new([7, 8]));
    let mut events = Vec::new();
    let mut feed = || {
        for chunk in chunks {
            observer.feed_each(chunk, |name, data| {
                decoder.event(name, data, &mut |event| events.push(owned(event)))
            })?;
        }
        observer
            .finish_each(|name, data| decoder.event(name, data, &mut |event| events.push(owned(event))))?;
        decoder.finish(&mut |event| events.push(owned(event)))
    };
    let result = feed();
    (events, result)
}

fn recorded(name: &str) -> Vec<u8> {
    fixtures::read(&format!("openai-chat/{name}.stream.sse"))
}

/// What a stream does not carry.
fn streamable(mut reply: Reply) -> Reply {
    (reply.tier, reply.fingerprint) = (None, None);
    comparable(reply)
}

#[test]
fn every_recorded_stream_says_the_same_as_its_answer() {
    let mut compared = 0;
    for name in fixtures::names("openai-chat", ".stream.sse") {
        let stem = name.strip_suffix(".stream.sse").unwrap();
        let (events, result) = watched(&[&recorded(stem)]);
        if matches!(stem, "error-midstream" | "truncated-eof") {
            assert!(result.is_err(), "{name}");
            assert_well_begun(&events);
            continue;
        }
        result.unwrap();
        assert_well_formed(&events);
        let answer = if stem == "text-no-usage" { "text" } else { stem };
        let whole = fixtures::read(&format!("openai-chat/{answer}.response.json"));
        let mut expected = streamable(decode_reply(&whole).unwrap());
        let said = assembled(&events);
        if stem == "text-no-usage" {
            (expected.id, expected.usage) = (said.id.clone(), None);
        }
        assert_eq!(said, expected, "{name}");
        compared += 1;
    }
    assert!(compared > 5);
}

#[test]
fn every_recorded_stream_comes_out_with_the_same_events() {
    for name in ["text", "length", "n2", "tool-single", "tool-parallel", "thinking-reasoning-content"] {
        let (events, _) = watched(&[&recorded(name)]);
        let written = write_stream(&events, context(CHAT));
        let (again, result) = watched(&[written.as_bytes()]);
        result.unwrap();
        let mut expected = assembled(&events);
        expected.id = Some(context(CHAT).ids.answer(CHAT));
        expected.model = Some("asked".to_owned());
        assert_eq!(assembled(&again), expected, "{name}");
        assert_eq!(again.len(), events.len(), "{name}");
    }
}

#[test]
fn a_broken_stream_is_no_answer() {
    let (events, result) = watched(&[&recorded("truncated-eof")]);
    assert_eq!(result.unwrap_err().failure, Failure::StreamBroken);
    assert!(!events.contains(&Event::End));
    let (events, result) = watched(&[&recorded("error-midstream")]);
    assert_eq!(result.unwrap_err().failure, Failure::Upstream);
    assert!(!events.contains(&Event::End));
}

/// Text of a JSON value that a server might send in place of any other.
fn odd_value() -> impl Strategy<Value = String> {
    let known = [
        "null",
        "7",
        "-1",
        "\"\"",
        "\"x\"",
        "[]",
        "{}",
        "[{}]",
        "{\"name\":\"f\"}",
        "\"\\ud83d\"",
        "true",
        "[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
        "[{\"index\":1,\"function\":{\"arguments\":\"x\"}}]",
        "[{\"type\":\"reasoning.encrypted\",\"data\":\"x\"}]",
    ];
    prop::sample::select(known.to_vec()).prop_map(str::to_owned)
}

/// A chunk with any value in any of its fields.
fn odd_chunk() -> impl Strategy<Value = String> {
    let fields = prop::sample::select(vec![
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "annotations",
        "role",
    ]);
    let delta = prop::collection::vec((fields, odd_value()), 0..3);
    let reason = prop::sample::select(vec!["null", "\"stop\"", "\"tool_calls\"", "7", "\"error\""]);
    (0_u32..3, delta, reason).prop_map(|(index, delta, reason)| {
        let delta: Vec<String> =
            delta.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let choice =
            format!("\"index\":{index},\"delta\":{{{}}},\"finish_reason\":{reason}", delta.join(","));
        format!("{{\"choices\":[{{{choice}}}]}}")
    })
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        for name in ["tool-parallel", "n2", "thinking-reasoning-content"] {
            let stream = recorded(name);
            let (whole, _) = watched(&[&stream]);
            let (parts, result) = watched(&fixtures::chunks(&stream, &cuts));
            prop_assert!(result.is_ok());
            prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn whatever_a_server_sends_the_events_keep_their_guarantees(
        chunks in prop::collection::vec(odd_chunk(), 0..12)
    ) {
        let mut decoder = super::StreamDecoder::new(Ids::new([7, 8]));
        let mut events = Vec::new();
        let mut failed = false;
        // There is always a first choice, and the first thing that is written is its beginning.
        let first = "{\"choices\":[{\"index\":0,\"delta\":{}}]}".to_owned();
        for chunk in std::iter::once(&first).chain(&chunks) {
            let read = decoder.event(b"", chunk.as_bytes(), &mut |event| events.push(owned(event)));
            failed |= read.is_err();
            if failed {
                break;
            }
        }
        if !failed {
            failed = decoder.finish(&mut |event| events.push(owned(event))).is_err();
        }
        if failed {
            assert_well_begun(&events);
        } else {
            assert_well_formed(&events);
            // What is written of it is read again.
            let written = write_stream(&events, context(CHAT));
            let again = read_stream(data(&written)).unwrap();
            let parts = |events: &[Event<'_>]| {
                assembled(events).choices.into_iter().map(|choice| choice.finish).collect::<Vec<_>>()
            };
            prop_assert_eq!(parts(&again), parts(&events));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut decoder = super::StreamDecoder::new(Ids::new([7, 8]));
        let _ = decoder.event(b"x", &data, &mut |_| {});
        let _ = decode_reply(&data);
        let _ = crate::json::Fields::parse(&data).and_then(crate::openai_chat::decode_request);
    }
}

#[test]
fn a_stream_of_the_same_dialect_keeps_the_state_of_the_server() {
    let chunk = |delta: &str| {
        format!("{{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}")
    };
    let details =
        r#"{"reasoning_details":[{"type":"reasoning.text","index":0,"text":"Hm.","signature":"c2ln"}]}"#;
    let call = r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]}"#;
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
    let (details, call) = (chunk(details), chunk(call));
    let events = read_stream([details.as_str(), call.as_str(), end]).unwrap();
    let again = read_stream(data(&write_stream(&events, context(CHAT)))).unwrap();
    let states = |events: &[Event<'_>]| -> Vec<Opaque> {
        let parts = assembled(events).choices.remove(0).parts;
        parts.into_iter().filter_map(|part| part.state).collect()
    };
    assert_eq!(states(&again), states(&events));
    assert_eq!(states(&events).len(), 2);
}

#[test]
fn a_signature_that_comes_with_a_call_is_told_before_its_arguments() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]}}]}"#;
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
    let events = read_stream([call, end]).unwrap();
    let place = |wanted: fn(&Event<'_>) -> bool| events.iter().position(wanted).unwrap();
    let state = place(|event| matches!(event, Event::State { .. }));
    assert!(state < place(|event| matches!(event, Event::Delta { .. })), "{events:?}");
}
