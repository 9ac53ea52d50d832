//! OpenAI Responses: §3.4 of the wire formats.

use super::event::{Seen, parse, plain_text};
use crate::{classify, framing::StartedResponse, json::says_something};
use cliproxy_domain::{AttemptError, Dialect};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::str::FromStr;

/// Ids and model names beyond this many bytes are not kept.
const MAX_KEPT_BYTES: usize = 256;

/// What `response.failed` would have to repeat.
#[derive(Debug, Default)]
pub(super) struct Watch {
    started: Option<StartedResponse>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl Watch {
    /// Gives what the stream announced, when it did.
    pub(super) fn started(&self) -> Option<StartedResponse> {
        self.started.clone()
    }

    pub(super) fn event(&mut self, seen: &mut Seen, name: &[u8], data: &[u8]) -> Result<(), AttemptError> {
        self.look(seen, name, data)?;
        if let Some(started) = &mut self.started {
            started.next_sequence = started.next_sequence.saturating_add(1);
        }
        Ok(())
    }

    fn look(&mut self, seen: &mut Seen, name: &[u8], data: &[u8]) -> Result<(), AttemptError> {
        if seen.semantic && passes_unread(name) {
            seen.content_events += u64::from(name.ends_with(b".delta"));
            return Ok(());
        }
        if name == b"error" {
            return Err(classify::in_stream_bytes(data));
        }
        let Some(event) = parse::<Event<'_>>(data)? else { return Ok(()) };
        let kind = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        match kind.unwrap_or_else(|| plain_text(event.r#type)) {
            "error" => return Err(classify::in_stream_bytes(data)),
            "response.failed" => return Err(failed(&event)),
            "response.created" => self.begin(&event),
            // Some servers end with `response.done` (pitfall 19).
            "response.completed" | "response.incomplete" | "response.done" => return end(seen, &event),
            "response.output_item.added" => {
                let item = event.item.as_ref().map_or("", |item| plain_text(item.r#type));
                seen.semantic |= item != "message";
            }
            kind if kind.ends_with(".delta") => seen.content(),
            kind if kind.ends_with(".done") => seen.semantic = true,
            "" if says_something(event.error) => return Err(classify::in_stream_bytes(data)),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, event: &Event<'_>) {
        let Some(response) = &event.response else { return };
        self.started = Some(StartedResponse {
            id: kept(response.id),
            model: kept(response.model),
            created_at: number(response.created_at).unwrap_or(0),
            next_sequence: number(event.sequence_number).unwrap_or(0),
            output: String::new(),
        });
    }
}

/// Tells whether an event after the first semantic one changes nothing that is watched.
fn passes_unread(name: &[u8]) -> bool {
    name.starts_with(b"response.")
        && !matches!(
            name,
            b"response.created"
                | b"response.failed"
                | b"response.completed"
                | b"response.incomplete"
                | b"response.done"
        )
}

fn end(seen: &mut Seen, event: &Event<'_>) -> Result<(), AttemptError> {
    if let Some(response) = &event.response {
        if plain_text(response.status) == "failed" {
            return Err(failed(event));
        }
        seen.usage(Dialect::OpenAiResponses, response.usage);
    }
    seen.end();
    Ok(())
}

fn failed(event: &Event<'_>) -> AttemptError {
    let error = event.response.as_ref().and_then(|response| response.error);
    classify::in_stream(error.map_or("null", RawValue::get))
}

fn number<T: FromStr>(raw: Option<&RawValue>) -> Option<T> {
    raw?.get().parse().ok()
}

fn kept(raw: Option<&RawValue>) -> String {
    raw.filter(|raw| raw.get().len() <= MAX_KEPT_BYTES)
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
