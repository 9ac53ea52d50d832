use super::*;
use crate::{
    fixtures,
    form::{Finish, Losses},
    translate::{StreamTranslator, checks},
};
use cliproxy_domain::Failure;
use proptest::prelude::*;
use std::sync::Arc;

fn whole() -> Vec<String> {
    let names = fixtures::names("anthropic", ".stream.sse");
    names.into_iter().filter(|name| !name.starts_with("error") && !name.starts_with("truncated")).collect()
}

#[test]
fn every_recorded_stream_is_well_formed_and_says_what_the_answer_says() {
    assert!(whole().len() > 8);
    for name in whole() {
        let events = events(&fixtures::read(&format!("anthropic/{name}"))).unwrap();
        checks::assert_well_formed(&events);
        let answer = name.replace(".stream.sse", ".response.json");
        let recorded = super::super::decode_reply(&fixtures::read(&format!("anthropic/{answer}"))).unwrap();
        let (mut streamed, mut recorded) = (checks::assembled(&events), checks::comparable(recorded));
        recorded.tier = None;
        if name.starts_with("refusal") {
            // The recorded stream begins to answer before it refuses.
            streamed.choices[0].parts.clear();
            (streamed.usage, recorded.usage) = (None, None);
        }
        let foreign = |part: &Part| matches!(part.kind, PartKind::Foreign { .. });
        recorded.choices[0].parts.retain(|part| !foreign(part));
        assert_eq!(streamed, recorded, "{name}");
    }
}

#[test]
fn a_written_stream_is_read_to_the_same_events() {
    for name in whole() {
        let read = events(&fixtures::read(&format!("anthropic/{name}"))).unwrap();
        let again = events(&written(&read, context(Dialect::Anthropic))).unwrap();
        checks::assert_well_formed(&again);
        let (first, second) = (checks::assembled(&read), checks::assembled(&again));
        assert_eq!(anonymous(second), anonymous(first), "{name}");
    }
}

#[test]
fn a_written_stream_has_the_recorded_shape() {
    for name in whole().iter().filter(|name| !name.starts_with("forward-compat")) {
        let recorded = fixtures::read(&format!("anthropic/{name}"));
        let shape = |stream: &[u8]| -> Vec<_> {
            let said = said(stream).into_iter().filter(|(name, data)| {
                name != "ping" && data["delta"].get("partial_json") != Some(&Value::from(""))
            });
            said.map(|(_, mut data)| {
                data.as_object_mut().unwrap().shift_remove("message");
                data.as_object_mut().unwrap().shift_remove("usage");
                data
            })
            .collect()
        };
        let again = written(&events(&recorded).unwrap(), context(Dialect::Anthropic));
        assert_eq!(shape(&again), shape(&recorded), "{name}");
    }
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    for name in whole() {
        let read = events(&fixtures::read(&format!("anthropic/{name}"))).unwrap();
        let context = context(Dialect::Anthropic);
        let body = super::super::encode_reply(&checks::assembled(&read), &context, &mut Losses::default());
        let answer = super::super::decode_reply(&body).unwrap();
        let streamed = checks::assembled(&events(&written(&read, context)).unwrap());
        assert_eq!(streamed, checks::comparable(answer), "{name}");
    }
}

/// Pitfall 20.
#[test]
fn a_stream_without_its_end_is_no_answer() {
    for (name, failure) in [
        ("truncated-eof", Failure::StreamBroken),
        ("error-midstream", Failure::Overloaded { retry_after: None }),
    ] {
        let stream = fixtures::read(&format!("anthropic/{name}.stream.sse"));
        let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(context(Dialect::Anthropic)));
        let mut out = Vec::new();
        let error = translator.feed(&stream, &mut out).err().or_else(|| translator.finish(&mut out).err());
        assert_eq!(error.unwrap().failure, failure, "{name}");
        let told = String::from_utf8(out).unwrap();
        assert!(told.contains("Oslo is") && !told.contains("message_delta"), "{told}");
    }
}

fn frames(events: &[&str]) -> Vec<u8> {
    events.iter().flat_map(|data| format!("data: {data}\n\n").into_bytes()).collect()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":5000,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":52,"cache_read_input_tokens":2048,"output_tokens":8}}"#;

/// Pitfalls 15 and 17; event names may be left out, and the stop reason is end enough.
#[test]
fn later_counts_replace_earlier_ones() {
    let events = events(&frames(&[START, STOP])).unwrap();
    checks::assert_well_formed(&events);
    let usage = checks::assembled(&events).usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (2100, 2048, 8));
}

/// Pitfall 5.
#[test]
fn there_is_one_end_however_often_it_is_said() {
    let stop = r#"{"type":"message_stop"}"#;
    for ends in [
        vec![STOP],
        vec![STOP, stop],
        vec![STOP, stop, stop, "[DONE]"],
        vec![stop],
        vec![STOP, STOP, "[DONE]"],
    ] {
        let events = events(&frames(&[&[START], ends.as_slice()].concat())).unwrap();
        checks::assert_well_formed(&events);
        let told = said(&written(&events, context(Dialect::Anthropic)));
        assert_eq!(told.iter().filter(|(name, _)| name == "message_stop").count(), 1);
    }
}

/// Pitfall 1.
#[test]
fn an_input_at_the_start_counts_only_where_no_fragment_comes() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{"a":1}}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"b\":2}"}}"#;
    let args = |stream: &[&str]| {
        let events = events(&frames(stream)).unwrap();
        checks::assert_well_formed(&events);
        let reply = checks::assembled(&events);
        assert_eq!(reply.choices[0].finish, Finish::ToolUse);
        match &reply.choices[0].parts[0].kind {
            PartKind::ToolCall(ToolCall { args: Args::Json(args), .. }) => args.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(args(&[START, start, STOP]), r#"{"a":1}"#, "the block's stop was left out, too");
    assert_eq!(args(&[START, start, delta, STOP]), r#"{"b":2}"#);
}

#[test]
fn half_a_character_does_not_end_a_stream() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83d"}}"#;
    let odd = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}"#;
    let reply = checks::assembled(&events(&frames(&[START, start, delta, odd, STOP])).unwrap());
    assert_eq!(reply.choices[0].parts[0].as_text(), Some("a\u{fffd}"));
    assert!(events(&frames(&[START, "{\"type\":"])).is_err());
}

#[test]
fn only_the_last_signature_of_a_block_counts() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#;
    let sign = |text: &str| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{text}"}}}}"#
        )
    };
    let events = events(&frames(&[START, start, &sign("one"), &sign("two"), STOP])).unwrap();
    let states = events.iter().filter(|event| matches!(event, Event::State { .. })).count();
    assert_eq!(states, 1);
    assert!(format!("{events:?}").contains("two"));
}

#[test]
fn citations_pass_through_a_stream() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":[]}}"#;
    let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    let cite = r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://x","title":"X","cited_text":"a","encrypted_index":"e"}}}"#;
    let read = events(&frames(&[START, start, text, cite, STOP])).unwrap();
    checks::assert_well_formed(&read);
    let reply = checks::assembled(&read);
    let PartKind::Text { citations, .. } = &reply.choices[0].parts[0].kind else { panic!() };
    assert_eq!(citations[0].url.as_deref(), Some("https://x"));
    let again = checks::assembled(&events(&written(&read, context(Dialect::Anthropic))).unwrap());
    assert_eq!(again.choices, reply.choices);
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_gives_the_same_stream(at in any::<prop::sample::Index>(), cuts in prop::collection::vec(any::<usize>(), 0..20)) {
        let names = whole();
        let stream = fixtures::read(&format!("anthropic/{}", at.get(&names)));
        let run = |chunks: &[&[u8]]| {
            let context = Arc::new(context(Dialect::Anthropic));
            let mut translator = StreamTranslator::new(Framing::Sse, context);
            let mut out = Vec::new();
            for chunk in chunks {
                translator.feed(chunk, &mut out).unwrap();
            }
            translator.finish(&mut out).unwrap();
            out
        };
        prop_assert_eq!(run(&fixtures::chunks(&stream, &cuts)), run(&[&stream]));
    }

    #[test]
    fn no_bytes_break_the_readers(at in any::<prop::sample::Index>(), place in any::<usize>(), byte in any::<u8>()) {
        let names = fixtures::names("anthropic", "");
        let mut bytes = fixtures::read(&format!("anthropic/{}", at.get(&names)));
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(events) = events(&bytes) {
            checks::assert_well_formed(&events);
            written(&events, context(Dialect::Gemini));
        }
        _ = super::super::decode_reply(&bytes);
        if let Ok(request) = decode_request(OWN, &bytes, "m", false) {
            _ = encode_request(&request, &to().target("asked"));
        }
    }
}
