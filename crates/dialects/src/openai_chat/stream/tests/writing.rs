use crate::{
    form::{BlockKind, Citation, Event, Finish, Opaque, Place, ReasoningForm, State},
    openai_chat::{
        pocket::Pocket,
        testing::{chunks, context, data, deltas, write_stream},
    },
    scene::sealer,
    translate::ReplyContext,
};
use cliproxy_domain::{Dialect, TokenUsage};
use serde_json::{Value, json};

const TEXT: BlockKind<'static> = BlockKind::Text;
const THOUGHT: BlockKind<'static> = BlockKind::Reasoning(ReasoningForm::Summary);

fn tool(id: &'static str) -> BlockKind<'static> {
    BlockKind::ToolCall { id: id.into(), name: "f".into(), free: false }
}

fn open(block: u32, kind: BlockKind<'static>) -> Event<'static> {
    Event::Open { choice: 0, block, kind }
}

fn delta(block: u32, text: &'static str) -> Event<'static> {
    Event::Delta { choice: 0, block, text: text.into() }
}

fn close(block: u32) -> Event<'static> {
    Event::Close { choice: 0, block }
}

fn signed(block: u32, dialect: Dialect, payload: &str) -> Event<'static> {
    Event::State { choice: 0, block, state: Opaque::Native(State::native(dialect, payload)) }
}

/// A whole answer of these blocks.
fn answer(blocks: Vec<Event<'static>>, finish: Finish) -> Vec<Event<'static>> {
    let mut events = vec![Event::Start { id: None, model: None, created: Some(5) }];
    events.extend(blocks);
    events.extend([Event::Finish { choice: 0, finish }, Event::End]);
    events
}

/// What the official accumulator makes of the calls of a stream.
fn accumulated(deltas: &[Value]) -> Vec<Value> {
    let mut calls: Vec<Value> = Vec::new();
    for fragment in deltas.iter().filter_map(|delta| delta["tool_calls"].as_array()).flatten() {
        let index = usize::try_from(fragment["index"].as_u64().unwrap()).unwrap();
        assert!(index <= calls.len(), "indexes are dense: {fragment}");
        if index == calls.len() {
            calls.push(json!({}));
        }
        add(&mut calls[index], fragment);
    }
    calls
}

/// Adds as the official client does: texts are put together, numbers but the index are added up.
fn add(known: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match (&mut known[name], value) {
            (Value::Null, value) => known[name] = value.clone(),
            (Value::String(text), Value::String(more)) if name != "type" => text.push_str(more),
            (inner @ Value::Object(_), value) => add(inner, value),
            _ => assert!(name == "index" || name == "type", "{name} comes twice"),
        }
    }
}

#[test]
fn the_role_is_said_once_and_usage_comes_last() {
    let usage = |output| Event::Usage(TokenUsage { input: 3, output, ..TokenUsage::default() });
    let blocks = vec![usage(0), open(0, TEXT), delta(0, "a"), delta(0, "b"), close(0), usage(2)];
    let stream = write_stream(&answer(blocks, Finish::End), context(Dialect::Anthropic));
    assert!(stream.ends_with("data: [DONE]\n\n"));
    let chunks = chunks(&stream);
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(stream.matches("role").count(), 1);
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(5)));
    for chunk in others {
        assert_eq!(chunk.get("usage"), Some(&Value::Null), "{chunk}");
        assert_eq!(
            (&chunk["id"], &chunk["model"], &chunk["created"]),
            (&last["id"], &json!("asked"), &json!(5))
        );
        assert_eq!(chunk["object"], "chat.completion.chunk");
    }
    assert_eq!(
        others[others.len() - 1]["choices"][0],
        json!({
            "index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"
        })
    );
}

#[test]
fn usage_goes_only_to_those_who_asked() {
    let usage = Event::Usage(TokenUsage { input: 3, ..TokenUsage::default() });
    let quiet = ReplyContext { stream_usage: false, ..context(Dialect::Anthropic) };
    assert!(!write_stream(&answer(vec![usage], Finish::End), quiet).contains("usage"));
    let none = write_stream(&answer(vec![], Finish::End), context(Dialect::Anthropic));
    assert!(chunks(&none).iter().all(|chunk| chunk["usage"].is_null()), "nobody reported any");
}

#[test]
fn calls_are_numbered_by_themselves_whatever_came_before() {
    let blocks = vec![
        open(0, TEXT),
        delta(0, "So."),
        close(0),
        open(1, tool("a")),
        delta(1, "{\"a\""),
        delta(1, ":1}"),
        close(1),
        open(2, tool("b")),
        close(2),
    ];
    let stream = write_stream(&answer(blocks, Finish::ToolUse), context(Dialect::Anthropic));
    let function = |arguments: &str| json!({"name": "f", "arguments": arguments});
    assert_eq!(
        accumulated(&deltas(&stream)),
        [
            json!({"index": 0, "id": "a", "type": "function", "function": function("{\"a\":1}")}),
            json!({"index": 1, "id": "b", "type": "function", "function": function("{}")}),
        ]
    );
    assert!(stream.contains("\"finish_reason\":\"tool_calls\""));
}

#[test]
fn calls_that_come_in_turns_do_not_mix() {
    let blocks = vec![
        open(0, tool("a")),
        open(1, tool("b")),
        delta(1, "[1"),
        delta(0, "{"),
        delta(1, "]"),
        close(1),
        delta(0, "}"),
        close(0),
    ];
    let stream = write_stream(&answer(blocks, Finish::ToolUse), context(Dialect::OpenAiResponses));
    let calls = accumulated(&deltas(&stream));
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["arguments"]),
        (&json!("{}"), &json!("[1]"))
    );
}

#[test]
fn free_form_calls_are_custom_calls() {
    let kind = BlockKind::ToolCall { id: "a".into(), name: "sql".into(), free: true };
    let blocks = vec![open(0, kind), delta(0, "select "), delta(0, "1;"), close(0)];
    let stream = write_stream(&answer(blocks, Finish::ToolUse), context(Dialect::OpenAiResponses));
    let custom = json!({"name": "sql", "input": "select 1;"});
    let expected = json!({"index": 0, "id": "a", "type": "custom", "custom": custom});
    assert_eq!(accumulated(&deltas(&stream)), [expected]);
}

#[test]
fn reasoning_is_shown_to_those_who_asked_for_it() {
    let blocks = || {
        vec![
            open(0, THOUGHT),
            delta(0, "Hm."),
            close(0),
            open(1, THOUGHT),
            delta(1, "So"),
            delta(1, "."),
            close(1),
        ]
    };
    let stream = write_stream(&answer(blocks(), Finish::End), context(Dialect::Anthropic));
    assert!(!stream.contains("reasoning"));
    let shown = ReplyContext { shows_reasoning: true, ..context(Dialect::Anthropic) };
    let stream = write_stream(&answer(blocks(), Finish::End), shown);
    let deltas = deltas(&stream);
    let text: String = deltas.iter().filter_map(|delta| delta["reasoning_content"].as_str()).collect();
    assert_eq!(text, "Hm.\n\nSo.");
}

#[test]
fn signed_reasoning_travels_on_the_next_call() {
    let ant = Dialect::Anthropic;
    let blocks = vec![
        open(0, THOUGHT),
        delta(0, "Hm."),
        signed(0, ant, "one"),
        close(0),
        open(1, TEXT),
        delta(1, "So."),
        close(1),
        open(2, THOUGHT),
        signed(2, ant, "two"),
        close(2),
        open(3, tool("a")),
        close(3),
        open(4, tool("b")),
        close(4),
    ];
    let calls = accumulated(&deltas(&write_stream(&answer(blocks, Finish::ToolUse), context(ant))));
    let signature = calls[0]["extra_content"]["google"]["thought_signature"].as_str().unwrap();
    let pocket = Pocket::read(signature).unwrap();
    let opened = |envelopes: &[String]| sealer().open(&envelopes[0]).unwrap();
    let (before_text, before_call) = (opened(&pocket.before_text), opened(&pocket.before_call));
    assert_eq!((before_text.text.as_deref(), before_text.payload.as_str()), (Some("Hm."), "one"));
    assert_eq!((before_call.text, before_call.place), (None, Place::Here));
    assert_eq!(calls[1].get("extra_content"), None);
}

#[test]
fn a_signature_of_a_call_stands_where_the_call_begins() {
    let gemini = Dialect::Gemini;
    let blocks = vec![
        open(0, tool("a")),
        delta(0, "{\"a\":1}"),
        signed(0, gemini, "c2ln"),
        close(0),
        open(1, tool("b")),
        close(1),
    ];
    let deltas = deltas(&write_stream(&answer(blocks, Finish::ToolUse), context(gemini)));
    let first = &deltas[1]["tool_calls"][0];
    let signature = first["extra_content"]["google"]["thought_signature"].as_str().unwrap();
    let state = sealer().open(signature).unwrap();
    assert_eq!((first["id"].as_str(), state.payload.as_str(), state.place), (Some("a"), "c2ln", Place::Next));
    let calls = accumulated(&deltas);
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["arguments"]),
        (&json!("{\"a\":1}"), &json!("{}"))
    );
}

#[test]
fn citations_come_in_one_list_before_the_end() {
    let cite = |url: Option<&str>| {
        let citation = Citation {
            url: url.map(str::to_owned),
            title: None,
            text: None,
            start: None,
            end: None,
            raw: None,
        };
        Event::Cite { choice: 0, block: 0, citation: Box::new(citation) }
    };
    let blocks = vec![
        open(0, TEXT),
        delta(0, "a"),
        cite(Some("https://x")),
        cite(None),
        cite(Some("https://y")),
        close(0),
    ];
    let deltas = deltas(&write_stream(&answer(blocks, Finish::End), context(Dialect::Anthropic)));
    let lists: Vec<&Value> = deltas.iter().filter_map(|delta| delta.get("annotations")).collect();
    assert_eq!(lists.len(), 1, "the official client takes no second list");
    assert_eq!(lists[0].as_array().unwrap().len(), 2);
}

#[test]
fn a_refusal_says_why_and_is_no_error() {
    let finish = Finish::Refusal { category: None, explanation: Some("Not this.".into()) };
    let stream = write_stream(&answer(vec![], finish), context(Dialect::Anthropic));
    let deltas = deltas(&stream);
    assert_eq!(deltas[1], json!({"refusal": "Not this."}));
    assert!(stream.contains("\"finish_reason\":\"content_filter\""));
}

#[test]
fn choices_keep_their_indexes_and_count_their_calls_each() {
    let of = |choice: u32, event: Event<'static>| match event {
        Event::Open { block, kind, .. } => Event::Open { choice, block, kind },
        Event::Close { block, .. } => Event::Close { choice, block },
        other => other,
    };
    let mut events = vec![Event::Start { id: None, model: None, created: None }];
    for choice in [0, 1] {
        events.extend([of(choice, open(0, tool("a"))), of(choice, close(0))]);
    }
    let finish = |choice| Event::Finish { choice, finish: Finish::ToolUse };
    events.extend([finish(0), finish(1), Event::End]);
    let stream = write_stream(&events, context(Dialect::Gemini));
    let of_choice = |index: u64| -> Vec<Value> {
        let chunks = chunks(&stream).into_iter().filter(|chunk| chunk["choices"][0]["index"] == index);
        chunks.map(|chunk| chunk["choices"][0]["delta"].clone()).collect()
    };
    for index in [0, 1] {
        assert_eq!(of_choice(index)[0]["role"], "assistant");
        assert_eq!(accumulated(&of_choice(index)).len(), 1);
    }
}

#[test]
fn every_event_is_whole_and_nothing_but_data() {
    let blocks = vec![open(0, TEXT), delta(0, "a\n\nb\u{2028}"), close(0)];
    let stream = write_stream(&answer(blocks, Finish::End), context(Dialect::Anthropic));
    assert_eq!(data(&stream).filter(|data| *data == "[DONE]").count(), 1);
    assert_eq!(deltas(&stream)[1]["content"], "a\n\nb\u{2028}");
}
