//! The model's own messages.

use super::super::{
    CHAT, Scope, nested,
    parts::{self, pieces},
};
use crate::{
    form::{Args, Media, Part, PartKind, Place, Refused, State, ToolCall, Turn},
    free_input,
    json::{Array, Object},
    tool_ids,
    translate::Notes,
};
use serde_json::value::RawValue;

/// What a message is made of, each in its own field here.
#[derive(Default)]
struct Sorted<'p> {
    said: Vec<&'p Part>,
    refusal: String,
    thoughts: String,
    /// Lists of OpenRouter's `reasoning_details`.
    details: Vec<String>,
    /// Each call with the signature that goes on it.
    calls: Vec<(&'p Part, &'p ToolCall, Option<String>)>,
    spoken: Option<&'p str>,
}

/// Writes a message, if the turn says anything. Tells whether the last word is the model's: a message without calls.
pub(super) fn write(
    list: &mut Array<'_>,
    turn: &Turn,
    at: usize,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<bool, Refused> {
    let sorted = sort(turn, at, scope, notes)?;
    let said = pieces(sorted.said.iter().copied(), scope);
    let nothing = said.is_empty() && sorted.refusal.is_empty() && sorted.calls.is_empty();
    if nothing && !scope.own {
        return Ok(false);
    }
    let mut message = list.object();
    message.field("role", "assistant");
    if said.is_empty() {
        message.field("content", &());
    } else if scope.own {
        parts::write(&mut message, &said, "", at, scope, notes)?;
    } else {
        // The model's words are one text here; where calls stood between them is lost.
        let text: String = said.iter().map(|piece| said_text(piece.part)).collect();
        message.field("content", &text);
    }
    if !sorted.refusal.is_empty() {
        message.field("refusal", &sorted.refusal);
    }
    if let Some(id) = sorted.spoken {
        message.object("audio").field("id", id);
    }
    write_reasoning(&mut message, &sorted, scope);
    let called = !sorted.calls.is_empty();
    if called {
        let mut array = message.array("tool_calls");
        for (part, call, signature) in sorted.calls {
            for field in part.bag.foreign_to(CHAT) {
                notes.losses.dropped(format!("messages.{field}"))?;
            }
            write_call(&mut array.object(), part, call, signature, scope, notes);
        }
    }
    message.maybe("name", turn.name.as_deref());
    nested::write_outer(&mut message, &turn.bag, &[]);
    Ok(!called)
}

fn said_text(part: &Part) -> &str {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => text,
        _ => "",
    }
}

fn sort<'p>(turn: &'p Turn, at: usize, scope: &Scope<'_>, notes: &mut Notes) -> Result<Sorted<'p>, Refused> {
    let mut sorted = Sorted::default();
    let mut next = None;
    for part in &turn.parts {
        let state = part.state.as_ref().and_then(|state| scope.target.state(state));
        match &part.kind {
            // Servers other than OpenAI's know no refusals: there it is what the model said.
            PartKind::Refusal(_) if scope.plain() => sorted.said.push(part),
            PartKind::Refusal(text) => sorted.refusal.push_str(text),
            // What another provider signed is no thought of this one.
            PartKind::Reasoning { .. } if part.state.is_some() && state.is_none() => {}
            PartKind::Reasoning { text, .. } => sorted.reasoning(text, state, &mut next),
            PartKind::ToolCall(call) => {
                let signature = state.map(|state| state.payload).or_else(|| next.take());
                sorted.calls.push((part, call, signature));
            }
            PartKind::Audio(Media::FileId { dialect: CHAT, id }) => sorted.spoken = Some(id),
            PartKind::Foreign { dialect, name, .. } if *dialect != CHAT => {
                parts::foreign(name, at, scope, notes)?;
            }
            PartKind::Text { .. } | PartKind::Foreign { .. } => sorted.said.push(part),
            PartKind::Image { .. } | PartKind::Audio(_) | PartKind::File { .. } | PartKind::ToolResult(_) => {
                let field = scope.message(at);
                let message = format!(
                    "`{field}` has an assistant's message with more than text and calls, which this provider does not take: leave it out"
                );
                return Err(Refused::new(field, message));
            }
        }
    }
    Ok(sorted)
}

impl Sorted<'_> {
    fn reasoning(&mut self, text: &str, state: Option<State>, next: &mut Option<String>) {
        let known = state.as_ref().and_then(|state| state.text.as_deref());
        let text = if text.is_empty() { known.unwrap_or_default() } else { text };
        if !text.is_empty() {
            if !self.thoughts.is_empty() {
                self.thoughts.push_str("\n\n");
            }
            self.thoughts.push_str(text);
        }
        match state {
            Some(State { place: Place::Next, payload, .. }) => *next = Some(payload),
            Some(State { place: Place::Here, payload, .. }) => self.details.push(payload),
            // A signature of text has no place in this dialect.
            Some(State { place: Place::Previous, .. }) | None => {}
        }
    }
}

/// Writes reasoning for servers that take it; OpenAI's own refuses the fields.
fn write_reasoning(message: &mut Object<'_>, sorted: &Sorted<'_>, scope: &Scope<'_>) {
    if !scope.compatible {
        return;
    }
    if !sorted.thoughts.is_empty() {
        message.field(&scope.target.profile.reasoning_field, &sorted.thoughts);
    }
    let lists = sorted.details.iter().filter_map(|list| serde_json::from_str::<Vec<&RawValue>>(list).ok());
    let details: Vec<&RawValue> = lists.flatten().collect();
    message.maybe("reasoning_details", (!details.is_empty()).then_some(details));
}

fn write_call(
    object: &mut Object<'_>,
    part: &Part,
    call: &ToolCall,
    signature: Option<String>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) {
    object.field("id", &tool_ids::fitted(&call.id, CHAT, scope.target.profile.max_tool_id));
    let name = notes.tool_name(&call.name, scope.target);
    let free = matches!(call.args, Args::Free(_)) && !scope.plain();
    let kind = if free { "custom" } else { "function" };
    let mut inner = object.field("type", kind).object(kind);
    inner.field("name", &name);
    match &call.args {
        Args::Free(input) if free => inner.field("input", input),
        Args::Free(input) => inner.field("arguments", &free_input::wrapped(input)),
        // A call without arguments is an empty object everywhere but with some servers.
        Args::Json(args) if args.trim().is_empty() && !scope.own => inner.field("arguments", "{}"),
        Args::Json(args) => inner.field("arguments", args),
    };
    nested::write_inner(&mut inner, &part.bag, kind);
    drop(inner);
    write_extra(object, part, signature);
    nested::write_outer(object, &part.bag, &["function", "custom", "extra_content"]);
}

/// Writes a signature where Google's compatible endpoint wants it, beside what else the client had there.
fn write_extra(object: &mut Object<'_>, part: &Part, signature: Option<String>) {
    let kept = part.bag.of(CHAT).find(|(name, _)| *name == "extra_content").map(|(_, value)| value);
    let Some(signature) = signature else {
        object.maybe("extra_content", kept);
        return;
    };
    let mut extra = object.object("extra_content");
    let fields = kept.and_then(serde_json::Value::as_object);
    let mut google = extra.object("google");
    google.field("thought_signature", &signature);
    let others = fields.and_then(|fields| fields.get("google")).and_then(serde_json::Value::as_object);
    for (name, value) in others.into_iter().flatten() {
        google.field(name, value);
    }
    drop(google);
    for (name, value) in fields.into_iter().flatten().filter(|(name, _)| *name != "google") {
        extra.field(name, value);
    }
}
