//! Oddities of providers.

use crate::{
    form::{BlockKind, Event, Finish, ReasoningForm},
    openai_responses::testing::{events_of, events_of_data},
    translate::checks,
};
use cliproxy_domain::Failure;
use proptest::prelude::*;
use serde_json::{Value, json};

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 5.0}})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"status": "completed", "output": output}})
}

fn read(data: &[Value]) -> Vec<Event<'static>> {
    let (events, result) = events_of_data(data);
    result.unwrap();
    checks::assert_well_formed(&events);
    events
}

fn parts(events: &[Event<'_>]) -> Value {
    let reply = checks::assembled(events);
    let shown = reply.choices.into_iter().next().unwrap().parts.into_iter().map(|part| match part.kind {
        crate::form::PartKind::ToolCall(call) => json!([call.id, call.name, format!("{:?}", call.args)]),
        crate::form::PartKind::Reasoning { text, form } => json!([format!("{form:?}"), text]),
        crate::form::PartKind::Refusal(text) => json!(["Refusal", text]),
        _ => json!(part.as_text()),
    });
    shown.collect()
}

#[test]
fn items_that_come_without_pieces_are_told_whole() {
    let message = json!({"type": "message", "id": "m1", "content": [{"type": "output_text", "text": "hi", "annotations": [{"type": "url_citation", "url": "u"}]}]});
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "gA"});
    let expected = json!([["Summary", "a\n\nb"], "hi", ["c1", "f", "Json(\"{\\\"a\\\":1}\")"]]);
    let done = |at: u64, item: &Value| json!({"type": "response.output_item.done", "output_index": at, "item": item});
    let by_item = [created(), done(0, &thought), done(1, &message), done(2, &call), completed(json!([]))];
    assert_eq!(parts(&read(&by_item)), expected);
    let at_the_end = [created(), completed(json!([thought, message, call]))];
    assert_eq!(parts(&read(&at_the_end)), expected);
    let both = [created(), done(0, &thought), done(1, &message), completed(json!([thought, message, call]))];
    assert_eq!(parts(&read(&both)), expected, "nothing is told twice");
    let cites = read(&by_item).iter().filter(|event| matches!(event, Event::Cite { .. })).count();
    assert_eq!(cites, 1);
}

/// Pitfall 19.
#[test]
fn a_stream_may_end_with_response_done() {
    let events = read(&[created(), json!({"type": "response.done", "response": {"status": "incomplete"}})]);
    assert!(events.contains(&Event::Finish { choice: 0, finish: Finish::MaxTokens }));
}

#[test]
fn interleaved_items_keep_their_blocks_apart() {
    let added = |at: u64, id: &str| {
        json!({"type": "response.output_item.added", "output_index": at,
            "item": {"type": "function_call", "call_id": id, "name": "f", "arguments": ""}})
    };
    let delta = |at: u64, text: &str| json!({"type": "response.function_call_arguments.delta", "output_index": at, "delta": text});
    let done = |at: u64, id: &str| {
        json!({"type": "response.output_item.done", "output_index": at,
            "item": {"type": "function_call", "call_id": id, "name": "f", "arguments": "never told"}})
    };
    let events = read(&[
        created(),
        added(0, "c1"),
        added(1, "c2"),
        delta(0, "{\"a\""),
        delta(1, "{\"b\""),
        delta(0, ":1}"),
        delta(1, ":2}"),
        done(1, "c2"),
        done(0, "c1"),
        completed(json!([])),
    ]);
    let expected = json!([["c1", "f", "Json(\"{\\\"a\\\":1}\")"], ["c2", "f", "Json(\"{\\\"b\\\":2}\")"]]);
    assert_eq!(parts(&events), expected);
    assert!(events.contains(&Event::Finish { choice: 0, finish: Finish::ToolUse }));
}

#[test]
fn a_call_waits_for_its_name_and_gets_an_id_when_it_has_none() {
    let events = read(&[
        created(),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call"}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}),
        json!({"type": "response.output_item.done", "output_index": 0,
            "item": {"type": "function_call", "name": "f", "arguments": "{}"}}),
        completed(json!([])),
    ]);
    assert!(matches!(
        &events[1..3],
        [Event::Open { kind: BlockKind::ToolCall { id, name, .. }, .. }, Event::Delta { text, .. }]
            if id.starts_with("call_") && name == "f" && text == "{}"
    ));
    let nameless =
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "function_call"}});
    assert_eq!(events_of_data(&[created(), nameless]).1.unwrap_err().failure, Failure::MalformedReply);
}

#[test]
fn later_parts_of_a_summary_stand_apart() {
    let delta = |at: u64, text: &str| json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": at, "delta": text});
    let events = read(&[created(), delta(0, "a"), delta(0, "b"), delta(1, "c"), completed(json!([]))]);
    assert_eq!(parts(&events), json!([["Summary", "ab\n\nc"]]));
}

#[test]
fn reasoning_of_state_alone_is_hidden() {
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"});
    let early = json!({"type": "response.output_item.added", "output_index": 0,
        "item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "not yet"}});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let events = read(&[created(), early, done, completed(json!([]))]);
    assert!(
        events.iter().any(|event| matches!(
            event,
            Event::Open { kind: BlockKind::Reasoning(ReasoningForm::Hidden), .. }
        ))
    );
    let payloads: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::State { state: crate::form::Opaque::Native(state), .. } => {
                Some((state.payload.as_str(), state.item_id.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(payloads, [("gAAA", Some("rs_1"))], "only the done item's counts");
}

#[test]
fn log_probabilities_come_in_chats_shape() {
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a",
        "logprobs": [{"token": "a", "logprob": -0.5}]});
    let events = read(&[created(), delta, completed(json!([]))]);
    let expected = json!({"token": "a", "logprob": -0.5, "bytes": null, "top_logprobs": []});
    assert!(events.contains(&Event::Logprobs { choice: 0, content: vec![expected] }));
}

#[test]
fn a_lone_surrogate_does_not_kill_the_stream() {
    let stream = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\\ud83d\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\"}\n\n";
    let (events, result) = events_of(stream.as_bytes());
    result.unwrap();
    assert_eq!(parts(&events), json!(["a\u{FFFD}"]));
}

#[test]
fn events_without_a_name_are_known_by_their_type() {
    let stream: String =
        [created(), completed(json!([]))].iter().map(|data| format!("data: {data}\n\n")).collect();
    let (events, result) = events_of(stream.as_bytes());
    result.unwrap();
    assert_eq!(
        events[0],
        Event::Start { id: Some("resp_1".into()), model: Some("m".into()), created: Some(5) }
    );
}

/// Pitfall 20.
#[test]
fn a_stream_that_breaks_off_is_no_answer() {
    let (events, result) = events_of_data(&[created()]);
    assert_eq!(result.unwrap_err().failure, Failure::StreamBroken);
    assert!(!events.contains(&Event::End));
}

fn any_event() -> impl Strategy<Value = Value> {
    let kinds = [
        "created",
        "output_item.added",
        "output_item.done",
        "content_part.added",
        "content_part.done",
        "output_text.delta",
        "output_text.done",
        "refusal.delta",
        "refusal.done",
        "output_text.annotation.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_text.delta",
        "reasoning_text.done",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "custom_tool_call_input.delta",
        "completed",
        "unheard.of",
    ];
    let items = ["message", "function_call", "custom_tool_call", "reasoning", "hologram", ""];
    let of_item = (prop::sample::select(items.to_vec()), any::<bool>());
    let event = (prop::sample::select(kinds.to_vec()), 0_u64..3, 0_u64..3, of_item);
    event.prop_map(|(kind, at, place, (item, full))| {
        let text = if full { "x" } else { "" };
        let part = json!({"type": "output_text", "text": text, "annotations": [{"type": "file_path"}]});
        let item = json!({"type": item, "id": "i", "call_id": text, "name": "f", "arguments": text,
            "input": text, "content": [part], "summary": [{"text": text}], "encrypted_content": text});
        json!({"type": format!("response.{kind}"), "output_index": at, "content_index": place,
            "summary_index": place, "delta": text, "text": text, "refusal": text, "arguments": text,
            "part": part, "item": item, "annotation": {"type": "file_path"}, "logprobs": [{}]})
    })
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_the_guarantees(data in prop::collection::vec(any_event(), 0..24)) {
        let (events, _) = events_of_data(&data);
        checks::assert_well_begun(&events);
    }

    #[test]
    fn no_bytes_make_it_panic(name in "(response\\.[a-z_.]{0,24})?", data in "[\\[\\]{}:,\"a-z0-9\\\\ ]{0,80}") {
        let mut decoder = crate::openai_responses::StreamDecoder::new(crate::translate::Ids::new([0, 0]));
        let _ = decoder.event(name.as_bytes(), data.as_bytes(), &mut |_| {});
    }
}
