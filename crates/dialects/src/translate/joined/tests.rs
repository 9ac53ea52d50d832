use super::*;
use crate::{
    framing::Framing,
    scene,
    translate::{StreamTranslator, decode_reply},
};
use cliproxy_domain::Dialect;
use serde_json::{Value, json};
use std::sync::Arc;

fn text_part(words: &str, finish: Finish) -> Vec<Event<'static>> {
    let usage = TokenUsage { input: 10, output: 2, ..TokenUsage::default() };
    vec![
        Event::Start { id: None, model: None, created: None },
        Event::Open { choice: 0, block: 0, kind: BlockKind::Text },
        Event::Delta { choice: 0, block: 0, text: words.to_owned().into() },
        Event::Close { choice: 0, block: 0 },
        Event::Usage(usage),
        Event::Finish { choice: 0, finish },
        Event::End,
    ]
}

fn pause(token: &str) -> Finish {
    Finish::Pause { token: Some(token.to_owned()) }
}

fn played(joined: &mut Joined, events: Vec<Event<'static>>) -> Vec<String> {
    let mut out = Vec::new();
    for event in events {
        joined.event(event, &mut |event| out.push(format!("{event:?}")));
    }
    out
}

#[test]
fn parts_are_one_answer_with_blocks_of_their_own_numbers_and_all_tokens() {
    let mut joined = Joined::default();
    let first = played(&mut joined, text_part("one", pause("t1")));
    assert!(first.iter().all(|event| !event.starts_with("Finish") && event != "End"), "{first:?}");
    assert_eq!(joined.paused(), Some("t1"));
    joined.resume();
    assert_eq!(joined.paused(), None);
    let second = played(&mut joined, text_part("two", Finish::End));
    assert!(second[0].starts_with("Open") && second[0].contains("block: 1"), "no second start: {second:?}");
    assert!(second.iter().any(|event| event.contains("input: 20, output: 4")), "{second:?}");
    assert_eq!(second.last().map(String::as_str), Some("End"));
}

#[test]
fn one_of_several_answers_is_not_resumed() {
    let mut joined = Joined::default();
    let mut events = text_part("one", pause("t"));
    events.insert(1, Event::Open { choice: 1, block: 0, kind: BlockKind::Text });
    let told = played(&mut joined, events);
    assert_eq!((joined.paused(), told.last().map(String::as_str)), (None, Some("End")));
}

#[test]
fn a_provider_that_never_ends_is_not_resumed_for_ever() {
    let mut joined = Joined::default();
    let mut rounds = 0;
    loop {
        let events = played(&mut joined, text_part("more", pause("t")));
        if events.last().map(String::as_str) == Some("End") {
            break;
        }
        joined.resume();
        rounds += 1;
    }
    assert_eq!(rounds, MAX_PARTS);
}

#[test]
fn whole_parts_are_joined_where_the_text_was_cut() {
    let part = |text: &str, finish| Reply {
        id: None,
        model: None,
        created: None,
        choices: vec![Choice { index: 0, parts: vec![Part::text(text)], finish, logprobs: None }],
        usage: Some(TokenUsage { input: 3, output: 1, ..TokenUsage::default() }),
        tier: None,
        fingerprint: None,
    };
    let mut reply = part("Part o", pause("t"));
    assert_eq!(continuation(&reply), Some("t"));
    join(&mut reply, part("ne", Finish::End));
    assert_eq!(continuation(&reply), None);
    assert_eq!(reply.choices[0].parts, [Part::text("Part one")]);
    assert_eq!(reply.usage.map(|usage| usage.input), Some(6));
}

#[test]
fn the_token_is_put_into_the_same_body() {
    let body = continued(br#"{"contents":[]}"#, "a\"b");
    assert_eq!(body, br#"{"continuationToken":"a\"b","contents":[]}"#);
}

/// An answer of Gemini that calls a tool and has no ids, neither of the call nor of itself.
fn nameless_call(token: Option<&str>) -> Value {
    let mut candidate = json!({
        "content": {"parts": [{"functionCall": {"name": "look", "args": {}}}]}, "finishReason": "STOP"
    });
    if let Some(token) = token {
        candidate["finishReason"] = json!("CONTINUATION");
        candidate["continuationToken"] = json!(token);
    }
    json!({"candidates": [candidate]})
}

#[test]
fn calls_of_two_parts_of_a_stream_have_ids_of_their_own() {
    let context = scene::context(Dialect::Gemini, Dialect::OpenAiChat);
    let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(context));
    let mut out = Vec::new();
    for token in [Some("t1"), Some("t2"), None] {
        let part = format!("data: {}\r\n\r\n", nameless_call(token));
        translator.feed(part.as_bytes(), &mut out).unwrap();
        translator.finish(&mut out).unwrap();
        assert_eq!(translator.paused(), token);
        if token.is_some() {
            translator.resume(Framing::Sse, 0);
        }
    }
    let ids = ids_of(std::str::from_utf8(&out).unwrap().split("\"id\":\"call_").skip(1));
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn calls_of_two_whole_parts_have_ids_of_their_own() {
    let mut reply = decode_reply(Dialect::Gemini, nameless_call(Some("t1")).to_string().as_bytes()).unwrap();
    let next = decode_reply(Dialect::Gemini, nameless_call(Some("t1")).to_string().as_bytes()).unwrap();
    join(&mut reply, next.clone());
    join(&mut reply, next);
    let ids = ids_of(reply.choices[0].parts.iter().map(|part| match &part.kind {
        PartKind::ToolCall(call) => call.id.as_str(),
        other => panic!("{other:?}"),
    }));
    assert_eq!(ids.len(), 3, "{ids:?}");
}

/// Gives what begins each text, up to a quote, without repetitions.
fn ids_of<'t>(texts: impl Iterator<Item = &'t str>) -> BTreeSet<&'t str> {
    texts.map(|text| text.split('"').next().unwrap()).collect()
}
