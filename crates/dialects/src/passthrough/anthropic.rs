//! Anthropic Messages: §4.5 of the wire formats.

use super::event::{Seen, parse, plain_text};
use crate::{classify, json::says_something};
use cliproxy_domain::{AttemptError, Dialect};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Needs no memory of its own: each event says what it is.
#[derive(Debug)]
pub(super) struct Watch;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
}

impl Watch {
    pub(super) fn event(&mut self, seen: &mut Seen, name: &[u8], data: &[u8]) -> Result<(), AttemptError> {
        if seen.semantic && passes_unread(name) {
            seen.content_events += u64::from(name == b"content_block_delta");
            return Ok(());
        }
        if name == b"error" {
            return Err(classify::in_stream_bytes(data));
        }
        let Some(event) = parse::<Event<'_>>(data)? else { return Ok(()) };
        let kind = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        match kind.unwrap_or_else(|| plain_text(event.r#type)) {
            "error" => return Err(classify::in_stream_bytes(data)),
            "message_start" => {
                seen.usage(Dialect::Anthropic, event.message.and_then(|message| message.usage));
            }
            "content_block_start" => {
                seen.semantic |= event
                    .content_block
                    .is_some_and(|block| plain_text(block.r#type) != "text" || says_something(block.text));
            }
            "content_block_delta" => seen.content(),
            "message_delta" => {
                seen.usage(Dialect::Anthropic, event.usage);
                if event.delta.is_some_and(|delta| says_something(delta.stop_reason)) {
                    seen.end();
                }
            }
            "message_stop" => seen.end(),
            "" if says_something(event.error) => return Err(classify::in_stream_bytes(data)),
            _ => {}
        }
        Ok(())
    }
}

/// Tells whether an event after the first semantic one changes nothing that is watched.
fn passes_unread(name: &[u8]) -> bool {
    !matches!(name, b"" | b"message_start" | b"message_delta" | b"message_stop" | b"error")
}
