//! A streamed answer.

use super::{call_head, head, stop, usage};
use crate::{
    answer::{Answer, Block},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family},
    wire::{
        Layout, Span, Stage, Transcript, error,
        signature::{On, sign},
    },
};
use bytes::Bytes;
use std::fmt::Write as _;

/// The events of a stream.
pub(crate) struct Stream {
    answer: Answer,
    layout: Layout,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer) -> Self {
        let layout = Layout::new(&answer, 1, 2, |index, block| Span {
            // A ping follows the start of the first block.
            start: if index == 0 { 2 } else { 1 },
            tokens: match block {
                Block::Thought { shown: false, .. } => 0,
                block => block.text().tokens(),
            },
            end: if matches!(block, Block::Thought { .. }) { 2 } else { 1 },
        });
        Self { answer, layout }
    }

    fn start(&self) -> Rope {
        let mut out = RopeWriter::new(576);
        out.raw("event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
        head(&mut out, &self.answer);
        out.raw(r#"],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":"#);
        usage(&mut out, &self.answer, 1);
        out.raw("}}\n\n");
        out.finish()
    }

    fn block_start(&self, block: usize) -> Rope {
        let mut out = RopeWriter::new(192);
        out.raw("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":");
        out.number(block as u64).raw(r#","content_block":"#);
        match &self.answer.blocks[block] {
            Block::Text(_) | Block::Refusal(_) => out.raw(r#"{"type":"text","text":""}}"#),
            Block::Thought { .. } => out.raw(r#"{"type":"thinking","thinking":"","signature":""}}"#),
            Block::Call { name, .. } => {
                call_head(&mut out, &self.answer, block, name);
                out.raw("{}}}")
            }
        };
        out.raw("\n\n");
        out.finish()
    }

    /// Begins a delta of a block, up to what stands in `delta`.
    fn delta(&self, block: usize, size: usize) -> RopeWriter {
        let mut out = RopeWriter::new(160 + size);
        out.raw("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.number(block as u64).raw(r#","delta":"#);
        out
    }

    fn token(&self, block: usize, number: u64) -> Rope {
        let said = &self.answer.blocks[block];
        let token = said.text().token(number);
        let mut out = self.delta(block, token.room());
        out.raw(match said {
            Block::Text(_) | Block::Refusal(_) => r#"{"type":"text_delta","text":""#,
            Block::Thought { .. } => r#"{"type":"thinking_delta","thinking":""#,
            Block::Call { .. } => r#"{"type":"input_json_delta","partial_json":""#,
        });
        out.piece(token).raw("\"}}\n\n");
        out.finish()
    }

    /// Ends a block; a thought is signed before it ends.
    fn block_end(&self, block: usize, number: u64) -> Rope {
        if let (Block::Thought { text, shown }, 0) = (&self.answer.blocks[block], number) {
            let mut out = self.delta(block, 128);
            let signature = sign(On::Thinking, if *shown { text.as_str() } else { "" });
            out.raw(r#"{"type":"signature_delta","signature":""#).raw(&signature).raw("\"}}\n\n");
            return out.finish();
        }
        let event = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":";
        Bytes::from(format!("{event}{block}}}\n\n")).into()
    }

    fn message_delta(&self) -> Rope {
        let mut out = RopeWriter::new(256);
        out.raw("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
        stop(&mut out, &self.answer);
        let output = self.answer.usage.output_tokens;
        let _ = write!(out, r#"}},"usage":{{"output_tokens":{output}"#);
        let thought = self.answer.details.reasoning_tokens;
        if thought > 0 {
            let _ = write!(out, r#","output_tokens_details":{{"thinking_tokens":{thought}}}"#);
        }
        out.raw("}}\n\n");
        out.finish()
    }
}

fn fixed(event: &'static str) -> Rope {
    Bytes::from_static(event.as_bytes()).into()
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
            Stage::Opening(_) => self.start(),
            Stage::Start { block, number: 0 } => self.block_start(block),
            Stage::Start { .. } => fixed("event: ping\ndata: {\"type\":\"ping\"}\n\n"),
            Stage::Token { block, number } => self.token(block, number),
            Stage::End { block, number } => self.block_end(block, number),
            Stage::Closing(0) => self.message_delta(),
            Stage::Closing(_) => fixed("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        }
    }

    fn failure(&mut self, _: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::Anthropic, kind, None, &self.answer.model, self.answer.id);
        Bytes::from(format!("event: error\ndata: {body}\n\n")).into()
    }

    fn broken(&mut self, _: u64) -> Rope {
        fixed("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\n\n")
    }
}
