//! Annotations of text: where it was found.

use crate::form::Citation;
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

/// Reads an annotation.
pub(super) fn read(annotation: Value) -> Citation {
    let text = |key: &str| annotation.get(key).and_then(Value::as_str).map(str::to_owned);
    let place = |key: &str| annotation.get(key).and_then(Value::as_u64);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        text: None,
        start: place("start_index"),
        end: place("end_index"),
        raw: Some((Dialect::OpenAiResponses, annotation)),
    }
}

/// Writes a citation of a text of `length` characters; none when it leads nowhere.
pub(super) fn write(citation: &Citation, length: u64) -> Option<Value> {
    if let Some((Dialect::OpenAiResponses, raw)) = &citation.raw {
        return Some(raw.clone());
    }
    let url = citation.url.as_deref()?;
    Some(json!({
        "type": "url_citation",
        "start_index": citation.start.unwrap_or(0),
        "end_index": citation.end.unwrap_or(length),
        "url": url,
        // The type requires a title.
        "title": citation.title.as_deref().unwrap_or(url),
    }))
}
