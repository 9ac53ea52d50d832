//! Anthropic messages: blocks one after the other, numbered without gaps.

use super::{Event, must, object};
use serde_json::Value;

#[derive(Default)]
struct Walk {
    started: bool,
    next: u64,
    open: Option<String>,
    over: bool,
    stopped: bool,
}

pub(super) fn check(events: &[Event<'_>], ended: bool) -> Result<(), String> {
    let mut walk = Walk::default();
    for (name, data) in events {
        let event = object(data)?;
        must(event["type"] == *name, format!("the event {name} has another type: {data}"))?;
        walk.event(name, &event).map_err(|complaint| format!("{complaint}: {data}"))?;
    }
    must(!ended || walk.stopped, "it ended without message_stop")
}

impl Walk {
    fn event(&mut self, name: &str, event: &Value) -> Result<(), String> {
        must(!self.stopped, "something comes after message_stop")?;
        must(self.started || name == "message_start", "it does not begin with message_start")?;
        match name {
            "message_start" => {
                must(!self.started, "it starts twice")?;
                self.started = true;
                must(event["message"]["content"] == serde_json::json!([]), "it starts with content")?;
                must(event["message"]["usage"]["input_tokens"].is_u64(), "it starts without usage")
            }
            "content_block_start" => {
                must(self.open.is_none() && !self.over, "a block begins where none can")?;
                must(event["index"] == self.next, "the index has a gap")?;
                let kind = event["content_block"]["type"].as_str().ok_or("a block without a type")?;
                self.open = Some(kind.to_owned());
                self.next += 1;
                Ok(())
            }
            "content_block_delta" => self.delta(event),
            "content_block_stop" => {
                must(self.open.take().is_some() && event["index"] == self.next - 1, "no such block is open")
            }
            "message_delta" => {
                must(self.open.is_none(), "a block is open")?;
                self.over = true;
                must(event["usage"]["output_tokens"].is_u64(), "there is no usage")
            }
            "message_stop" => {
                self.stopped = true;
                must(self.over, "there is no message_delta before")
            }
            "ping" => Ok(()),
            _ => Err("no such event is known".to_owned()),
        }
    }

    fn delta(&self, event: &Value) -> Result<(), String> {
        let open = self.open.as_deref().ok_or("no block is open")?;
        must(event["index"] == self.next.saturating_sub(1), "the index is of another block")?;
        let fits = match event["delta"]["type"].as_str().unwrap_or_default() {
            "text_delta" | "citations_delta" => open == "text",
            "input_json_delta" => open == "tool_use",
            "thinking_delta" | "signature_delta" => open == "thinking",
            _ => false,
        };
        must(fits, format!("it does not fit a block of {open}"))
    }
}
