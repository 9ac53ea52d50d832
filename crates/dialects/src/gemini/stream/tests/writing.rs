//! Streams for a client, from events of other providers.

use super::*;

fn open(block: u32, kind: BlockKind<'static>) -> Event<'static> {
    Event::Open { choice: 0, block, kind }
}

fn delta(block: u32, text: &'static str) -> Event<'static> {
    Event::Delta { choice: 0, block, text: Cow::Borrowed(text) }
}

fn close(block: u32) -> Event<'static> {
    Event::Close { choice: 0, block }
}

fn tool(id: &'static str) -> BlockKind<'static> {
    BlockKind::ToolCall { id: Cow::Borrowed(id), name: Cow::Borrowed("f"), free: false }
}

fn told(block: u32, state: State) -> Event<'static> {
    Event::State { choice: 0, block, state: Opaque::Native(state) }
}

fn written(inner: Vec<Event<'static>>, finish: Finish, upstream: Dialect) -> Vec<Value> {
    let mut events = vec![Event::Start { id: None, model: None, created: None }];
    events.extend(inner);
    events.extend([Event::Finish { choice: 0, finish }, Event::End]);
    assert_well_formed(&events);
    chunks(&stream(&events, context(upstream, Framing::Sse)))
}

fn part(chunk: &Value) -> &Value {
    &chunk["candidates"][0]["content"]["parts"][0]
}

#[test]
fn text_comes_as_it_is_said_and_the_end_with_the_counts_last() {
    let usage = TokenUsage { input: 3, output: 2, ..TokenUsage::default() };
    let chunks = written(
        vec![open(0, BlockKind::Text), delta(0, "a"), delta(0, "b"), close(0), Event::Usage(usage)],
        Finish::End,
        Dialect::OpenAiChat,
    );
    assert_eq!(chunks.len(), 3);
    assert_eq!((&part(&chunks[0])["text"], &part(&chunks[1])["text"]), (&json!("a"), &json!("b")));
    let last = &chunks[2];
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["candidates"][0]["content"]["parts"], json!([{"text": ""}]));
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 5);
    for chunk in &chunks {
        assert_eq!(chunk["modelVersion"], "asked");
        assert_eq!(chunk["responseId"], chunks[0]["responseId"]);
    }
}

#[test]
fn calls_come_whole_though_their_arguments_came_in_pieces_and_side_by_side() {
    let chunks = written(
        vec![
            open(0, tool("a")),
            open(1, tool("b")),
            delta(0, "{\"x\""),
            delta(1, " { } "),
            delta(0, ": 1}"),
            close(1),
            close(0),
            open(2, tool("c")),
            close(2),
        ],
        Finish::ToolUse,
        Dialect::OpenAiResponses,
    );
    let calls: Vec<_> = chunks[..3].iter().map(|chunk| part(chunk)["functionCall"].clone()).collect();
    assert_eq!(calls[0], json!({"id": "b", "name": "f", "args": {}}));
    assert_eq!(calls[1], json!({"id": "a", "name": "f", "args": {"x": 1}}));
    assert_eq!(calls[2], json!({"id": "c", "name": "f", "args": {}}), "no arguments are an empty object");
    assert_eq!(chunks[3]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_call_that_is_no_json_ends_the_answer_as_malformed_unless_it_was_cut_off() {
    for (finish, reason) in [(Finish::ToolUse, "MALFORMED_FUNCTION_CALL"), (Finish::MaxTokens, "MAX_TOKENS")]
    {
        let chunks =
            written(vec![open(0, tool("a")), delta(0, "{\"x\""), close(0)], finish, Dialect::OpenAiChat);
        assert_eq!(chunks.len(), 1, "no call is written");
        assert_eq!(chunks[0]["candidates"][0]["finishReason"], reason);
    }
}

#[test]
fn the_state_of_thoughts_rides_on_the_part_after_them() {
    let state = State::native(Dialect::Anthropic, "sig");
    let thought = BlockKind::Reasoning(ReasoningForm::Summary);
    let chunks = written(
        vec![
            open(0, thought),
            delta(0, "a thou"),
            delta(0, "ght"),
            told(0, state.clone()),
            close(0),
            open(1, BlockKind::Text),
            delta(1, "so"),
            delta(1, "!"),
            close(1),
        ],
        Finish::End,
        Dialect::Anthropic,
    );
    assert_eq!(part(&chunks[0]), &json!({"text": "a thou", "thought": true}));
    let opened = sealer().open(part(&chunks[2])["thoughtSignature"].as_str().unwrap()).unwrap();
    assert_eq!((opened.payload.as_str(), opened.text.as_deref()), ("sig", Some("a thought")));
    assert_eq!(part(&chunks[3]), &json!({"text": "!"}), "once");
}

#[test]
fn states_that_find_no_part_ride_on_empty_texts() {
    let hidden = || BlockKind::Reasoning(ReasoningForm::Hidden);
    let state = |payload: &str| State { redacted: true, ..State::native(Dialect::Anthropic, payload) };
    let chunks = written(
        vec![
            open(0, hidden()),
            told(0, state("1")),
            close(0),
            open(1, hidden()),
            told(1, state("2")),
            close(1),
        ],
        Finish::End,
        Dialect::Anthropic,
    );
    let payloads: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            assert_eq!(part(chunk)["text"], "");
            sealer().open(part(chunk)["thoughtSignature"].as_str().unwrap()).unwrap()
        })
        .map(|state| (state.redacted, state.payload))
        .collect();
    assert_eq!(payloads, [(true, "1".to_owned()), (true, "2".to_owned())]);
}

#[test]
fn a_call_with_a_signature_of_its_own_gets_that_and_not_the_thoughts() {
    let chunks = written(
        vec![
            open(0, BlockKind::Reasoning(ReasoningForm::Hidden)),
            told(0, State::native(Dialect::OpenAiChat, "thoughts")),
            close(0),
            open(1, tool("a")),
            delta(1, "{}"),
            told(1, State::native(Dialect::OpenAiChat, "call")),
            close(1),
        ],
        Finish::ToolUse,
        Dialect::OpenAiChat,
    );
    let opened = |at: usize| sealer().open(part(&chunks[at])["thoughtSignature"].as_str().unwrap()).unwrap();
    assert_eq!((opened(0).payload.as_str(), opened(0).place), ("thoughts", Place::Here));
    assert_eq!((opened(1).payload.as_str(), opened(1).place), ("call", Place::Next));
}

#[test]
fn a_blocked_prompt_has_no_candidate() {
    let finish = Finish::ContentFilter { native: Some((Dialect::Gemini, "promptFeedback.SAFETY".into())) };
    let chunks = written(vec![], finish, Dialect::Gemini);
    assert_eq!(chunks[0]["promptFeedback"], json!({"blockReason": "SAFETY"}));
    assert_eq!(chunks[0].get("candidates"), None);
}

#[test]
fn citations_come_with_the_end() {
    let citation = Citation {
        url: Some("https://x.example".into()),
        title: None,
        text: None,
        start: Some(0),
        end: Some(2),
        raw: None,
    };
    let chunks = written(
        vec![
            open(0, BlockKind::Text),
            delta(0, "so"),
            Event::Cite { choice: 0, block: 0, citation: Box::new(citation) },
            close(0),
        ],
        Finish::End,
        Dialect::Anthropic,
    );
    let expected = json!({"citations": [{"startIndex": 0, "endIndex": 2, "uri": "https://x.example"}]});
    assert_eq!(chunks[1]["candidates"][0]["citationMetadata"], expected);
}

#[test]
fn an_array_is_opened_joined_and_closed_and_says_where_it_stands() {
    let context = std::sync::Arc::new(context(Dialect::OpenAiChat, Framing::JsonArray));
    let mut encoder = super::super::StreamEncoder::new(context);
    let mut out = Vec::new();
    let mut write = |encoder: &mut super::super::StreamEncoder, events: &[Event<'static>]| {
        events.iter().for_each(|event| encoder.event(event, &mut out));
        encoder.state().array
    };
    let start = Event::Start { id: None, model: None, created: None };
    assert_eq!(write(&mut encoder, &[start, open(0, BlockKind::Text)]), ArrayPosition::Unopened);
    assert_eq!(write(&mut encoder, &[delta(0, "a"), delta(0, "b")]), ArrayPosition::AfterElement);
    let finish = Event::Finish { choice: 0, finish: Finish::End };
    assert_eq!(write(&mut encoder, &[close(0), finish, Event::End]), ArrayPosition::Closed);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("[{") && text.ends_with("}]") && text.contains("},\r\n{"), "{text}");
    let elements: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(elements.len(), 3);
}
