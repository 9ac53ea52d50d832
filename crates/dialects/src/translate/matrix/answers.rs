//! Answers that are written for a client and read again, whole and streamed, say the same.

use super::{TARGETS, differs_from_whole, scene};
use crate::{
    form::{Args, BlockKind, Choice, Event, Finish, Losses, Part, PartKind, ReasoningForm, Reply, ToolCall},
    framing::Framing,
    translate::checks::{assembled, assert_well_formed, comparable, events_of, written},
    translate::{decode_reply, encode_reply},
};
use cliproxy_domain::{Dialect, TokenUsage};
use proptest::{option, prelude::*};
use serde_json::json;

fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n😀<]{1,12}"
}

/// Reasoning, a text and calls, in the order that every dialect has them in.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let args = option::of(text().prop_map(|text| json!({"a": text, "b": [1, null]}).to_string()));
    (option::of(text()), option::of(text()), prop::collection::vec(args, 0..4)).prop_map(
        |(thought, answer, calls)| {
            let thought = thought.map(|text| PartKind::Reasoning { text, form: ReasoningForm::Summary });
            let mut parts: Vec<Part> = thought.map(Part::new).into_iter().collect();
            parts.extend(answer.map(Part::text));
            for (ordinal, args) in calls.into_iter().enumerate() {
                parts.push(Part::new(PartKind::ToolCall(ToolCall {
                    id: format!("call_{ordinal}"),
                    name: "tool".into(),
                    args: Args::Json(args.unwrap_or_default()),
                })));
            }
            if parts.is_empty() {
                parts.push(Part::text("so"));
            }
            parts
        },
    )
}

fn usage() -> impl Strategy<Value = TokenUsage> {
    (0..50_u64, 0..50_u64, 0..50_u64, 0..50_u64, 0..50_u64).prop_map(
        |(cache_read, cache_write, more, reasoning, answer)| TokenUsage {
            input: cache_read + cache_write + more,
            output: reasoning + answer,
            cache_read,
            cache_write,
            reasoning,
            estimated: 0,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    (parts(), usage(), any::<bool>()).prop_map(|(parts, usage, cut)| {
        let calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
        let finish = if cut && !calls { Finish::MaxTokens } else { Finish::End.with_calls(calls) };
        Reply {
            id: None,
            model: None,
            created: None,
            choices: vec![Choice { index: 0, parts, finish, logprobs: None }],
            usage: Some(usage),
            tier: None,
            fingerprint: None,
        }
    })
}

/// Streams an answer in fragments of `size` characters; `interleaved` opens all calls before any goes on.
pub(super) fn events(reply: &Reply, size: usize, interleaved: bool) -> Vec<Event<'static>> {
    let mut events = vec![Event::Start { id: Some("r1".into()), model: None, created: None }];
    let mut late = Vec::new();
    for (block, part) in reply.choices[0].parts.iter().enumerate() {
        let (choice, block) = (0, block as u32);
        let (kind, text) = match &part.kind {
            PartKind::Text { text, .. } => (BlockKind::Text, text),
            PartKind::Reasoning { text, form } => (BlockKind::Reasoning(*form), text),
            PartKind::ToolCall(ToolCall { id, name, args: Args::Json(text) }) => {
                (BlockKind::ToolCall { id: id.clone().into(), name: name.clone().into(), free: false }, text)
            }
            other => panic!("not in these tests: {other:?}"),
        };
        let is_call = matches!(part.kind, PartKind::ToolCall(_));
        let letters: Vec<char> = text.chars().collect();
        let deltas = letters.chunks(size).map(|fragment| Event::Delta {
            choice,
            block,
            text: fragment.iter().collect::<String>().into(),
        });
        let deltas: Vec<Event<'static>> = deltas.collect();
        events.push(Event::Open { choice, block, kind });
        if is_call && interleaved {
            late.push(deltas);
            late.push(vec![Event::Close { choice, block }]);
        } else {
            events.extend(deltas);
            events.push(Event::Close { choice, block });
        }
    }
    let longest = late.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..longest {
        events.extend(late.iter().step_by(2).filter_map(|deltas| deltas.get(round).cloned()));
    }
    events.extend(late.iter().skip(1).step_by(2).flatten().cloned());
    let finish = reply.choices[0].finish.clone();
    events.extend(reply.usage.map(Event::Usage));
    events.extend([Event::Finish { choice: 0, finish }, Event::End]);
    events
}

/// What is compared of an answer.
fn said(reply: Reply, client: Dialect) -> (Vec<PartKind>, Finish, Option<TokenUsage>) {
    let reply = comparable(reply);
    let choice = reply.choices.into_iter().next().unwrap();
    let mut parts: Vec<PartKind> = choice.parts.into_iter().map(|part| part.kind).collect();
    for (ordinal, part) in parts.iter_mut().enumerate() {
        match part {
            // Each dialect has one kind of reasoning text.
            PartKind::Reasoning { form, .. } => *form = ReasoningForm::Summary,
            // Gemini's ids are its own.
            PartKind::ToolCall(call) if client == Dialect::Gemini => call.id = ordinal.to_string(),
            _ => {}
        }
    }
    // Gemini does not say what it wrote to its cache.
    let usage = reply.usage.map(|usage| match client {
        Dialect::Gemini => TokenUsage { cache_write: 0, ..usage },
        _ => usage,
    });
    (parts, choice.finish, usage)
}

/// A provider of another dialect than the client.
fn other(client: Dialect) -> Dialect {
    if client == Dialect::OpenAiChat { Dialect::Anthropic } else { Dialect::OpenAiChat }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_whole_answer_is_read_as_it_was_written(reply in reply()) {
        for (client, _) in TARGETS {
            let context = scene::context(other(client), client);
            let mut losses = Losses::default();
            let body = encode_reply(&reply, &context, &mut losses);
            let again = decode_reply(client, &body).unwrap();
            prop_assert_eq!(
                said(again, client),
                said(reply.clone(), client),
                "{}",
                String::from_utf8_lossy(&body)
            );
            prop_assert_eq!(losses.header(), None);
        }
    }

    #[test]
    fn a_streamed_answer_is_read_as_it_was_written(reply in reply(), size in 1..8_usize, interleaved: bool) {
        for (client, _) in TARGETS {
            // Only Responses providers speak of several calls in turns, and their clients are of other dialects;
            // of a chat provider that is not understood.
            let in_turns = interleaved && matches!(client, Dialect::Anthropic | Dialect::Gemini);
            let events = events(&reply, size, in_turns);
            assert_well_formed(&events);
            let bytes = written(scene::context(other(client), client), &events);
            let (again, ended) = events_of(client, Framing::Sse, &[&bytes]);
            let text = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(ended, Ok(()), "{}", text);
            assert_well_formed(&again);
            prop_assert_eq!(said(assembled(&again), client), said(reply.clone(), client), "{}", text);
        }
    }
}

/// Makes one text of neighbours: in Gemini's streams a signed fragment is a part of its own.
fn joined(mut choices: Vec<Choice>) -> Vec<Choice> {
    for choice in &mut choices {
        let mut parts: Vec<Part> = Vec::new();
        for part in std::mem::take(&mut choice.parts) {
            match (parts.last_mut().map(|last| &mut last.kind), &part.kind) {
                (Some(PartKind::Text { text, .. }), PartKind::Text { text: more, .. })
                    if part.state.is_none() =>
                {
                    text.push_str(more);
                }
                _ => parts.push(part),
            }
        }
        choice.parts = parts;
    }
    choices
}

#[test]
fn a_client_is_told_the_same_by_a_stream_and_by_a_whole_answer() {
    for stream in crate::fixtures::all(".stream.sse") {
        if differs_from_whole(&stream) {
            continue;
        }
        let whole = stream.name.replace(".stream.sse", ".response.json");
        let Some(whole) =
            crate::fixtures::all(".response.json").into_iter().find(|reply| reply.name == whole)
        else {
            continue;
        };
        for (client, _) in TARGETS {
            let context = scene::context(stream.dialect, client);
            let (events, _) = events_of(stream.dialect, Framing::Sse, &[&stream.bytes]);
            let streamed = written(context.clone(), &events);
            let (streamed, ended) = events_of(client, Framing::Sse, &[&streamed]);
            let reply = decode_reply(whole.dialect, &whole.bytes).unwrap();
            let body = encode_reply(&reply, &context, &mut Losses::default());
            match decode_reply(client, &body) {
                Ok(reply) => {
                    assert_eq!(ended, Ok(()), "{} to {client:?}", stream.name);
                    let (streamed, whole) = (assembled(&streamed), comparable(reply));
                    assert_eq!(
                        joined(streamed.choices),
                        joined(whole.choices),
                        "{} to {client:?}",
                        stream.name
                    );
                    assert_eq!(streamed.usage, whole.usage, "{} to {client:?}", stream.name);
                }
                Err(error) => assert_eq!(ended, Err(error), "{} to {client:?}", stream.name),
            }
        }
    }
}
