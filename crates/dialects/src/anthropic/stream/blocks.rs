//! Blocks one after the other: Anthropic's clients know one open block at a time, other dialects' providers may fill
//! several. What comes of a block while another is open waits until that one is closed.

use super::super::{citation, pocket};
use crate::{
    form::{BlockKind, Citation, Opaque, Place},
    json::{self, Object},
    tool_ids,
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;
use std::collections::VecDeque;

/// What is said of an open block.
#[derive(Debug)]
pub(super) enum Op {
    Delta(String),
    State(Opaque),
    Cite(Box<Citation>),
}

/// What a block is towards a client.
#[derive(Debug)]
enum Kind {
    Text,
    Reasoning,
    Call { id: String, name: String, free: bool },
}

impl Kind {
    fn of(kind: &BlockKind<'_>) -> Self {
        match kind {
            BlockKind::Text | BlockKind::Refusal => Kind::Text,
            BlockKind::Reasoning(_) => Kind::Reasoning,
            BlockKind::ToolCall { id, name, free } => Kind::Call {
                id: tool_ids::fitted(id, Dialect::Anthropic, usize::MAX).into_owned(),
                name: name.clone().into_owned(),
                free: *free,
            },
        }
    }
}

/// The blocks of one answer.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    next: Indexes,
    current: Option<Box<Block>>,
    waiting: VecDeque<Waiting>,
}

/// Numbers the blocks that are written, from 0 without gaps.
#[derive(Debug, Default)]
struct Indexes {
    next: u64,
    /// The signature of the text that was written last. It goes after the text, but only before another block: clients
    /// take the last block of an answer for its result, and Gemini does without the signature of a last text.
    after_text: Option<String>,
}

impl Indexes {
    fn take(&mut self, out: &mut Vec<u8>) -> u64 {
        if let Some(signature) = self.after_text.take() {
            carrier(&signature, self, out);
        }
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }
}

#[derive(Debug)]
struct Waiting {
    block: Block,
    ops: Vec<Op>,
    closed: bool,
}

/// The block that is being written. Its start is written with its first content, for a block of text without text
/// would make the conversation unusable (pitfalls 3 and 31 of the wire formats).
#[derive(Debug)]
struct Block {
    number: u32,
    kind: Kind,
    /// Its index, once its start is written.
    index: Option<u64>,
    /// A call's arguments, where they must wait for the signature that goes before the call.
    held: Option<String>,
    /// The state that its end writes.
    state: Option<Opaque>,
}

impl Blocks {
    /// Opens a block, or has it wait.
    pub(super) fn open(&mut self, number: u32, kind: &BlockKind<'_>, context: &ReplyContext) {
        let kind = Kind::of(kind);
        let hold = context.upstream == Dialect::Gemini && matches!(kind, Kind::Call { .. });
        let held = hold.then(String::new);
        let block = Block { number, kind, index: None, held, state: None };
        if self.current.is_some() {
            self.waiting.push_back(Waiting { block, ops: Vec::new(), closed: false });
        } else {
            self.current = Some(Box::new(block));
        }
    }

    /// Adds text to a block.
    pub(super) fn delta(&mut self, number: u32, text: &str, out: &mut Vec<u8>) {
        match &mut self.current {
            Some(block) if block.number == number => block.delta(text, &mut self.next, out),
            _ => {
                let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block.number == number)
                else {
                    return;
                };
                match waiting.ops.last_mut() {
                    Some(Op::Delta(before)) => before.push_str(text),
                    _ => waiting.ops.push(Op::Delta(text.to_owned())),
                }
            }
        }
    }

    /// Adds something else to a block.
    pub(super) fn op(&mut self, number: u32, op: Op, context: &ReplyContext, out: &mut Vec<u8>) {
        match &mut self.current {
            Some(block) if block.number == number => block.op(op, context, &mut self.next, out),
            _ => {
                let found = self.waiting.iter_mut().find(|waiting| waiting.block.number == number);
                if let Some(waiting) = found {
                    waiting.ops.push(op);
                }
            }
        }
    }

    /// Closes a block, and goes on with those that waited for it.
    pub(super) fn close(&mut self, number: u32, context: &ReplyContext, out: &mut Vec<u8>) {
        if self.current.as_ref().is_none_or(|block| block.number != number) {
            let found = self.waiting.iter_mut().find(|waiting| waiting.block.number == number);
            if let Some(waiting) = found {
                waiting.closed = true;
            }
            return;
        }
        if let Some(block) = self.current.take() {
            block.end(context, &mut self.next, out);
        }
        while let Some(Waiting { mut block, ops, closed }) = self.waiting.pop_front() {
            ops.into_iter().for_each(|op| block.op(op, context, &mut self.next, out));
            if !closed {
                self.current = Some(Box::new(block));
                return;
            }
            block.end(context, &mut self.next, out);
        }
    }

    /// Closes what is open.
    pub(super) fn close_all(&mut self, context: &ReplyContext, out: &mut Vec<u8>) {
        while let Some(number) = self.current.as_ref().map(|block| block.number) {
            self.close(number, context, out);
        }
    }
}

impl Block {
    fn op(&mut self, op: Op, context: &ReplyContext, next: &mut Indexes, out: &mut Vec<u8>) {
        match op {
            Op::Delta(text) => self.delta(&text, next, out),
            // A call's signature goes before it where that is still possible.
            Op::State(state)
                if self.index.is_none() && self.held.is_none() && matches!(self.kind, Kind::Call { .. }) =>
            {
                carrier(&pocket::signature(&state, Place::Next, context), next, out);
            }
            Op::State(state) => self.state = Some(state),
            Op::Cite(citation) => {
                if let Some(citation) = citation::write(&citation) {
                    let index = self.begin(next, out);
                    write_event(out, "content_block_delta", |object| {
                        object.field("index", &index);
                        object.object("delta").field("type", "citations_delta").field("citation", &citation);
                    });
                }
            }
        }
    }

    fn delta(&mut self, text: &str, next: &mut Indexes, out: &mut Vec<u8>) {
        if let Some(held) = &mut self.held {
            held.push_str(text);
            return;
        }
        let index = self.begin(next, out);
        match &self.kind {
            Kind::Text => write_delta(out, index, "text_delta", "text", text),
            Kind::Reasoning => write_delta(out, index, "thinking_delta", "thinking", text),
            Kind::Call { free: false, .. } => {
                write_delta(out, index, "input_json_delta", "partial_json", text);
            }
            Kind::Call { free: true, .. } => {
                let quoted = serde_json::Value::from(text).to_string();
                let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
                write_delta(out, index, "input_json_delta", "partial_json", inner);
            }
        }
    }

    /// Writes the block's start, unless it is written, and gives its index.
    fn begin(&mut self, next: &mut Indexes, out: &mut Vec<u8>) -> u64 {
        if let Some(index) = self.index {
            return index;
        }
        let index = next.take(out);
        self.index = Some(index);
        write_event(out, "content_block_start", |object| {
            object.field("index", &index);
            let mut block = object.object("content_block");
            match &self.kind {
                Kind::Text => block.field("type", "text").field("text", ""),
                Kind::Reasoning => {
                    block.field("type", "thinking").field("thinking", "").field("signature", "")
                }
                Kind::Call { id, name, .. } => {
                    block.field("type", "tool_use").field("id", id).field("name", name).raw("input", "{}")
                }
            };
        });
        if matches!(self.kind, Kind::Call { free: true, .. }) {
            write_delta(out, index, "input_json_delta", "partial_json", "{\"input\":\"");
        }
        index
    }

    fn end(mut self, context: &ReplyContext, next: &mut Indexes, out: &mut Vec<u8>) {
        let state = self.state.take();
        match &self.kind {
            Kind::Text => {
                if let Some(index) = self.index {
                    stop(index, out);
                }
                next.after_text = state.map(|state| pocket::signature(&state, Place::Previous, context));
            }
            Kind::Reasoning => self.end_reasoning(state, context, next, out),
            Kind::Call { free, .. } => {
                let free = *free;
                let held = self.held.take();
                let early = held.is_some();
                if let (Some(state), true) = (&state, early) {
                    carrier(&pocket::signature(state, Place::Next, context), next, out);
                }
                if let Some(held) = held.filter(|held| !held.is_empty()) {
                    self.delta(&held, next, out);
                }
                let index = self.begin(next, out);
                if free {
                    write_delta(out, index, "input_json_delta", "partial_json", "\"}");
                }
                stop(index, out);
                if let (Some(state), false) = (&state, early) {
                    carrier(&pocket::signature(state, Place::Previous, context), next, out);
                }
            }
        }
    }

    /// The signature comes whole and last; it is empty where there is none. A block that has neither text nor
    /// signature is none.
    fn end_reasoning(
        mut self,
        state: Option<Opaque>,
        context: &ReplyContext,
        next: &mut Indexes,
        out: &mut Vec<u8>,
    ) {
        let signature = state.as_ref().map(|state| pocket::signature(state, Place::Here, context));
        match (&state, &signature) {
            (None, _) | (_, None) if self.index.is_none() => return,
            (Some(state), Some(signature)) if self.index.is_none() && pocket::is_redacted(state, context) => {
                let index = next.take(out);
                write_event(out, "content_block_start", |object| {
                    object.field("index", &index);
                    object
                        .object("content_block")
                        .field("type", "redacted_thinking")
                        .field("data", signature);
                });
                return stop(index, out);
            }
            _ => {}
        }
        let index = self.begin(next, out);
        let signature = signature.unwrap_or_default();
        write_delta(out, index, "signature_delta", "signature", &signature);
        stop(index, out);
    }
}

/// Writes a thinking block that carries nothing but the signature of its neighbour.
fn carrier(signature: &str, next: &mut Indexes, out: &mut Vec<u8>) {
    let index = next.take(out);
    write_event(out, "content_block_start", |object| {
        object.field("index", &index);
        object.object("content_block").field("type", "thinking").field("thinking", "").field("signature", "");
    });
    write_delta(out, index, "signature_delta", "signature", signature);
    stop(index, out);
}

fn stop(index: u64, out: &mut Vec<u8>) {
    write_event(out, "content_block_stop", |object| {
        object.field("index", &index);
    });
}

/// Writes a delta of text: the event that there are most of.
fn write_delta(out: &mut Vec<u8>, index: u64, kind: &str, field: &str, text: &str) {
    out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    json::push(out, &index);
    out.extend_from_slice(b",\"delta\":{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"");
    out.extend_from_slice(field.as_bytes());
    out.extend_from_slice(b"\":");
    json::push(out, text);
    out.extend_from_slice(b"}}\n\n");
}

/// Writes an event whose data has its name as its type.
pub(super) fn write_event(out: &mut Vec<u8>, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut object = Object::new(out);
    object.field("type", name);
    fields(&mut object);
    drop(object);
    out.extend_from_slice(b"\n\n");
}
