//! Whole answers.

use super::{Call, call, hides_reasoning, without_stand_in};
use crate::{
    form::{Args, Choice, Finish, Part, PartKind, Reply, ToolCall},
    free_input,
    stop_watch::Stops,
    translate::{Notes, ReplyContext},
};
use serde_json::Value;

/// Reworks a whole answer.
pub fn rework_reply(reply: &mut Reply, context: &ReplyContext) {
    let stops = Stops::new(&context.notes.stop);
    for choice in &mut reply.choices {
        if hides_reasoning(context) {
            choice.parts.retain(|part| !matches!(part.kind, PartKind::Reasoning { .. }));
        }
        let mut answered = false;
        for part in &mut choice.parts {
            answered |= rework_part(part, &context.notes);
        }
        if answered {
            let calls = choice.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
            choice.finish = without_stand_in(choice.finish.clone(), calls);
        }
        if !stops.is_empty() {
            cut(choice, &stops);
        }
    }
}

/// Reworks a part; tells whether it was the call that stood in for the answer.
fn rework_part(part: &mut Part, notes: &Notes) -> bool {
    let PartKind::ToolCall(said) = &mut part.kind else { return false };
    match call(notes, &said.name) {
        Call::Function(name) => {
            if name != said.name {
                said.name = name.to_owned();
            }
            false
        }
        Call::Free(name) => {
            let args = match &said.args {
                Args::Json(args) => free_input::unwrapped(args),
                Args::Free(input) => input.clone(),
            };
            *said =
                ToolCall { id: std::mem::take(&mut said.id), name: name.to_owned(), args: Args::Free(args) };
            false
        }
        Call::Answer => {
            let (Args::Json(text) | Args::Free(text)) = &mut said.args;
            let text = std::mem::take(text);
            part.kind = PartKind::Text { text: or_empty_object(text), citations: Vec::new() };
            true
        }
    }
}

/// A call without arguments is one with none.
fn or_empty_object(text: String) -> String {
    if text.is_empty() { "{}".to_owned() } else { text }
}

/// Ends a choice at the first stop text.
fn cut(choice: &mut Choice, stops: &Stops) {
    let mut said = 0;
    let found = choice.parts.iter_mut().enumerate().find_map(|(place, part)| {
        let PartKind::Text { text, .. } = &mut part.kind else { return None };
        let found = stops.find(text);
        if let Some((len, _)) = found {
            text.truncate(len);
        }
        said += text.len();
        found.map(|(_, stop)| (place, stop))
    });
    let Some((place, stop)) = found else { return };
    choice.parts.truncate(place + 1);
    if choice.parts.last().and_then(Part::as_text) == Some("") {
        choice.parts.pop();
    }
    choice.finish = Finish::StopSequence(stops.text(stop).map(str::to_owned));
    if let Some(logprobs) = &mut choice.logprobs {
        keep_first(logprobs, said);
    }
}

/// Leaves out the probabilities of tokens that are not told any more.
fn keep_first(logprobs: &mut Vec<Value>, said: usize) {
    let mut end = 0;
    logprobs.retain(|token| {
        end += token.get("token").and_then(Value::as_str).map_or(0, str::len);
        end <= said
    });
}
