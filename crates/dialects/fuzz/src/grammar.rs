//! What a client may rely on in a stream that was written for it (§2.5, §3.4, §4.5 and §5.5 of the wire formats).

mod anthropic;
mod chat;
mod gemini;
mod responses;

use cliproxy_dialects::Framing;
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Says what is wrong with `written`; `ended` tells whether the stream came to its proper end.
pub(crate) fn check(client: Dialect, framing: Framing, written: &[u8], ended: bool) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|_| "it is not UTF-8")?;
    if framing == Framing::JsonArray {
        return gemini::array(text, ended);
    }
    let events = events(text, if client == Dialect::Gemini { "\r\n" } else { "\n" })?;
    match client {
        Dialect::OpenAiChat => chat::check(&events, ended),
        Dialect::OpenAiResponses => responses::check(&events, ended),
        Dialect::Anthropic => anthropic::check(&events, ended),
        Dialect::Gemini => gemini::stream(&events, ended),
    }
}

/// One event: its name, empty when it has none, and its data.
type Event<'a> = (&'a str, &'a str);

/// Splits a stream into its events; each has at most a name and one line of data, as the SDKs want it.
fn events<'a>(text: &'a str, eol: &str) -> Result<Vec<Event<'a>>, String> {
    let end = eol.repeat(2);
    let mut events = Vec::new();
    for event in text.split_terminator(end.as_str()) {
        let mut lines: Vec<&str> = event.split(eol).collect();
        let data = lines.pop().and_then(|line| line.strip_prefix("data: "));
        let name = lines.pop().map_or(Some(""), |line| line.strip_prefix("event: "));
        match (name, data, lines.is_empty()) {
            (Some(name), Some(data), true) => events.push((name, data)),
            _ => return Err(format!("an event of other lines: {event:?}")),
        }
    }
    let whole = text.is_empty() || text.ends_with(end.as_str());
    whole.then_some(events).ok_or_else(|| "it ends within an event".to_owned())
}

fn object(data: &str) -> Result<Value, String> {
    match serde_json::from_str(data) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(format!("not a JSON object: {data}")),
    }
}

/// Complains unless `holds`.
fn must(holds: bool, complaint: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint.into()) }
}
