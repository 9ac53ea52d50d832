//! Content blocks.

use super::{Check, Refusal, extra};
use crate::strict::{is_base64, is_plain, list, lists, unknown};
use crate::wire::{
    signature::{On, holds},
    tools::text_of,
};
use serde_json::Value;

/// The blocks that each place may have, and the fields of each block. Server tools' blocks are not looked into.
const PLACES: &[(&str, &str)] = &[
    ("system", "text"),
    ("user", "text image document search_result tool_result container_upload"),
    ("assistant", "text thinking redacted_thinking tool_use server_tool_use"),
    ("tool_result", "text image document search_result tool_reference"),
];
const FIELDS: &[(&str, &str)] = &[
    ("text", "type text citations cache_control"),
    ("image", "type source cache_control"),
    ("document", "type source title context citations cache_control"),
    ("thinking", "type thinking signature"),
    ("redacted_thinking", "type data"),
    ("tool_use", "type id name input cache_control caller"),
    ("tool_result", "type tool_use_id content is_error cache_control"),
];
const IMAGES: &str = "image/jpeg image/png image/gif image/webp";

/// Gives the words for a name in a table.
fn entry(table: &[(&str, &'static str)], name: &str) -> &'static str {
    table.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| words)
}

/// Looks through a block at `place`, in a turn of `role` or in a tool's result.
pub(super) fn check(block: &Value, place: &str, role: &str) -> Check {
    let kind = text_of(block, "type");
    let server = role == "assistant" && kind.ends_with("_tool_result");
    if !server && !lists(entry(PLACES, role), kind) {
        let text = format!("{place}: Input tag '{kind}' does not match any of the expected tags");
        return Err(Refusal::new(text));
    }
    let fields = entry(FIELDS, kind);
    if let (false, Some(object)) = (fields.is_empty(), block.as_object())
        && let Some(name) = unknown(object, fields)
    {
        return Err(extra(&format!("{place}.{kind}.{name}")));
    }
    match kind {
        "text" if text_of(block, "text").is_empty() => {
            Err(Refusal::new("messages: text content blocks must be non-empty"))
        }
        "image" => image(block, place),
        "thinking" if !holds(text_of(block, "signature"), On::Thinking, text_of(block, "thinking")) => {
            Err(Refusal::new(format!("{place}: Invalid `signature` in `thinking` block")))
        }
        "tool_use" => tool_use(block, place),
        "tool_result" => tool_result(block, place),
        _ => Ok(()),
    }
}

fn image(block: &Value, place: &str) -> Check {
    let source = block.get("source").cloned().unwrap_or_default();
    match text_of(&source, "type") {
        "base64" if !lists(IMAGES, text_of(&source, "media_type")) => {
            let text = format!("{place}.image.source.base64.media_type: Input should be one of {IMAGES}");
            Err(Refusal::new(text))
        }
        "base64" if !is_base64(text_of(&source, "data")) => {
            Err(Refusal::new(format!("{place}.image.source.base64.data: invalid base64 data")))
        }
        "base64" | "file" => Ok(()),
        "url" if text_of(&source, "url").starts_with("https://") => Ok(()),
        other => {
            let text = format!("{place}.image.source: a source of type '{other}' is not valid here");
            Err(Refusal::new(text))
        }
    }
}

fn tool_use(block: &Value, place: &str) -> Check {
    let id = text_of(block, "id");
    if !is_plain(id, 512) {
        let text = format!("{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
        return Err(Refusal::new(text));
    }
    if !is_plain(text_of(block, "name"), 200) {
        return Err(Refusal::new(format!(
            "{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
        )));
    }
    if !block.get("input").is_some_and(Value::is_object) {
        return Err(Refusal::new(format!("{place}.tool_use.input: Input should be a valid dictionary")));
    }
    Ok(())
}

fn tool_result(block: &Value, place: &str) -> Check {
    for (at, inner) in list(block.get("content")).iter().enumerate() {
        check(inner, &format!("{place}.tool_result.content.{at}"), "tool_result")?;
    }
    Ok(())
}
