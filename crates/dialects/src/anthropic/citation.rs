//! Citations: those of web search results have a URL that every dialect can tell; the others name a document of the
//! request and mean something here alone.

use crate::form::Citation;
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

/// Reads a citation. It rests on the whole block that it stands on, so that no place in the text is given.
pub(super) fn read(raw: Value) -> Citation {
    let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::to_owned);
    let url = text("url").or_else(|| text("source").filter(|source| source.starts_with("http")));
    Citation {
        url,
        title: text("title").or_else(|| text("document_title")),
        text: text("cited_text"),
        start: None,
        end: None,
        raw: Some((Dialect::Anthropic, raw)),
    }
}

/// Writes a citation as a client takes it; none when it has no page and is of another dialect.
pub(super) fn write(citation: &Citation) -> Option<Value> {
    if let Some((Dialect::Anthropic, raw)) = &citation.raw {
        return Some(raw.clone());
    }
    let url = citation.url.as_deref()?;
    Some(json!({
        "type": "web_search_result_location",
        "cited_text": citation.text.as_deref().unwrap_or_default(),
        "encrypted_index": "",
        "title": citation.title,
        "url": url,
    }))
}

/// Gives the citation as it may go back to its provider; none for one that [`write`] made of another dialect's,
/// which has no index that the provider knows.
pub(super) fn returned(citation: &Citation) -> Option<&Value> {
    let Some((Dialect::Anthropic, raw)) = &citation.raw else { return None };
    let made = raw.get("encrypted_index").and_then(Value::as_str).is_some_and(str::is_empty);
    (!made).then_some(raw)
}
