//! Content blocks, as parts: those of a client's request, and those of a provider's answer.

use super::super::citation;
use crate::{
    envelope,
    form::{
        Args, CacheMark, Media, Opaque, Part, PartKind, ReasoningForm, Refused, State, ToolCall, ToolResult,
    },
    json::Fields,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Reads the content of a message or of a tool's result: a string, or blocks; nothing when it is absent.
pub(super) fn content(fields: &mut Fields, key: &str) -> Result<Vec<Part>, Refused> {
    match fields.peek(key) {
        None => Ok(Vec::new()),
        Some(Value::String(_)) => Ok(fields.text(key)?.map(Part::text).into_iter().collect()),
        Some(Value::Array(_)) => fields.objects(key)?.into_iter().map(block).collect(),
        Some(_) => Err(fields.wrong(key, "a string or an array of blocks")),
    }
}

/// Reads one block. A block of a type, or with a source, that is not known is kept as it is.
pub(in super::super) fn block(mut fields: Fields) -> Result<Part, Refused> {
    let name = fields.peek_text("type").ok_or_else(|| fields.missing("type"))?.to_owned();
    if !is_known(&name, &fields) {
        let kind = PartKind::Foreign { dialect: Dialect::Anthropic, name, json: fields.into_value() };
        return Ok(Part::new(kind));
    }
    fields.take("type");
    let cache = cache_mark(&mut fields);
    let mut state = None;
    let kind = match name.as_str() {
        "text" => text(&mut fields)?,
        "image" => PartKind::Image { media: media(&mut fields)?, detail: None },
        "document" => PartKind::File { media: media(&mut fields)?, name: fields.text("title")? },
        "tool_use" => PartKind::ToolCall(tool_call(&mut fields)?),
        "tool_result" => PartKind::ToolResult(tool_result(&mut fields)?),
        "thinking" => {
            let text = fields.text("thinking")?.unwrap_or_default();
            state = fields.text("signature")?.and_then(|signature| opaque(signature, false));
            PartKind::Reasoning { text, form: ReasoningForm::Summary }
        }
        _ => {
            state = opaque(fields.required_text("data")?, true);
            PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden }
        }
    };
    Ok(Part { kind, cache, state, bag: fields.rest(Dialect::Anthropic) })
}

fn is_known(name: &str, fields: &Fields) -> bool {
    let source = || fields.peek("source").and_then(|source| source.get("type")).and_then(Value::as_str);
    match name {
        "text" | "thinking" | "redacted_thinking" | "tool_use" | "tool_result" => true,
        "image" => matches!(source(), Some("base64" | "url" | "file")),
        "document" => matches!(source(), Some("base64" | "url" | "file" | "text")),
        _ => false,
    }
}

fn text(fields: &mut Fields) -> Result<PartKind, Refused> {
    let text = fields.required_text("text")?;
    let citations = fields.list("citations")?.into_iter().map(citation::read).collect();
    Ok(PartKind::Text { text, citations })
}

fn media(fields: &mut Fields) -> Result<Media, Refused> {
    let mut source = fields.required_object("source")?;
    let media = match source.peek_text("type") {
        Some("url") => Media::Url { url: source.required_text("url")?, mime: None },
        Some("file") => Media::FileId { dialect: Dialect::Anthropic, id: source.required_text("file_id")? },
        Some("text") => Media::Text(source.required_text("data")?),
        _ => {
            Media::Inline { mime: source.required_text("media_type")?, base64: source.required_text("data")? }
        }
    };
    Ok(media)
}

fn tool_call(fields: &mut Fields) -> Result<ToolCall, Refused> {
    let id = fields.required_text("id")?;
    let name = fields.required_text("name")?;
    let args = verbatim(fields, "input")?.map_or_else(|| "{}".to_owned(), |input| input.to_string());
    Ok(ToolCall { id, name, args: Args::Json(args) })
}

fn tool_result(fields: &mut Fields) -> Result<ToolResult, Refused> {
    Ok(ToolResult {
        id: fields.required_text("tool_use_id")?,
        name: None,
        error: fields.flag("is_error")?.unwrap_or_default(),
        free: false,
        content: content(fields, "content")?,
    })
}

/// Takes an object as it is: a null in it says something.
pub(super) fn verbatim(fields: &mut Fields, key: &str) -> Result<Option<Value>, Refused> {
    match fields.take(key) {
        None => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(object)),
        Some(_) => Err(fields.wrong(key, "an object")),
    }
}

/// Reads a signature: the provider's own, or an envelope of ours; an empty one is none.
pub(in super::super) fn opaque(payload: String, redacted: bool) -> Option<Opaque> {
    if payload.is_empty() {
        None
    } else if envelope::is_envelope(&payload) {
        Some(Opaque::Sealed(payload))
    } else {
        Some(Opaque::Native(State { redacted, ..State::native(Dialect::Anthropic, payload) }))
    }
}

/// Takes `cache_control`. What it says beside the time to live, as a scope, is a hint on caching as well and is not
/// kept; a mark of a type that nobody here knows stays with what only this dialect understands.
pub(in super::super) fn cache_mark(fields: &mut Fields) -> Option<CacheMark> {
    let mark = fields.peek("cache_control")?;
    let is_known = mark.get("type").and_then(Value::as_str) == Some("ephemeral");
    let mark = if is_known { fields.take("cache_control") } else { None }?;
    Some(CacheMark { ttl: mark.get("ttl").and_then(Value::as_str).map(str::to_owned) })
}
