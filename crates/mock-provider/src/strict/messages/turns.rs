//! The order of turns, of calls and their results, and of thoughts.

use super::{Check, Refusal, blocks};
use crate::{
    strict::list,
    wire::{messages::THOUGHT_CALL, tools::text_of},
};
use serde_json::Value;

/// Looks through the turns of a request in which the model `thinks` or not.
pub(super) fn check(messages: &[Value], thinks: bool) -> Check {
    if messages.first().map(|first| text_of(first, "role")) != Some("user") {
        return Err(Refusal::new("messages: first message must use the \"user\" role"));
    }
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text_of(message, "role");
        match role {
            "user" => results(message, at, &mut open)?,
            "assistant" if open.is_empty() => {
                open = list(message.get("content"))
                    .iter()
                    .filter(|block| text_of(block, "type") == "tool_use")
                    .map(|block| text_of(block, "id"))
                    .collect();
            }
            "assistant" => return Err(unanswered(at, &open)),
            "system" => {}
            other => {
                let text =
                    format!("messages.{at}.role: Input should be 'user' or 'assistant', not '{other}'");
                return Err(Refusal::new(text));
            }
        }
        content(message, at, role)?;
    }
    if !open.is_empty() {
        return Err(unanswered(messages.len(), &open));
    }
    if thinks { thoughts(messages) } else { Ok(()) }
}

fn unanswered(at: usize, open: &[&str]) -> Refusal {
    let before = at.saturating_sub(1);
    Refusal::new(format!(
        "messages.{before}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        open.join(", ")
    ))
}

/// Matches the results of a user turn with the open calls; all of them come first, in one turn.
fn results(message: &Value, at: usize, open: &mut Vec<&str>) -> Check {
    let mut others = false;
    for block in list(message.get("content")) {
        if text_of(block, "type") != "tool_result" {
            others = true;
            continue;
        }
        let id = text_of(block, "tool_use_id");
        let Some(index) = open.iter().position(|known| *known == id) else {
            let text = format!(
                "messages.{at}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            );
            return Err(Refusal::new(text));
        };
        if others {
            let text = format!("messages.{at}: `tool_result` blocks must come first in the message");
            return Err(Refusal::new(text));
        }
        open.remove(index);
    }
    if open.is_empty() { Ok(()) } else { Err(unanswered(at, open)) }
}

fn content(message: &Value, at: usize, role: &str) -> Check {
    match message.get("content") {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(Value::Array(list)) if !list.is_empty() => {
            let place = |index| format!("messages.{at}.content.{index}");
            let mut blocks = list.iter().enumerate();
            blocks.try_for_each(|(index, block)| blocks::check(block, &place(index), role))
        }
        _ => Err(Refusal::new(format!("messages.{at}: all messages must have non-empty content"))),
    }
}

/// Looks for the thoughts of the latest assistant turn: a call that followed a thought comes back with it.
fn thoughts(messages: &[Value]) -> Check {
    let latest =
        messages.iter().enumerate().rev().find(|(_, message)| text_of(message, "role") == "assistant");
    let Some((at, message)) = latest else { return Ok(()) };
    let mut thought = false;
    for block in list(message.get("content")) {
        thought |= matches!(text_of(block, "type"), "thinking" | "redacted_thinking");
        if text_of(block, "id").starts_with(THOUGHT_CALL) && !thought {
            let text = format!(
                "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            );
            return Err(Refusal::new(text));
        }
    }
    Ok(())
}
