use super::*;
use crate::form::{BlockKind, Finish, Opaque, Place, ReasoningForm, State};
use cliproxy_domain::TokenUsage;
use serde_json::json;

const START: Event<'static> = Event::Start { id: None, model: None, created: None };

fn open(block: u32, kind: BlockKind<'static>) -> Event<'static> {
    Event::Open { choice: 0, block, kind }
}

fn tool(id: &'static str) -> BlockKind<'static> {
    BlockKind::ToolCall { id: id.into(), name: "look".into(), free: false }
}

fn delta(block: u32, text: &'static str) -> Event<'static> {
    Event::Delta { choice: 0, block, text: text.into() }
}

fn state(block: u32, dialect: Dialect) -> Event<'static> {
    Event::State { choice: 0, block, state: Opaque::Native(State::native(dialect, "payload")) }
}

fn close(block: u32) -> Event<'static> {
    Event::Close { choice: 0, block }
}

/// Writes a whole answer of `blocks` and gives its content blocks, assembled as the official SDK does: dense
/// indexes, one block at a time.
fn content(blocks: &[Event<'static>], upstream: Dialect) -> Vec<Value> {
    let mut events = vec![START];
    events.extend_from_slice(blocks);
    events.extend([Event::Finish { choice: 0, finish: Finish::ToolUse }, Event::End]);
    assembled(&written(&events, context(upstream)))
}

fn assembled(stream: &[u8]) -> Vec<Value> {
    let mut content: Vec<Value> = Vec::new();
    let mut open = false;
    for (name, data) in said(stream) {
        match name.as_str() {
            "content_block_start" => {
                assert!(!open, "one block at a time");
                assert_eq!(data["index"], content.len());
                content.push(data["content_block"].clone());
                open = true;
            }
            "content_block_delta" => {
                assert!(open && data["index"] == content.len() - 1);
                let block = content.last_mut().unwrap();
                let (field, delta) = match data["delta"]["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "signature"),
                    "input_json_delta" => ("json", "partial_json"),
                    other => panic!("{other}"),
                };
                let more = data["delta"][delta].as_str().unwrap();
                assert!(!more.is_empty() || field == "signature", "pitfall 3: empty deltas");
                let text = block.get(field).and_then(Value::as_str).unwrap_or_default().to_owned() + more;
                block[field] = json!(text);
            }
            "content_block_stop" => {
                assert!(open && data["index"] == content.len() - 1);
                open = false;
            }
            _ => assert!(!open || name == "message_start", "{name} within a block"),
        }
    }
    content
}

#[test]
fn blocks_that_are_filled_at_once_come_one_after_the_other() {
    let content = content(
        &[
            open(0, BlockKind::Text),
            delta(0, "a"),
            open(1, tool("c1")),
            open(2, tool("c2")),
            delta(2, "{\"x\":"),
            delta(1, "{}"),
            delta(0, "b"),
            delta(2, "1}"),
            close(2),
            close(0),
            close(1),
        ],
        Dialect::OpenAiResponses,
    );
    let expected = json!([
        {"type": "text", "text": "ab"},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {}, "json": "{}"},
        {"type": "tool_use", "id": "c2", "name": "look", "input": {}, "json": "{\"x\":1}"}
    ]);
    assert_eq!(Value::from(content), expected);
}

#[test]
fn what_is_open_is_told_as_it_comes() {
    let mut encoder = super::super::StreamEncoder::new(context(Dialect::OpenAiChat).into());
    let mut lengths = Vec::new();
    let mut out = Vec::new();
    for event in [START, open(0, tool("c1")), delta(0, "{\"a\""), delta(0, ":1}")] {
        encoder.event(&event, &mut out);
        lengths.push(out.len());
    }
    assert!(lengths[0] > 0, "the start waits for nothing");
    assert!(lengths[1] < lengths[2] && lengths[2] < lengths[3], "arguments wait for nothing: {lengths:?}");
}

/// Pitfalls 3 and 31.
#[test]
fn a_block_of_nothing_is_none() {
    let reasoning = |form| BlockKind::Reasoning(form);
    let content = content(
        &[
            open(0, BlockKind::Text),
            close(0),
            open(1, reasoning(ReasoningForm::Summary)),
            close(1),
            open(2, reasoning(ReasoningForm::Hidden)),
            close(2),
            open(3, tool("c1")),
            close(3),
        ],
        Dialect::OpenAiChat,
    );
    assert_eq!(content, [json!({"type": "tool_use", "id": "c1", "name": "look", "input": {}})]);
}

/// Pitfall 4.
#[test]
fn thoughts_without_a_signature_make_a_whole_block() {
    let kind = BlockKind::Reasoning(ReasoningForm::Raw);
    let content = content(&[open(0, kind), delta(0, "t"), close(0)], Dialect::OpenAiChat);
    assert_eq!(content, [json!({"type": "thinking", "thinking": "t", "signature": ""})]);
}

fn place(block: &Value, field: &str) -> Place {
    sealer().open(block[field].as_str().unwrap()).unwrap().place
}

#[test]
fn a_signature_on_a_call_comes_before_the_call_wherever_it_stood() {
    for order in [[state(0, Dialect::Gemini), delta(0, "{}")], [delta(0, "{}"), state(0, Dialect::Gemini)]] {
        let [first, second] = order;
        let content = content(&[open(0, tool("c1")), first, second, close(0)], Dialect::Gemini);
        assert_eq!((&content[0]["type"], &content[0]["thinking"]), (&json!("thinking"), &json!("")));
        assert_eq!(place(&content[0], "signature"), Place::Next);
        assert_eq!((content[1]["json"].as_str(), content.len()), (Some("{}"), 2));
    }
}

#[test]
fn a_signature_on_text_comes_after_the_text_unless_that_is_the_last_block() {
    let text = [open(0, BlockKind::Text), delta(0, "a"), state(0, Dialect::Gemini), close(0)];
    let alone = content(&text, Dialect::Gemini);
    assert_eq!(alone, [json!({"type": "text", "text": "a"})], "clients take the last block for the result");
    let call = [open(1, tool("c1")), delta(1, "{}"), close(1)];
    let followed = content(&[text.as_slice(), &call].concat(), Dialect::Gemini);
    assert_eq!(place(&followed[1], "signature"), Place::Previous);
    assert_eq!((&followed[2]["type"], followed.len()), (&json!("tool_use"), 3));
}

#[test]
fn hidden_reasoning_is_redacted_thinking_and_shown_reasoning_is_signed() {
    let responses = Dialect::OpenAiResponses;
    let kind = || BlockKind::Reasoning(ReasoningForm::Summary);
    let content = content(
        &[
            open(0, kind()),
            state(0, responses),
            close(0),
            open(1, kind()),
            delta(1, "t"),
            state(1, responses),
            close(1),
        ],
        responses,
    );
    assert_eq!(content[0]["type"], "redacted_thinking");
    assert_eq!(place(&content[0], "data"), Place::Here);
    assert_eq!((&content[1]["type"], &content[1]["thinking"]), (&json!("thinking"), &json!("t")));
    assert_eq!(place(&content[1], "signature"), Place::Here);
}

#[test]
fn free_input_is_told_as_an_object() {
    let kind = BlockKind::ToolCall { id: "c1".into(), name: "sql".into(), free: true };
    let content = content(
        &[open(0, kind), delta(0, "say \"é\n"), delta(0, "\\\""), close(0)],
        Dialect::OpenAiResponses,
    );
    let input: Value = serde_json::from_str(content[0]["json"].as_str().unwrap()).unwrap();
    assert_eq!(input, json!({"input": "say \"é\n\\\""}));
}

#[test]
fn counts_that_come_last_correct_the_estimate_at_the_start() {
    let usage = TokenUsage { input: 30, output: 4, cache_read: 10, ..TokenUsage::default() };
    let events = [START, Event::Usage(usage), Event::Finish { choice: 0, finish: Finish::End }, Event::End];
    let said = said(&written(&events, context(Dialect::OpenAiChat)));
    assert_eq!(said[0].1["message"]["usage"]["input_tokens"], 9);
    let last = &said[said.len() - 2].1["usage"];
    let expected = json!({
        "input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 10, "output_tokens": 4
    });
    assert_eq!(last, &expected);
}

#[test]
fn other_choices_and_log_probabilities_have_no_room() {
    let other = |event: Event<'static>| match event {
        Event::Open { block, kind, .. } => Event::Open { choice: 1, block, kind },
        Event::Delta { block, text, .. } => Event::Delta { choice: 1, block, text },
        Event::Close { block, .. } => Event::Close { choice: 1, block },
        other => other,
    };
    let content = content(
        &[
            open(0, BlockKind::Text),
            other(open(0, BlockKind::Text)),
            other(delta(0, "no")),
            delta(0, "yes"),
            Event::Logprobs { choice: 0, content: Vec::new() },
            other(close(0)),
            close(0),
        ],
        Dialect::OpenAiChat,
    );
    assert_eq!(content, [json!({"type": "text", "text": "yes"})]);
}
