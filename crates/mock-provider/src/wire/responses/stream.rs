//! A streamed answer.

use super::{Status, incomplete, item, response};
use crate::{
    answer::{Answer, Block},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family},
    wire::{Layout, Span, Stage, Transcript, error},
};
use bytes::Bytes;
use std::fmt::Write as _;

/// The events of a stream.
pub(crate) struct Stream {
    answer: Answer,
    layout: Layout,
}

/// How the events of one kind of block are called.
struct Names {
    part_added: &'static str,
    delta: &'static str,
    done: &'static str,
    part_done: &'static str,
    /// The field of `done` with everything that was said.
    field: &'static str,
}

const TEXT: Names = Names {
    part_added: "response.content_part.added",
    delta: "response.output_text.delta",
    done: "response.output_text.done",
    part_done: "response.content_part.done",
    field: "text",
};
const REFUSAL: Names =
    Names { delta: "response.refusal.delta", done: "response.refusal.done", field: "refusal", ..TEXT };
const SUMMARY: Names = Names {
    part_added: "response.reasoning_summary_part.added",
    delta: "response.reasoning_summary_text.delta",
    done: "response.reasoning_summary_text.done",
    part_done: "response.reasoning_summary_part.done",
    field: "text",
};
const CALL: Names = Names {
    delta: "response.function_call_arguments.delta",
    done: "response.function_call_arguments.done",
    field: "arguments",
    ..TEXT
};

fn names(block: &Block) -> &'static Names {
    match block {
        Block::Text(_) => &TEXT,
        Block::Refusal(_) => &REFUSAL,
        Block::Thought { .. } => &SUMMARY,
        Block::Call { .. } => &CALL,
    }
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer) -> Self {
        let layout = Layout::new(&answer, 2, 1, |_, block| {
            let tokens = block.text().tokens();
            match block {
                Block::Thought { shown: false, .. } => Span { start: 1, tokens: 0, end: 1 },
                Block::Call { .. } => Span { start: 1, tokens, end: 2 },
                _ => Span { start: 2, tokens, end: 3 },
            }
        });
        Self { answer, layout }
    }

    /// Writes one event; `write` adds what stands after the sequence number.
    fn frame(&self, number: u64, name: &str, write: impl FnOnce(&mut RopeWriter, &Answer)) -> Rope {
        let mut out = RopeWriter::new(320);
        let _ = write!(out, "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},");
        write(&mut out, &self.answer);
        out.raw("}\n\n");
        out.finish()
    }

    fn response_event(&self, number: u64, name: &str, status: Status) -> Rope {
        self.frame(number, name, |out, answer| {
            out.raw(r#""response":"#);
            response(out, answer, status);
        })
    }

    fn item_event(&self, number: u64, block: usize, done: bool) -> Rope {
        let name = if done { "response.output_item.done" } else { "response.output_item.added" };
        self.frame(number, name, |out, answer| {
            let _ = write!(out, r#""output_index":{block},"item":"#);
            item::write(out, answer, block, done);
        })
    }

    fn part_event(&self, number: u64, block: usize, done: bool) -> Rope {
        let names = names(&self.answer.blocks[block]);
        let name = if done { names.part_done } else { names.part_added };
        self.frame(number, name, |out, answer| {
            place(out, answer, block);
            out.raw(r#","part":"#);
            item::part(out, answer, block, done);
        })
    }

    fn token_event(&self, number: u64, block: usize, token: u64) -> Rope {
        let said = &self.answer.blocks[block];
        self.frame(number, names(said).delta, |out, answer| {
            place(out, answer, block);
            out.raw(r#","delta":""#).piece(said.text().token(token)).raw("\"");
            out.raw(if let Block::Text(_) = said { r#","logprobs":[]"# } else { "" });
        })
    }

    fn text_done(&self, number: u64, block: usize) -> Rope {
        let said = &self.answer.blocks[block];
        let names = names(said);
        self.frame(number, names.done, |out, answer| {
            place(out, answer, block);
            let _ = write!(out, r#","{}":""#, names.field);
            out.piece(said.text().whole()).raw("\"");
            if let Block::Call { name, .. } = said {
                out.raw(r#","name":""#).escaped(name).raw("\"");
            }
            out.raw(if let Block::Text(_) = said { r#","logprobs":[]"# } else { "" });
        })
    }

    fn end_event(&self, number: u64, block: usize, nth: u64) -> Rope {
        let Span { end, .. } = self.layout.span(block);
        match end.saturating_sub(nth) {
            3 => self.text_done(number, block),
            2 if matches!(self.answer.blocks[block], Block::Call { .. }) => self.text_done(number, block),
            2 => self.part_event(number, block, true),
            _ => self.item_event(number, block, true),
        }
    }
}

/// Writes where an event of an item's content belongs.
fn place(out: &mut RopeWriter, answer: &Answer, block: usize) {
    let id = item::id(answer, block);
    let _ = write!(out, r#""item_id":"{id}","output_index":{block}"#);
    out.raw(match answer.blocks[block] {
        Block::Text(_) | Block::Refusal(_) => r#","content_index":0"#,
        Block::Thought { .. } => r#","summary_index":0"#,
        Block::Call { .. } => "",
    });
}

impl Transcript for Stream {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn event(&mut self, number: u64) -> Rope {
        match self.layout.stage(number) {
            Stage::Opening(0) => self.response_event(number, "response.created", Status::InProgress),
            Stage::Opening(_) => self.response_event(number, "response.in_progress", Status::InProgress),
            Stage::Start { block, number: 0 } => self.item_event(number, block, false),
            Stage::Start { block, .. } => self.part_event(number, block, false),
            Stage::Token { block, number: token } => self.token_event(number, block, token),
            Stage::End { block, number: nth } => self.end_event(number, block, nth),
            Stage::Closing(_) => {
                let incomplete = incomplete(&self.answer).is_some();
                let name = if incomplete { "response.incomplete" } else { "response.completed" };
                self.response_event(number, name, Status::Done)
            }
        }
    }

    fn failure(&mut self, number: u64, kind: ErrorKind) -> Rope {
        if matches!(kind, ErrorKind::ServerError | ErrorKind::Overloaded) {
            return self.response_event(number, "response.failed", Status::Failed(kind));
        }
        let what = error::spelling(Family::OpenAi, kind);
        self.frame(number, "error", |out, answer| {
            out.raw(r#""code":""#).raw(what.code.unwrap_or(what.kind)).raw(r#"","message":""#);
            out.escaped(&error::message(Family::OpenAi, kind, &answer.model)).raw(r#"","param":null"#);
        })
    }

    fn broken(&mut self, number: u64) -> Rope {
        let name = "response.output_text.delta";
        let event = format!("event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},\n\n");
        Bytes::from(event).into()
    }
}
