//! Reading `input`: items into turns.
//!
//! The model's items that follow each other make one turn, with one message at most; what tools gave makes one too;
//! any other message is a turn of its own. The id of an item rides as state without a payload on the part that it
//! became, so that other dialects leave it out and its own gives it back.

use super::{OWN, content, rest};
use crate::{
    envelope,
    form::{
        Args, Bag, Opaque, Part, PartKind, ReasoningForm, Refused, Request, Role, State, ToolCall,
        ToolResult, Turn,
    },
    json::Fields,
};
use serde_json::{Map, Value};

/// Reads `input`, a text or a list of items.
pub(super) fn read(fields: &mut Fields, request: &mut Request) -> Result<(), Refused> {
    let path = fields.path("input");
    match fields.take("input") {
        None => Ok(()),
        Some(Value::String(text)) => {
            request.turns.push(Turn::new(Role::User, vec![Part::text(text)]));
            Ok(())
        }
        Some(Value::Array(items)) => {
            for (at, item) in items.into_iter().enumerate() {
                read_item(Fields::of(item, format!("{path}[{at}]"))?, request)?;
            }
            Ok(())
        }
        Some(_) => Err(fields.wrong("input", "a string or an array of items")),
    }
}

fn read_item(mut item: Fields, request: &mut Request) -> Result<(), Refused> {
    let kind = match item.text("type")? {
        Some(kind) => kind,
        None if item.peek("role").is_some() => "message".to_owned(),
        None => return Err(item.missing("type")),
    };
    match kind.as_str() {
        "message" => return read_message(item, request),
        "function_call" => join(request, Role::Assistant, call(item, "arguments", Args::Json)?),
        "custom_tool_call" => join(request, Role::Assistant, call(item, "input", Args::Free)?),
        "function_call_output" => join(request, Role::User, result(item, false)?),
        "custom_tool_call_output" => join(request, Role::User, result(item, true)?),
        "reasoning" => {
            let part = reasoning(item)?;
            join_reasoning(request, part);
        }
        _ => {
            if kind == "item_reference" && !request.server_state.contains(&"input") {
                request.server_state.push("input");
            }
            let role = if is_of_user(&kind) { Role::User } else { Role::Assistant };
            join(request, role, foreign(item, kind));
        }
    }
    Ok(())
}

/// Tells whether an item that only this dialect knows is what the client gives the model.
fn is_of_user(kind: &str) -> bool {
    kind.ends_with("_output") || kind == "mcp_approval_response"
}

fn foreign(item: Fields, kind: String) -> Part {
    let mut json = Map::new();
    json.insert("type".to_owned(), Value::String(kind.clone()));
    json.extend(rest(item));
    Part::new(PartKind::Foreign { dialect: OWN, name: kind, json: Value::Object(json) })
}

/// Adds a part to the turn before when that is of the same role and not a message of the user.
fn join(request: &mut Request, role: Role, part: Part) {
    match request.turns.last_mut() {
        // A user's turn is a message or has none in it: its first part tells.
        Some(turn)
            if turn.role == role
                && (role == Role::Assistant || !turn.parts.first().is_some_and(is_message_part)) =>
        {
            turn.parts.push(part);
        }
        _ => request.turns.push(Turn::new(role, vec![part])),
    }
}

/// Reasoning after a whole answer begins the next one.
fn join_reasoning(request: &mut Request, part: Part) {
    match request.turns.last_mut() {
        Some(turn) if turn.role == Role::Assistant && !turn.parts.last().is_some_and(is_message_part) => {
            turn.parts.push(part);
        }
        _ => request.turns.push(Turn::new(Role::Assistant, vec![part])),
    }
}

fn has_message(turn: &Turn) -> bool {
    turn.parts.iter().any(is_message_part)
}

/// Tells whether a part stands in the content of a message, and is not an item of its own.
pub(in crate::openai_responses) fn is_message_part(part: &Part) -> bool {
    matches!(
        part.kind,
        PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::Image { .. }
            | PartKind::Audio(_)
            | PartKind::File { .. }
    )
}

fn read_message(mut item: Fields, request: &mut Request) -> Result<(), Refused> {
    let role = match item.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => return Err(item.wrong("role", "`user`, `assistant`, `system` or `developer`")),
    };
    if let Some(kind) = content::unknown_kind(&item) {
        // A message that cannot be read in full goes on in full or not at all.
        let mut json = Map::new();
        json.insert("type".to_owned(), Value::String("message".to_owned()));
        json.insert("role".to_owned(), Value::String(role_name(role).to_owned()));
        json.extend(rest(item));
        let part = Part::new(PartKind::Foreign { dialect: OWN, name: kind, json: Value::Object(json) });
        request.turns.push(Turn::new(role, vec![part]));
        return Ok(());
    }
    let mut parts = content::read(&mut item, "content")?;
    let id = item.text("id")?;
    // An empty text goes nowhere, and would have to for the sake of a state.
    if let (Some(id), Some(first)) = (id, parts.iter_mut().find(|part| part.as_text() != Some(""))) {
        first.state = Some(item_id(id));
    }
    let bag = rest_of_item(item);
    // The model said nothing: its turn goes on as it is.
    if role == Role::Assistant
        && parts.is_empty()
        && request.turns.last().is_some_and(|turn| turn.role == role)
    {
        return Ok(());
    }
    match request.turns.last_mut() {
        Some(turn) if role == Role::Assistant && turn.role == role && !has_message(turn) => {
            turn.parts.append(&mut parts);
            turn.bag = bag;
        }
        _ => request.turns.push(Turn { bag, ..Turn::new(role, parts) }),
    }
    Ok(())
}

/// Names a role as items do.
pub(in crate::openai_responses) fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// Keeps what is left of an item. That it is whole goes without saying.
fn rest_of_item(mut item: Fields) -> Bag {
    if item.peek_text("status") == Some("completed") {
        item.take("status");
    }
    item.rest(OWN)
}

fn item_id(id: String) -> Opaque {
    Opaque::Native(State { item_id: Some(id), ..State::native(OWN, "") })
}

fn call(mut item: Fields, input: &str, args: fn(String) -> Args) -> Result<Part, Refused> {
    let id = item.required_text("call_id")?;
    if id.is_empty() {
        return Err(item.wrong("call_id", "the id of a call, which is not empty"));
    }
    let call = ToolCall { id, name: item.required_text("name")?, args: args(item.required_text(input)?) };
    let state = item.text("id")?.map(item_id);
    Ok(Part { state, bag: rest_of_item(item), ..Part::new(PartKind::ToolCall(call)) })
}

fn result(mut item: Fields, free: bool) -> Result<Part, Refused> {
    let id = item.required_text("call_id")?;
    let content = content::read_output(&mut item, "output")?;
    let state = item.text("id")?.map(item_id);
    let result = ToolResult { id, name: None, error: false, free, content };
    Ok(Part { state, bag: rest_of_item(item), ..Part::new(PartKind::ToolResult(result)) })
}

fn reasoning(mut item: Fields) -> Result<Part, Refused> {
    let summary = texts(item.objects("summary")?)?;
    let raw = item.peek("content").cloned();
    let content = texts(item.objects("content")?)?;
    let (text, form) = match (summary, content) {
        (Some(summary), _) => (summary, ReasoningForm::Summary),
        (None, Some(content)) => (content, ReasoningForm::Raw),
        (None, None) => (String::new(), ReasoningForm::Hidden),
    };
    let id = item.text("id")?;
    let state = match item.text("encrypted_content")?.filter(|payload| !payload.is_empty()) {
        Some(payload) if envelope::is_envelope(&payload) => Some(Opaque::Sealed(payload)),
        Some(payload) => Some(Opaque::Native(State { item_id: id, ..State::native(OWN, payload) })),
        None => id.map(item_id),
    };
    let mut left = match rest_of_item(item) {
        bag if bag.is_empty() => Map::new(),
        bag => bag.of(OWN).map(|(name, value)| (name.to_owned(), value.clone())).collect(),
    };
    // A summary beside the text itself: the form has room for one of them.
    if let (ReasoningForm::Summary, Some(raw @ Value::Array(_))) = (form, raw)
        && raw.as_array().is_some_and(|texts| !texts.is_empty())
    {
        left.insert("content".to_owned(), raw);
    }
    let bag = Bag::new(OWN, left);
    Ok(Part { state, bag, ..Part::new(PartKind::Reasoning { text, form }) })
}

/// Joins the texts of a summary; none when there is none.
fn texts(parts: Vec<Fields>) -> Result<Option<String>, Refused> {
    let mut joined: Option<String> = None;
    for mut part in parts {
        let text = part.required_text("text")?;
        match &mut joined {
            Some(joined) => {
                joined.push_str("\n\n");
                joined.push_str(&text);
            }
            None => joined = Some(text),
        }
    }
    Ok(joined)
}
