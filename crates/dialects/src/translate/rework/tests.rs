use super::*;
use crate::{
    form::{Args, BlockKind, Event, Part, PartKind, Reply, ToolCall},
    scene,
    translate::{
        ReplyContext,
        checks::{assembled, assert_well_formed, comparable, owned},
    },
};
use cliproxy_domain::Dialect;
use std::sync::Arc;

fn context(notes: Notes) -> ReplyContext {
    ReplyContext { notes, ..scene::context(Dialect::Anthropic, Dialect::OpenAiChat) }
}

fn stopping(stop: &[&str]) -> Notes {
    Notes { stop: stop.iter().map(|text| (*text).to_owned()).collect(), ..Notes::default() }
}

fn free(name: &str) -> Notes {
    Notes { free_tools: [name.to_owned()].into(), ..Notes::default() }
}

fn call(name: &str, args: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall {
        id: "c".into(),
        name: name.into(),
        args: Args::Json(args.into()),
    }))
}

/// An answer as a stream, its texts in fragments of `size` characters.
fn events(parts: &[Part], finish: Finish, size: usize) -> Vec<Event<'static>> {
    let mut events = vec![Event::Start { id: None, model: None, created: None }];
    for (block, part) in parts.iter().enumerate() {
        let (choice, block) = (0, block as u32);
        let (kind, text) = match &part.kind {
            PartKind::Text { text, .. } => (BlockKind::Text, text),
            PartKind::ToolCall(ToolCall { id, name, args: Args::Json(text) }) => {
                (BlockKind::ToolCall { id: id.clone().into(), name: name.clone().into(), free: false }, text)
            }
            other => panic!("not in these tests: {other:?}"),
        };
        events.push(Event::Open { choice, block, kind });
        let letters: Vec<char> = text.chars().collect();
        for fragment in letters.chunks(size) {
            let text: String = fragment.iter().collect();
            events.push(Event::Delta { choice, block, text: text.into() });
        }
        events.push(Event::Close { choice, block });
    }
    events.extend([Event::Finish { choice: 0, finish }, Event::End]);
    events
}

/// Reworks an answer as a whole and as streams of small and large fragments, which must all say the same.
#[track_caller]
fn reworked(notes: Notes, parts: &[Part], finish: Finish) -> (Vec<Part>, Finish) {
    let context = context(notes);
    let mut whole = assembled(&events(parts, finish.clone(), 1000));
    rework_reply(&mut whole, &context);
    let whole = comparable(whole);
    for size in [1, 2, 3, 1000] {
        let streamed = streamed(&context, events(parts, finish.clone(), size)).0;
        assert_well_formed(&streamed);
        assert_eq!(assembled(&streamed), whole, "fragments of {size}");
    }
    let Reply { choices, .. } = whole;
    let choice = choices.into_iter().next().unwrap();
    (choice.parts, choice.finish)
}

/// Gives what comes out of a stream, and whether it was cut.
fn streamed(context: &ReplyContext, events: Vec<Event<'static>>) -> (Vec<Event<'static>>, bool) {
    let mut rework = Rework::new(Arc::new(context.clone()));
    let mut out = Vec::new();
    for event in events {
        rework.event(event, &mut |event| out.push(owned(event)));
    }
    assert!(rework.is_over());
    (out, rework.is_cut())
}

#[test]
fn tools_get_their_own_names_back() {
    let mut notes = Notes::default();
    let sent = notes.names.fitted("mcp/read file", Dialect::Anthropic).into_owned();
    let (parts, finish) = reworked(notes, &[call(&sent, "{}"), call("other", "{}")], Finish::ToolUse);
    assert_eq!(parts, [call("mcp/read file", "{}"), call("other", "{}")]);
    assert_eq!(finish, Finish::ToolUse);
}

#[test]
fn wrapped_input_is_free_again() {
    let (parts, _) = reworked(free("sh"), &[call("sh", r#"{"input":"echo \"hi\"\n"}"#)], Finish::ToolUse);
    let PartKind::ToolCall(call) = &parts[0].kind else { panic!("{parts:?}") };
    assert_eq!(call.args, Args::Free("echo \"hi\"\n".into()));
}

#[test]
fn input_that_a_model_forgot_to_wrap_is_handed_on() {
    let (parts, _) = reworked(free("sh"), &[call("sh", r#"{"command":"ls"}"#)], Finish::ToolUse);
    let PartKind::ToolCall(call) = &parts[0].kind else { panic!("{parts:?}") };
    assert_eq!(call.args, Args::Free(r#"{"command":"ls"}"#.into()));
}

#[test]
fn the_call_that_stood_in_for_the_answer_becomes_text() {
    let notes = || Notes { structured_tool: true, ..Notes::default() };
    let stand_in = call("structured_output", r#"{"a":1}"#);
    let (parts, finish) = reworked(notes(), std::slice::from_ref(&stand_in), Finish::ToolUse);
    assert_eq!((parts.as_slice(), finish), ([Part::text(r#"{"a":1}"#)].as_slice(), Finish::End));

    let (parts, finish) = reworked(notes(), &[stand_in, call("f", "{}")], Finish::ToolUse);
    assert_eq!(parts, [Part::text(r#"{"a":1}"#), call("f", "{}")]);
    assert_eq!(finish, Finish::ToolUse, "the other call is for the client");

    let (parts, finish) = reworked(notes(), &[call("structured_output", "")], Finish::MaxTokens);
    assert_eq!((parts.as_slice(), finish), ([Part::text("{}")].as_slice(), Finish::MaxTokens));
}

#[test]
fn a_clients_own_tool_of_that_name_stays_a_tool() {
    let own = call("structured_output", "{}");
    let (parts, finish) = reworked(Notes::default(), std::slice::from_ref(&own), Finish::ToolUse);
    assert_eq!((parts, finish), (vec![own], Finish::ToolUse));
}

#[test]
fn the_answer_ends_at_a_stop_text() {
    let parts = [Part::text("one ST"), Part::text("two STOP three"), call("f", "{}")];
    let (parts, finish) = reworked(stopping(&["none", "STOP"]), &parts, Finish::ToolUse);
    assert_eq!(parts, [Part::text("one ST"), Part::text("two ")]);
    assert_eq!(finish, Finish::StopSequence(Some("STOP".into())));
}

#[test]
fn an_answer_that_is_a_stop_text_says_nothing() {
    let (parts, finish) = reworked(stopping(&["STOP"]), &[Part::text("STOP")], Finish::End);
    assert_eq!((parts, finish), (vec![], Finish::StopSequence(Some("STOP".into()))));
}

#[test]
fn stop_texts_are_for_text_alone() {
    let parts = [call("f", r#"{"a":"STOP"}"#)];
    let (kept, finish) = reworked(stopping(&["STOP"]), &parts, Finish::ToolUse);
    assert_eq!((kept.as_slice(), finish), (parts.as_slice(), Finish::ToolUse));
}

#[test]
fn after_a_stop_text_nothing_more_is_told_and_the_provider_may_be_cancelled() {
    let context = context(stopping(&["STOP"]));
    let (out, cut) = streamed(&context, events(&[Part::text("a STOP b")], Finish::End, 3));
    assert!(cut);
    assert_well_formed(&out);
    let (_, cut) = streamed(&context, events(&[Part::text("a b")], Finish::End, 3));
    assert!(!cut);
}

#[test]
fn blocks_that_are_open_besides_are_closed_at_a_stop_text() {
    let open = |block, kind| Event::Open { choice: 0, block, kind };
    let delta = |block, text: &'static str| Event::Delta { choice: 0, block, text: text.into() };
    let kind = BlockKind::ToolCall { id: "c".into(), name: "f".into(), free: false };
    let events = vec![
        Event::Start { id: None, model: None, created: None },
        open(0, BlockKind::Text),
        open(1, kind),
        delta(1, "{\"a\""),
        delta(0, "x STOP"),
        delta(1, ":1}"),
        Event::Close { choice: 0, block: 1 },
        Event::Close { choice: 0, block: 0 },
        Event::Finish { choice: 0, finish: Finish::ToolUse },
        Event::End,
    ];
    let (out, _) = streamed(&context(stopping(&["STOP"])), events);
    assert_well_formed(&out);
    assert!(!out.contains(&delta(1, ":1}")));
}

#[test]
fn log_probabilities_end_with_the_text() {
    let token = |text: &str| serde_json::json!({"token": text, "logprob": -0.1});
    let mut reply = assembled(&events(&[Part::text("a STOP b")], Finish::End, 100));
    reply.choices[0].logprobs = Some(vec![token("a"), token(" "), token("STOP"), token(" b")]);
    rework_reply(&mut reply, &context(stopping(&["STOP"])));
    assert_eq!(reply.choices[0].logprobs, Some(vec![token("a"), token(" ")]));
}

#[test]
fn what_needs_no_rework_passes_without_a_copy() {
    let text = String::from("long enough");
    for notes in [Notes::default(), free("sh"), stopping(&["STOP"])] {
        let mut rework = Rework::new(Arc::new(context(notes)));
        rework.event(Event::Open { choice: 0, block: 0, kind: BlockKind::Text }, &mut |_| {});
        let delta = Event::Delta { choice: 0, block: 0, text: text.as_str().into() };
        rework.event(delta, &mut |event| {
            let Event::Delta { text: std::borrow::Cow::Borrowed(passed), .. } = event else {
                panic!("copied: {event:?}")
            };
            assert_eq!(passed.as_ptr(), text.as_ptr());
        });
    }
}
