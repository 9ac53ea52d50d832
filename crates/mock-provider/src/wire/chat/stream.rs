//! A streamed answer.

use super::{call_head, finish_reason, head, usage};
use crate::{
    answer::{Answer, Block},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family},
    wire::{Layout, Span, Stage, Transcript, error},
};
use bytes::Bytes;
use std::fmt::Write as _;

/// The events of a stream. Everything that repeats is rendered once.
pub(crate) struct Stream {
    answer: Answer,
    layout: Layout,
    /// `data: {…"choices":[`, the start of each event.
    start: String,
    /// The end of each event that is not the usage event's.
    end: &'static str,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer) -> Self {
        let mut out = RopeWriter::new(256);
        out.raw("data: ");
        head(&mut out, &answer, "chat.completion.chunk");
        out.raw(r#""choices":["#);
        let start = out.finish().into_bytes().unwrap_or_default();
        let start = String::from_utf8_lossy(&start).into_owned();
        let end = if answer.include_usage { "],\"usage\":null}\n\n" } else { "]}\n\n" };
        let closing = if answer.include_usage { 3 } else { 2 };
        // A call that comes first is announced with the role.
        let layout = Layout::new(&answer, 1, closing, |index, block| Span {
            start: u64::from(index > 0 && matches!(block, Block::Call { .. })),
            tokens: block.text().tokens(),
            end: 0,
        });
        Self { answer, layout, start, end }
    }

    fn chunk(&self, size: usize, write: impl FnOnce(&mut RopeWriter)) -> Rope {
        let mut out = RopeWriter::new(self.start.len() + self.end.len() + size);
        out.raw(&self.start);
        write(&mut out);
        out.raw(self.end);
        out.finish()
    }

    fn first(&self) -> Rope {
        self.chunk(256, |out| {
            out.raw(r#"{"index":0,"delta":{"role":"assistant","content":"#);
            let text = self.answer.blocks.iter().any(|block| matches!(block, Block::Text(_)));
            out.raw(if text { r#""","# } else { "null," });
            if let Some(Block::Call { name, .. }) = self.answer.blocks.first() {
                out.raw(r#""tool_calls":["#);
                call_head(out, self.answer.block_id(0), name, Some(0));
                out.raw(r#""}}],"#);
            }
            out.raw(r#""refusal":null},"logprobs":null,"finish_reason":null}"#);
        })
    }

    /// Gives the index of a call among the calls.
    fn call_index(&self, block: usize) -> usize {
        let before = self.answer.blocks.iter().take(block);
        before.filter(|block| matches!(block, Block::Call { .. })).count()
    }

    fn announced(&self, block: usize) -> Rope {
        self.chunk(256, |out| {
            out.raw(r#"{"index":0,"delta":{"tool_calls":["#);
            if let Some(Block::Call { name, .. }) = self.answer.blocks.get(block) {
                call_head(out, self.answer.block_id(block), name, Some(self.call_index(block)));
            }
            out.raw(r#""}}]},"logprobs":null,"finish_reason":null}"#);
        })
    }

    fn token(&self, block: usize, number: u64) -> Rope {
        let said = &self.answer.blocks[block];
        let token = said.text().token(number);
        self.chunk(128 + token.room(), |out| {
            let close = match said {
                Block::Text(_) => {
                    out.raw(r#"{"index":0,"delta":{"content":""#);
                    r#""}"#
                }
                Block::Thought { .. } => {
                    out.raw(r#"{"index":0,"delta":{"reasoning_content":""#);
                    r#""}"#
                }
                Block::Refusal(_) => {
                    out.raw(r#"{"index":0,"delta":{"refusal":""#);
                    r#""}"#
                }
                Block::Call { .. } => {
                    let index = self.call_index(block);
                    let _ = write!(out, r#"{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"#);
                    out.raw(r#""function":{"arguments":""#);
                    r#""}}]}"#
                }
            };
            out.piece(token).raw(close).raw(r#","logprobs":null,"finish_reason":null}"#);
        })
    }

    fn finish(&self) -> Rope {
        self.chunk(128, |out| {
            let reason = finish_reason(&self.answer);
            let _ = write!(out, r#"{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}"#);
        })
    }

    fn usage(&self) -> Rope {
        let mut out = RopeWriter::new(self.start.len() + 320);
        out.raw(&self.start).raw("],\"usage\":");
        usage(&mut out, &self.answer);
        out.raw("}\n\n");
        out.finish()
    }
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
            Stage::Opening(_) => self.first(),
            Stage::Start { block, .. } | Stage::End { block, .. } => self.announced(block),
            Stage::Token { block, number } => self.token(block, number),
            Stage::Closing(0) => self.finish(),
            Stage::Closing(1) if self.answer.include_usage => self.usage(),
            Stage::Closing(_) => Bytes::from_static(b"data: [DONE]\n\n").into(),
        }
    }

    fn failure(&mut self, _: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::OpenAi, kind, None, &self.answer.model, 0);
        Bytes::from(format!("data: {body}\n\ndata: [DONE]\n\n")).into()
    }

    fn broken(&mut self, _: u64) -> Rope {
        Bytes::from(format!("{}{{\"index\":0,\n\n", self.start)).into()
    }
}
