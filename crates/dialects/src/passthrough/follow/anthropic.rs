//! Anthropic Messages: what is open is closed, then the reason is told, then the end.

use super::said;
use crate::json::Object;
use cliproxy_domain::TokenUsage;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// More blocks than any answer has open.
const MAX_OPEN: usize = 1_024;

/// Which blocks are open, and whether the reason of the end was told.
#[derive(Debug, Default)]
pub(in crate::passthrough) struct Follower {
    open: BTreeSet<u64>,
    told: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: Option<&'a str>,
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_json: Option<&'a RawValue>,
}

impl Follower {
    pub(super) fn event(&mut self, data: &[u8]) -> usize {
        let Ok(Event { r#type, index, delta }) = serde_json::from_slice::<Event<'_>>(data) else { return 0 };
        match (r#type.unwrap_or_default(), index) {
            ("content_block_start", Some(index)) if self.open.len() < MAX_OPEN => _ = self.open.insert(index),
            ("content_block_stop", Some(index)) => _ = self.open.remove(&index),
            ("content_block_delta", _) => {
                let parts = delta.map(|delta| [delta.text, delta.thinking, delta.partial_json]);
                return parts.into_iter().flatten().map(said).sum();
            }
            ("message_delta", _) => self.told = true,
            _ => {}
        }
        0
    }

    pub(super) fn end(&self, usage: &TokenUsage, out: &mut Vec<u8>) {
        for index in &self.open {
            write(out, "content_block_stop", |event| _ = event.field("index", index));
        }
        if !self.told {
            write(out, "message_delta", |event| {
                event.object("delta").field("stop_reason", "max_tokens").raw("stop_sequence", "null");
                event.object("usage").field("output_tokens", &usage.output);
            });
        }
        write(out, "message_stop", |_| {});
    }
}

fn write(out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut event = Object::new(out);
    event.field("type", kind);
    fields(&mut event);
    drop(event);
    out.extend_from_slice(b"\n\n");
}
