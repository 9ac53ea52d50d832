//! The events of a stream, numbered.

use super::block::{Block, Kind, Message};
use crate::{
    form::{Citation, ReasoningForm},
    json::Object,
    openai_responses::{annotation, item},
};
use serde_json::Value;

/// Writes events; each has the next number.
#[derive(Default)]
pub(super) struct Events {
    /// The number of the next event.
    pub(super) next: u64,
}

impl Events {
    /// Appends one event.
    pub(super) fn write(&mut self, kind: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let mut event = Object::new(out);
        event.field("type", kind).field("sequence_number", &self.next);
        fields(&mut event);
        drop(event);
        out.extend_from_slice(b"\n\n");
        self.next = self.next.saturating_add(1);
    }

    /// Announces an item, with nothing in it.
    pub(super) fn item_added(&mut self, block: &Block, item: &Message, out: &mut Vec<u8>) {
        let json = match &block.kind {
            Kind::Text | Kind::Refusal => item::message(&item.id, "in_progress", ""),
            Kind::Reasoning(_) => item::reasoning(&item.id, ReasoningForm::Hidden, "", None),
            Kind::Call { id, name, free } => item::call(&item::Call {
                id: &item.id,
                call_id: id,
                name,
                free: *free,
                input: "",
                status: "in_progress",
            }),
        };
        self.write("response.output_item.added", out, |event| {
            event.field("output_index", &item.place).raw("item", &json);
        });
    }

    /// Announces the part of the item that the block is, where there are parts.
    pub(super) fn part_added(&mut self, block: &Block, item: &Message, out: &mut Vec<u8>) {
        let kind = match block.kind {
            Kind::Reasoning(ReasoningForm::Summary) => "response.reasoning_summary_part.added",
            Kind::Call { .. } | Kind::Reasoning(ReasoningForm::Hidden) => return,
            Kind::Text | Kind::Refusal | Kind::Reasoning(ReasoningForm::Raw) => "response.content_part.added",
        };
        self.write(kind, out, |event| {
            place(event, block, item);
            event.raw("part", &part(block, true));
        });
    }

    /// Tells more of a block.
    pub(super) fn delta(&mut self, block: &Block, text: &str, out: &mut Vec<u8>) {
        let (Some(item), false) = (&block.item, text.is_empty()) else { return };
        let kind = match &block.kind {
            Kind::Text => "response.output_text.delta",
            Kind::Refusal => "response.refusal.delta",
            Kind::Reasoning(ReasoningForm::Raw) => "response.reasoning_text.delta",
            Kind::Reasoning(_) => "response.reasoning_summary_text.delta",
            Kind::Call { free: false, .. } => "response.function_call_arguments.delta",
            Kind::Call { free: true, .. } => "response.custom_tool_call_input.delta",
        };
        self.write(kind, out, |event| {
            place(event, block, item);
            event.field("delta", text);
            if block.kind == Kind::Text {
                event.raw("logprobs", "[]");
            }
        });
    }

    /// Tells of log probabilities of what was just said: with a piece of text of no length, as that went out before.
    pub(super) fn logprobs(&mut self, block: &mut Block, content: &[Value], out: &mut Vec<u8>) {
        let Some(item) = &block.item else { return };
        self.write("response.output_text.delta", out, |event| {
            place(event, block, item);
            event.field("delta", "").field("logprobs", content);
        });
        block.logprobs.extend_from_slice(content);
    }

    /// Tells of a citation.
    pub(super) fn citation(&mut self, block: &mut Block, citation: &Citation, out: &mut Vec<u8>) {
        let length = u64::try_from(block.text.chars().count()).unwrap_or(u64::MAX);
        let (Some(item), Some(annotation)) = (&block.item, annotation::write(citation, length)) else {
            return;
        };
        self.write("response.output_text.annotation.added", out, |event| {
            place(event, block, item);
            event.field("annotation_index", &block.annotations.len()).field("annotation", &annotation);
        });
        block.annotations.push(annotation);
    }

    /// Ends what the block is of its item, and keeps it for the item's own end.
    pub(super) fn part_done(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        let Some(item) = &block.item else { return };
        let (whole, ended) = match &block.kind {
            Kind::Text => ("response.output_text.done", "response.content_part.done"),
            Kind::Refusal => ("response.refusal.done", "response.content_part.done"),
            Kind::Reasoning(ReasoningForm::Hidden) => return,
            Kind::Reasoning(ReasoningForm::Raw) => {
                ("response.reasoning_text.done", "response.content_part.done")
            }
            Kind::Reasoning(ReasoningForm::Summary) => {
                ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
            }
            Kind::Call { free: false, .. } => ("response.function_call_arguments.done", ""),
            Kind::Call { free: true, .. } => ("response.custom_tool_call_input.done", ""),
        };
        self.write(whole, out, |event| {
            place(event, block, item);
            match &block.kind {
                Kind::Text => _ = event.field("text", &block.text).field("logprobs", &block.logprobs),
                Kind::Refusal => _ = event.field("refusal", &block.text),
                Kind::Reasoning(_) => _ = event.field("text", &block.text),
                Kind::Call { name, free: false, .. } => {
                    event.field("name", name).field("arguments", &block.text);
                }
                Kind::Call { free: true, .. } => _ = event.field("input", &block.text),
            }
        });
        if ended.is_empty() {
            return;
        }
        let json = part(block, false);
        self.write(ended, out, |event| {
            place(event, block, item);
            event.raw("part", &json);
        });
        if let (true, Some(message)) = (block.is_said(), &mut block.item) {
            if message.count > 0 {
                message.parts.push(',');
            }
            message.parts.push_str(&json);
            message.count = message.count.saturating_add(1);
        }
    }
}

/// Writes where in the output a block stands.
fn place(event: &mut Object<'_>, block: &Block, item: &Message) {
    event.field("item_id", &item.id).field("output_index", &item.place);
    match block.kind {
        Kind::Text | Kind::Refusal => _ = event.field("content_index", &item.count),
        Kind::Reasoning(ReasoningForm::Raw) => _ = event.field("content_index", &0),
        Kind::Reasoning(_) => _ = event.field("summary_index", &0),
        Kind::Call { .. } => {}
    }
}

/// Writes the part that a block is, as it is or before anything was said.
fn part(block: &Block, empty: bool) -> String {
    let text = if empty { "" } else { &block.text };
    match block.kind {
        Kind::Reasoning(form) => {
            let kind = if form == ReasoningForm::Raw { "reasoning_text" } else { "summary_text" };
            let mut out = Vec::new();
            Object::new(&mut out).field("type", kind).field("text", text);
            String::from_utf8(out).unwrap_or_default()
        }
        _ if empty => item::part(block.kind == Kind::Refusal, "", &[], &[]),
        _ => item::part(block.kind == Kind::Refusal, text, &block.annotations, &block.logprobs),
    }
}
