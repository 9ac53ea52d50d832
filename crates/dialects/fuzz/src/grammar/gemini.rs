//! Gemini: whole response objects, as events or as the elements of one array.

use super::{Event, must, object};
use serde_json::Value;

pub(super) fn stream(events: &[Event<'_>], ended: bool) -> Result<(), String> {
    let mut elements = Vec::new();
    for (name, data) in events {
        must(name.is_empty(), "events have no names")?;
        elements.push(object(data)?);
    }
    check(&elements, ended)
}

pub(super) fn array(text: &str, ended: bool) -> Result<(), String> {
    let closed = match (ended, text.is_empty(), text.ends_with(']')) {
        (_, true, _) => "[]".to_owned(),
        (false, _, false) => format!("{text}]"),
        _ => text.to_owned(),
    };
    match serde_json::from_str(&closed) {
        Ok(Value::Array(elements)) => check(&elements, ended),
        _ => Err(format!("not a JSON array: {closed}")),
    }
}

fn check(elements: &[Value], ended: bool) -> Result<(), String> {
    let mut why = None;
    for element in elements {
        must(element["responseId"].is_string(), format!("no responseId: {element}"))?;
        must(element.get("error").is_none(), "an error that nobody asked for")?;
        for candidate in element["candidates"].as_array().into_iter().flatten() {
            let parts = candidate["content"]["parts"].as_array();
            must(parts.is_none_or(|parts| parts.iter().all(Value::is_object)), "a part is no object")?;
            why = candidate.get("finishReason").or(why);
        }
        why = element.get("promptFeedback").or(why);
    }
    must(!ended || why.is_some(), "it ended and does not say why")
}
