//! Messages: each becomes one turn, so that places in the form are places in the client's list.

use super::super::{CHAT, nested, pocket::Pocket};
use super::parts;
use crate::{
    form::{Args, Opaque, Part, PartKind, ReasoningForm, Refused, Role, State, ToolCall, ToolResult, Turn},
    json::Fields,
    tool_ids,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What later messages need of earlier ones.
#[derive(Default)]
struct History {
    /// The ids of calls of the older `function_call`, which had none, that have no result yet, by their name.
    older: BTreeMap<String, VecDeque<String>>,
    older_count: u32,
    /// The ids of free-form calls.
    free: BTreeSet<String>,
}

/// Reads `messages`.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Turn>, Refused> {
    let messages = fields.objects("messages")?;
    if messages.is_empty() {
        return Err(Refused::new("messages", "`messages` is missing or empty: send at least one message"));
    }
    let mut history = History::default();
    messages.into_iter().map(|message| turn(message, &mut history)).collect()
}

fn turn(mut message: Fields, history: &mut History) -> Result<Turn, Refused> {
    let role = message.required_text("role")?;
    match role.as_str() {
        "system" => said(message, Role::System),
        "developer" => said(message, Role::Developer),
        "user" => said(message, Role::User),
        "assistant" => assistant(message, history),
        "tool" => {
            let id = message.required_text("tool_call_id")?;
            result(message, id, history)
        }
        "function" => {
            let name = message.required_text("name")?;
            let Some(id) = history.older.get_mut(&name).and_then(VecDeque::pop_front) else {
                return Err(message.wrong("name", "the name of a function that an earlier message calls"));
            };
            result(message, id, history)
        }
        _ => Err(message.wrong("role", "one of developer, system, user, assistant and tool")),
    }
}

fn said(mut message: Fields, role: Role) -> Result<Turn, Refused> {
    let parts = content(&mut message)?.ok_or_else(|| message.missing("content"))?;
    let name = message.text("name")?;
    Ok(Turn { name, bag: message.rest(CHAT), ..Turn::new(role, parts) })
}

/// Takes the content; none when it is null or absent.
fn content(message: &mut Fields) -> Result<Option<Vec<Part>>, Refused> {
    match message.peek("content") {
        None => Ok(None),
        Some(Value::String(_)) => Ok(message.text("content")?.map(|text| vec![Part::text(text)])),
        Some(Value::Array(_)) => {
            let parts = message.objects("content")?.into_iter().map(parts::read);
            parts.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(message.wrong("content", "a string or an array of parts")),
    }
}

fn result(mut message: Fields, id: String, history: &History) -> Result<Turn, Refused> {
    let content = content(&mut message)?.unwrap_or_default();
    let free = history.free.contains(&id);
    // The tool's name, which some clients repeat, is not a participant's.
    let name = message.text("name")?;
    let result = Part::new(PartKind::ToolResult(ToolResult { id, name, error: false, free, content }));
    Ok(Turn { bag: message.rest(CHAT), ..Turn::new(Role::User, vec![result]) })
}

fn assistant(mut message: Fields, history: &mut History) -> Result<Turn, Refused> {
    let mut parts: Vec<Part> = reasoning(&mut message).into_iter().collect();
    let said_at = parts.len();
    parts.extend(content(&mut message)?.unwrap_or_default());
    if let Some(refusal) = message.text("refusal")? {
        parts.push(Part::new(PartKind::Refusal(refusal)));
    }
    let mut before_text: Vec<Part> = Vec::new();
    for call in message.objects("tool_calls")? {
        let (pocket, call) = tool_call(call, history)?;
        before_text.extend(pocket.before_text.into_iter().map(carrier));
        parts.extend(pocket.before_call.into_iter().map(carrier));
        parts.push(call);
    }
    parts.splice(said_at..said_at, before_text);
    if let Some(call) = message.object("function_call")? {
        parts.push(older_call(call, history)?);
    }
    if let Some(mut audio) = message.object("audio")? {
        parts.push(parts::spoken(&mut audio)?);
    }
    // Answers that clients send back whole have an empty list of citations.
    if message.peek("annotations").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        message.take("annotations");
    }
    let name = message.text("name")?;
    Ok(Turn { name, bag: message.rest(CHAT), ..Turn::new(Role::Assistant, parts) })
}

/// Takes the reasoning text that clients of compatible servers send back, and OpenRouter's state of it.
fn reasoning(message: &mut Fields) -> Option<Part> {
    let mut text = String::new();
    for key in ["reasoning_content", "reasoning"] {
        if message.peek_text(key).is_some()
            && let Some(Value::String(found)) = message.take(key)
            && text.is_empty()
        {
            text = found;
        }
    }
    let details = message.peek("reasoning_details").filter(|details| details.is_array());
    let state = details.map(|details| Opaque::Native(State::native(CHAT, details.to_string())));
    if state.is_some() {
        message.take("reasoning_details");
    }
    let form = if text.is_empty() { ReasoningForm::Hidden } else { ReasoningForm::Raw };
    let there = !text.is_empty() || state.is_some();
    there.then(|| Part { state, ..Part::new(PartKind::Reasoning { text, form }) })
}

/// Reads a call, and the envelopes that it carries.
fn tool_call(mut call: Fields, history: &mut History) -> Result<(Pocket, Part), Refused> {
    let id = call.required_text("id")?;
    let kind = call.text("type")?;
    let custom = kind.as_deref() == Some("custom");
    if !custom && kind.as_deref().is_some_and(|kind| kind != "function") {
        return Err(call.wrong("type", "function or custom"));
    }
    let key = if custom { "custom" } else { "function" };
    let mut inner = call.required_object(key)?;
    let name = inner.required_text("name")?;
    let args = if custom {
        history.free.insert(id.clone());
        Args::Free(inner.text("input")?.unwrap_or_default())
    } else {
        Args::Json(inner.text("arguments")?.unwrap_or_default())
    };
    let (signature, extra) = signature(&mut call);
    let pocket = signature.as_deref().and_then(Pocket::read);
    let native = signature.filter(|_| pocket.is_none());
    let part = Part {
        state: native.map(|native| Opaque::Native(State::native(CHAT, native))),
        bag: nested::rest(call, [(key, Some(inner.into_value())), ("extra_content", extra)]),
        ..Part::new(PartKind::ToolCall(ToolCall { id, name, args }))
    };
    Ok((pocket.unwrap_or_default(), part))
}

/// Takes the signature that Google's compatible endpoint puts on a call, and gives what else is in `extra_content`.
fn signature(call: &mut Fields) -> (Option<String>, Option<Value>) {
    let mut extra = call.take("extra_content");
    let google = extra.as_mut().and_then(|extra| extra.get_mut("google")).and_then(Value::as_object_mut);
    let Some(google) = google else { return (None, extra) };
    let Some(Value::String(_)) = google.get("thought_signature") else { return (None, extra) };
    let signature = google.shift_remove("thought_signature");
    let emptied = google.is_empty();
    if emptied && let Some(Value::Object(extra)) = &mut extra {
        extra.shift_remove("google");
    }
    (signature.and_then(|signature| signature.as_str().map(str::to_owned)), extra)
}

fn carrier(envelope: String) -> Part {
    let kind = PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden };
    Part { state: Some(Opaque::Sealed(envelope)), ..Part::new(kind) }
}

fn older_call(mut call: Fields, history: &mut History) -> Result<Part, Refused> {
    let name = call.required_text("name")?;
    let args = Args::Json(call.text("arguments")?.unwrap_or_default());
    // Made from the place in the history, so that a history sent again gives the same ids.
    let id = tool_ids::made("function_call", history.older_count);
    history.older_count = history.older_count.saturating_add(1);
    history.older.entry(name.clone()).or_default().push_back(id.clone());
    Ok(Part::new(PartKind::ToolCall(ToolCall { id, name, args })))
}
