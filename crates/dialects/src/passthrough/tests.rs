use super::*;
use crate::fixtures::{self, Fixture, chunks};
use proptest::prelude::*;
use std::sync::LazyLock;

mod ending;
mod events;
mod pitfalls;

fn framing(fixture: &Fixture) -> Framing {
    if fixture.name.ends_with(".json") { Framing::JsonArray } else { Framing::Sse }
}

fn streams() -> &'static [Fixture] {
    static STREAMS: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
        let mut streams = fixtures::all(".stream.sse");
        streams.extend(fixtures::all(".stream.json"));
        streams
    });
    &STREAMS
}

/// All that an observer says of a stream, fed in these chunks.
#[derive(Debug, PartialEq)]
struct Verdict {
    result: Result<(), AttemptError>,
    complete: bool,
    semantic: bool,
    usage: TokenUsage,
    reported: bool,
    response: Option<crate::StartedResponse>,
}

fn observe(dialect: Dialect, framing: Framing, parts: &[&[u8]]) -> Verdict {
    let mut observer = Observer::new(dialect, Operation::Generate, framing);
    let fed = parts.iter().try_for_each(|part| observer.feed(part).map(|_| ()));
    let complete = observer.is_complete();
    Verdict {
        result: fed.and_then(|()| observer.finish()),
        complete,
        semantic: observer.is_semantic(),
        usage: observer.usage(400),
        reported: observer.usage_reported(),
        response: observer.state().response,
    }
}

fn observe_sse(dialect: Dialect, stream: &str) -> Verdict {
    observe(dialect, Framing::Sse, &[stream.as_bytes()])
}

#[test]
fn every_recorded_stream_ends_as_its_name_says() {
    for fixture in streams() {
        let verdict = observe(fixture.dialect, framing(fixture), &[&fixture.bytes]);
        let failure = verdict.result.as_ref().map_err(|error| error.failure);
        let expected = match fixture.name.split_once('/').expect("folder").1 {
            "truncated-eof.stream.sse" => Err(Failure::StreamBroken),
            "failed-midstream.stream.sse" => Err(Failure::Upstream),
            "error-event-midstream.stream.sse" => Err(Failure::RateLimited { retry_after: None }),
            "error-midstream.stream.sse" => Err(match fixture.dialect {
                Dialect::OpenAiChat | Dialect::OpenAiResponses => Failure::Upstream,
                Dialect::Anthropic | Dialect::Gemini => Failure::Overloaded { retry_after: None },
            }),
            _ => Ok(()),
        };
        assert_eq!(failure.copied(), expected, "{}", fixture.name);
        assert_eq!(verdict.complete, expected.is_ok(), "{}", fixture.name);
    }
}

#[test]
fn a_stream_reports_the_usage_of_its_whole_answer() {
    for fixture in streams() {
        let whole =
            fixture.name.replace(".stream.sse", ".response.json").replace(".stream.json", ".response.json");
        if fixture.name == "anthropic/refusal.stream.sse" {
            // Its stream has said a few words before it refuses; the whole answer has not.
            continue;
        }
        let (folder, file) = whole.split_once('/').expect("folder");
        if !fixtures::names(folder, file).contains(&file.to_owned()) {
            continue;
        }
        let reply =
            read_reply(fixture.dialect, Operation::Generate, &fixtures::read(&whole)).expect("an answer");
        let verdict = observe(fixture.dialect, framing(fixture), &[&fixture.bytes]);
        assert_eq!(Some(verdict.usage), reply.usage, "{}", fixture.name);
        assert!(verdict.reported, "{}", fixture.name);
    }
}

/// The events after which the first content was seen, counted from 0.
#[test]
fn the_first_semantic_event_is_the_first_that_carries_content() {
    for (name, expected) in [
        ("openai-chat/text.stream.sse", 1),
        ("openai-chat/thinking-reasoning-content.stream.sse", 1),
        ("openai-chat/tool-single.stream.sse", 0),
        ("openai-responses/text.stream.sse", 4),
        ("openai-responses/tool-single.stream.sse", 2),
        ("openai-responses/tool-custom.stream.sse", 2),
        ("openai-responses/thinking.stream.sse", 2),
        ("openai-responses/forward-compat.stream.sse", 2),
        ("anthropic/text.stream.sse", 3),
        ("anthropic/tool-single.stream.sse", 1),
        ("anthropic/thinking.stream.sse", 1),
        ("anthropic/tool-noargs.stream.sse", 1),
        ("anthropic/forward-compat.stream.sse", 1),
        ("gemini/text.stream.sse", 0),
        ("gemini/prompt-blocked.stream.sse", 0),
    ] {
        let fixture = streams().iter().find(|fixture| fixture.name == name).expect(name);
        let mut observer = Observer::new(fixture.dialect, Operation::Generate, Framing::Sse);
        let mut event = 0;
        for line in fixture.bytes.split_inclusive(|byte| *byte == b'\n') {
            let progress = observer.feed(line).expect("a good stream");
            if progress.semantic {
                break;
            }
            event += usize::from(observer.at_boundary());
        }
        assert_eq!(event, expected, "{name}");
    }
}

#[test]
fn one_byte_at_a_time_shows_the_same() {
    for fixture in streams() {
        let bytes: Vec<&[u8]> = fixture.bytes.chunks(1).collect();
        let whole = observe(fixture.dialect, framing(fixture), &[&fixture.bytes]);
        assert_eq!(observe(fixture.dialect, framing(fixture), &bytes), whole, "{}", fixture.name);
    }
}

#[test]
fn unusual_spacing_shows_the_same() {
    for fixture in fixtures::all(".stream.sse") {
        let text = String::from_utf8(fixture.bytes.clone()).expect("UTF-8");
        let spaced: String = text
            .lines()
            .map(|line| match line.strip_prefix("data: ").map(serde_json::from_str::<serde_json::Value>) {
                Some(Ok(tree)) => format!("data: {}\n", spaced(&tree)),
                _ => format!("{line}\n"),
            })
            .collect();
        let dense = observe(fixture.dialect, Framing::Sse, &[&fixture.bytes]);
        assert_eq!(observe(fixture.dialect, Framing::Sse, &[spaced.as_bytes()]), dense, "{}", fixture.name);
    }
}

/// Writes one line of JSON with a space wherever one is allowed, and keys in alphabetical order.
fn spaced(tree: &serde_json::Value) -> String {
    serde_json::to_string_pretty(tree).expect("JSON").replace('\n', " ").replace("\": ", "\" : ")
}

#[test]
fn an_error_comes_again_until_the_end() {
    let mut observer = Observer::new(Dialect::Anthropic, Operation::Generate, Framing::Sse);
    let error = observer.feed(
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n",
    );
    let error = error.expect_err("an error event");
    assert_eq!(error, AttemptError::new(Failure::Upstream, "no"));
    assert_eq!(
        observer.feed(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        Err(error.clone())
    );
    assert_eq!(observer.finish(), Err(error));
    assert!(!observer.is_complete());
}

#[test]
fn what_comes_before_a_failing_event_may_be_passed_on() {
    let good = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let bad = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    let mut observer = Observer::new(Dialect::OpenAiChat, Operation::Generate, Framing::Sse);
    observer.feed(format!("{good}{bad}").as_bytes()).expect_err("an error event");
    assert!(observer.is_semantic());
    assert_eq!(observer.clean_len(), good.len());
    assert!(observer.state().boundary);

    let mut observer = Observer::new(Dialect::OpenAiChat, Operation::Generate, Framing::Sse);
    observer.feed(&bad.as_bytes()[..9]).expect("nothing known yet");
    assert_eq!(observer.clean_len(), 9);
    observer.feed(&bad.as_bytes()[9..]).expect_err("an error event");
    assert_eq!(observer.clean_len(), 0);
    assert!(!observer.state().boundary, "half of the event was passed on");
}

#[test]
fn a_failed_array_stands_where_its_passed_bytes_end() {
    let mut observer = Observer::new(Dialect::Gemini, Operation::Generate, Framing::JsonArray);
    let chunk = br#"[{"candidates":[]},{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}]"#;
    observer.feed(chunk).expect_err("an error element");
    assert_eq!(&chunk[..observer.clean_len()], br#"[{"candidates":[]},"#);
    assert_eq!(observer.state().array, ArrayPosition::AfterComma);

    let mut observer = Observer::new(Dialect::Gemini, Operation::Generate, Framing::JsonArray);
    observer.feed(br#"[{"candidates":["#).expect("nothing known yet");
    assert_eq!(observer.whole_state().array, ArrayPosition::Opened);
    observer.finish().expect_err("cut");
    assert_eq!(observer.state().array, ArrayPosition::InElement);
    assert_eq!(observer.whole_state().array, ArrayPosition::Opened);
}

#[test]
fn every_recorded_answer_is_read() {
    for fixture in fixtures::all(".response.json") {
        let operation = match fixture.name.split_once('/').expect("folder").1 {
            "count-tokens.response.json" => Operation::CountTokens,
            "embeddings.response.json" => Operation::Embed,
            _ => Operation::Generate,
        };
        let usage = read_reply(fixture.dialect, operation, &fixture.bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", fixture.name))
            .usage;
        match (operation, fixture.dialect) {
            (Operation::CountTokens, _) => assert_eq!(usage, Some(TokenUsage::default()), "{}", fixture.name),
            (Operation::Embed, Dialect::Gemini) => assert_eq!(usage, None),
            (Operation::Embed, _) => {
                assert_eq!(usage, Some(TokenUsage { input: 2, ..TokenUsage::default() }), "{}", fixture.name);
            }
            (Operation::Generate, _) => assert!(usage.expect(&fixture.name).input > 0, "{}", fixture.name),
        }
    }
}

#[test]
fn an_answer_that_is_no_json_object_is_malformed() {
    for body in ["", "[]", "[1,2,3]", "null", "7", "{\"usage\":{}", "<html></html>", "{} {}"] {
        let error = read_reply(Dialect::OpenAiChat, Operation::Generate, body.as_bytes()).expect_err(body);
        assert_eq!(error.failure, Failure::MalformedReply, "{body}");
    }
}

#[test]
fn an_error_with_a_status_of_success_is_an_error() {
    let body = br#"{"error":{"message":"try later","code":429}}"#;
    let error = read_reply(Dialect::OpenAiChat, Operation::Generate, body).expect_err("an error");
    assert_eq!(error, AttemptError::new(Failure::RateLimited { retry_after: None }, "try later"));
    let null = br#"{"error":null,"id":"resp_1","usage":null}"#;
    assert_eq!(
        read_reply(Dialect::OpenAiResponses, Operation::Generate, null),
        Ok(ReplyFacts { usage: None })
    );
}

proptest! {
    #[test]
    fn any_split_shows_the_same(index in any::<prop::sample::Index>(), cuts in proptest::collection::vec(any::<usize>(), 0..30)) {
        let fixture = index.get(streams());
        let whole = observe(fixture.dialect, framing(fixture), &[&fixture.bytes]);
        let split = observe(fixture.dialect, framing(fixture), &chunks(&fixture.bytes, &cuts));
        prop_assert_eq!(split, whole, "{}", &fixture.name);
    }

    #[test]
    fn what_is_whole_ends_between_events_in_any_split(
        index in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
    ) {
        let fixture = index.get(streams());
        let new = || Observer::new(fixture.dialect, Operation::Generate, framing(fixture));
        let (mut observer, mut fed, mut passed) = (new(), 0, 0);
        for chunk in chunks(&fixture.bytes, &cuts) {
            let Ok(progress) = observer.feed(chunk) else { break };
            if progress.whole > 0 {
                passed = fed + progress.whole;
            }
            fed += chunk.len();
            prop_assert_eq!(observer.at_boundary(), passed == fed);
            let mut alone = new();
            alone.feed(&fixture.bytes[..passed]).expect("it was fed before");
            prop_assert!(alone.at_boundary());
            prop_assert_eq!(alone.state(), observer.whole_state());
        }
    }

    #[test]
    fn a_damaged_stream_panics_nowhere_and_splits_alike(
        index in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        let fixture = index.get(streams());
        let mut bytes = fixture.bytes.clone();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini] {
            let whole = observe(dialect, framing(fixture), &[&bytes]);
            prop_assert_eq!(observe(dialect, framing(fixture), &chunks(&bytes, &cuts)), whole);
        }
        let _ = read_reply(fixture.dialect, Operation::Generate, &bytes);
    }
}
