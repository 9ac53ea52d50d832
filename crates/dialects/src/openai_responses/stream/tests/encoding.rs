//! What clients are told.

use super::protocol::assert_official;
use crate::{
    error::{ErrorReply, encode_in_stream},
    form::{BlockKind, Citation, Event, Finish, Opaque, Place, ReasoningForm, State},
    framing::Framing,
    openai_responses::{
        StreamEncoder,
        testing::{context, data_of, stream_of},
    },
    scene::sealer,
};
use cliproxy_domain::{Dialect, ErrorClass};
use serde_json::{Value, json};
use std::sync::Arc;

fn start() -> Event<'static> {
    Event::Start { id: Some("up_1".into()), model: Some("up".into()), created: Some(9) }
}

fn open(block: u32, kind: BlockKind<'static>) -> Event<'static> {
    Event::Open { choice: 0, block, kind }
}

fn call(id: &'static str) -> BlockKind<'static> {
    BlockKind::ToolCall { id: id.into(), name: "f".into(), free: false }
}

fn delta(block: u32, text: &'static str) -> Event<'static> {
    Event::Delta { choice: 0, block, text: text.into() }
}

fn state(block: u32, dialect: Dialect) -> Event<'static> {
    Event::State { choice: 0, block, state: Opaque::Native(State::native(dialect, "c2ln")) }
}

fn close(block: u32) -> Event<'static> {
    Event::Close { choice: 0, block }
}

fn told(upstream: Dialect, content: &[Event<'static>], finish: Finish) -> Vec<Value> {
    let mut events = vec![start()];
    events.extend_from_slice(content);
    events.extend([Event::Finish { choice: 0, finish }, Event::End]);
    let data = data_of(&stream_of(&events, upstream));
    assert_official(&data);
    data
}

fn output(data: &[Value]) -> &Vec<Value> {
    data.last().unwrap()["response"]["output"].as_array().unwrap()
}

fn types(data: &[Value]) -> Vec<&str> {
    output(data).iter().map(|item| item["type"].as_str().unwrap()).collect()
}

#[test]
fn adjacent_texts_share_a_message_and_text_after_a_call_makes_a_new_one() {
    let content = [
        open(0, BlockKind::Text),
        delta(0, "a"),
        close(0),
        open(1, BlockKind::Refusal),
        delta(1, "b"),
        close(1),
        open(2, call("c1")),
        delta(2, "{}"),
        close(2),
        open(3, BlockKind::Text),
        delta(3, "c"),
        close(3),
    ];
    let data = told(Dialect::OpenAiChat, &content, Finish::ToolUse);
    assert_eq!(types(&data), ["message", "function_call", "message"]);
    assert_eq!(output(&data)[0]["content"].as_array().unwrap().len(), 2);
    assert_eq!(data.last().unwrap()["response"]["status"], "completed");
}

#[test]
fn blocks_that_are_open_at_the_same_time_are_items_at_the_same_time() {
    let content = [
        open(0, BlockKind::Text),
        delta(0, "a"),
        open(1, call("c1")),
        delta(1, "{\"a\""),
        open(2, call("c2")),
        delta(2, "{\"b\""),
        delta(0, "b"),
        delta(1, ":1}"),
        delta(2, ":2}"),
        close(2),
        close(0),
        close(1),
    ];
    let data = told(Dialect::OpenAiResponses, &content, Finish::ToolUse);
    assert_eq!(types(&data), ["message", "function_call", "function_call"]);
    assert_eq!(output(&data)[2]["arguments"], "{\"b\":2}");
}

#[test]
fn an_empty_block_makes_no_item() {
    let content = [
        open(0, BlockKind::Text),
        close(0),
        open(1, BlockKind::Reasoning(ReasoningForm::Summary)),
        close(1),
        open(2, call("c1")),
        close(2),
    ];
    let data = told(Dialect::Anthropic, &content, Finish::ToolUse);
    assert_eq!(types(&data), ["function_call"]);
    assert_eq!(output(&data)[0]["arguments"], "{}", "no arguments are an object of none (pitfall 2)");
}

#[test]
fn reasoning_is_told_by_its_form_and_sealed_at_its_end() {
    let content = [
        open(0, BlockKind::Reasoning(ReasoningForm::Summary)),
        delta(0, "a"),
        state(0, Dialect::Anthropic),
        close(0),
        open(1, BlockKind::Reasoning(ReasoningForm::Raw)),
        delta(1, "b"),
        close(1),
        open(2, BlockKind::Reasoning(ReasoningForm::Hidden)),
        state(2, Dialect::Anthropic),
        close(2),
    ];
    let data = told(Dialect::Anthropic, &content, Finish::End);
    let items = output(&data);
    assert_eq!(items[0]["summary"], json!([{"type": "summary_text", "text": "a"}]));
    assert_eq!(items[1]["content"], json!([{"type": "reasoning_text", "text": "b"}]));
    assert_eq!((items[1].get("encrypted_content"), &items[2]["summary"]), (None, &json!([])));
    for item in [&items[0], &items[2]] {
        let opened = sealer().open(item["encrypted_content"].as_str().unwrap()).unwrap();
        assert_eq!((opened.place, opened.payload.as_str()), (Place::Here, "c2ln"));
    }
    let early = data.iter().filter(|event| event["type"] == "response.output_item.added");
    assert!(early.into_iter().all(|event| event["item"].get("encrypted_content").is_none()));
}

#[test]
fn a_signature_on_a_call_stands_before_it_and_one_on_a_text_after_it() {
    let content = [
        open(0, BlockKind::Text),
        delta(0, "a"),
        state(0, Dialect::Gemini),
        close(0),
        open(1, call("c1")),
        delta(1, "{}"),
        state(1, Dialect::Gemini),
        close(1),
    ];
    let data = told(Dialect::Gemini, &content, Finish::ToolUse);
    assert_eq!(types(&data), ["message", "reasoning", "reasoning", "function_call"]);
    let place =
        |at: usize| sealer().open(output(&data)[at]["encrypted_content"].as_str().unwrap()).unwrap().place;
    assert_eq!((place(1), place(2)), (Place::Previous, Place::Next));
}

#[test]
fn a_signature_that_comes_when_its_call_was_announced_stands_after_it() {
    let content = [open(0, call("c1")), delta(0, "{}"), state(0, Dialect::OpenAiChat), close(0)];
    let data = told(Dialect::OpenAiChat, &content, Finish::ToolUse);
    assert_eq!(types(&data), ["function_call", "reasoning"]);
    let sealed = output(&data)[1]["encrypted_content"].as_str().unwrap();
    assert_eq!(sealer().open(sealed).unwrap().place, Place::Previous);
}

#[test]
fn an_answer_that_was_cut_off_says_so_of_its_last_item() {
    let content =
        [open(0, BlockKind::Text), delta(0, "a"), close(0), open(1, call("c")), delta(1, "{\"a"), close(1)];
    let data = told(Dialect::Anthropic, &content, Finish::MaxTokens);
    let last = data.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["incomplete_details"]),
        (&json!("response.incomplete"), &json!({"reason": "max_output_tokens"}))
    );
    assert_eq!(
        (&output(&data)[0]["status"], &output(&data)[1]["status"]),
        (&json!("completed"), &json!("incomplete"))
    );
}

#[test]
fn citations_and_log_probabilities_are_in_the_final_object_too() {
    let citation = Citation {
        url: Some("https://x".into()),
        title: Some("t".into()),
        text: None,
        start: None,
        end: None,
        raw: None,
    };
    let token = json!({"token": "ab", "logprob": -0.1, "bytes": null, "top_logprobs": []});
    let content = [
        open(0, BlockKind::Text),
        delta(0, "ab"),
        Event::Logprobs { choice: 0, content: vec![token.clone()] },
        Event::Cite { choice: 0, block: 0, citation: Box::new(citation) },
        close(0),
    ];
    let data = told(Dialect::OpenAiChat, &content, Finish::End);
    let part = &output(&data)[0]["content"][0];
    assert_eq!((&part["logprobs"], &part["annotations"][0]["end_index"]), (&json!([token]), &json!(2)));
}

#[test]
fn of_several_choices_the_first_is_told() {
    let second = [
        Event::Open { choice: 1, block: 0, kind: BlockKind::Text },
        Event::Delta { choice: 1, block: 0, text: "no".into() },
        Event::Close { choice: 1, block: 0 },
        Event::Finish { choice: 1, finish: Finish::MaxTokens },
    ];
    let data = told(Dialect::OpenAiChat, &second, Finish::End);
    assert_eq!((output(&data).len(), &data.last().unwrap()["type"]), (0, &json!("response.completed")));
}

#[test]
fn the_response_has_our_id_the_clients_model_and_the_providers_time() {
    let data = told(Dialect::Anthropic, &[], Finish::End);
    for event in &data {
        let response = &event["response"];
        assert!(response["id"].as_str().unwrap().starts_with("resp_"));
        assert_eq!((&response["model"], &response["created_at"]), (&json!("asked"), &json!(9)));
    }
}

/// §12.7 of the wire formats.
#[test]
fn a_failure_in_the_stream_is_told_with_the_items_so_far() {
    let mut encoder = StreamEncoder::new(Arc::new(context(Dialect::Anthropic)));
    assert_eq!(encoder.state().response, None, "nothing was announced");
    let mut out = Vec::new();
    let content =
        [start(), open(0, BlockKind::Text), delta(0, "a"), close(0), open(1, call("c1")), delta(1, "{")];
    content.iter().for_each(|event| encoder.event(event, &mut out));
    let reply = ErrorReply {
        class: ErrorClass::Upstream,
        status: None,
        code: None,
        message: "it broke",
        request_id: "r",
        retry_after: None,
        param: None,
    };
    let error = encode_in_stream(Dialect::OpenAiResponses, Framing::Sse, &reply, &encoder.state());
    out.extend_from_slice(&error);
    let data = data_of(std::str::from_utf8(&out).unwrap());
    let last = data.last().unwrap();
    assert_eq!(
        (&last["type"], &last["sequence_number"]),
        (&json!("response.failed"), &json!(data.len() - 1))
    );
    let response = &last["response"];
    assert_eq!((&response["id"], &response["created_at"]), (&data[0]["response"]["id"], &json!(9)));
    assert_eq!(response["output"].as_array().unwrap().len(), 1, "the message is whole, the call is not");
    assert_eq!(response["output"][0]["content"][0]["text"], "a");
}
