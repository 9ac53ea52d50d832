//! A streamed answer, as events or as one array.

use super::{HEAD, call, signed, tail};
use crate::{
    answer::{Answer, Block},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family},
    wire::{
        Layout, Span, Stage, Transcript, error,
        signature::{On, sign},
    },
};

/// How a stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `alt=sse`.
    Sse,
    /// One JSON array.
    Array,
}

/// The events of a stream: a token each; a call comes whole. The finish is in the last text's event, or in one of
/// its own after calls, thoughts and refusals.
pub(crate) struct Stream {
    answer: Answer,
    layout: Layout,
    framing: Framing,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer, framing: Framing) -> Self {
        let only_text = answer.blocks.iter().all(|block| matches!(block, Block::Text(_)));
        let layout = Layout::new(&answer, 0, u64::from(!only_text), |_, block| Span {
            tokens: match block {
                Block::Call { .. } => 1,
                Block::Thought { shown: false, .. } | Block::Refusal(_) => 0,
                Block::Text(text) | Block::Thought { text, .. } => text.tokens(),
            },
            ..Span::default()
        });
        Self { answer, layout, framing }
    }

    fn frame(&self, number: u64, last: bool, write: impl FnOnce(&mut RopeWriter)) -> Rope {
        let mut out = RopeWriter::new(448);
        match (self.framing, number) {
            (Framing::Sse, _) => out.raw("data: "),
            (Framing::Array, 0) => out.raw("["),
            (Framing::Array, _) => out.raw("\r\n,"),
        };
        write(&mut out);
        match self.framing {
            Framing::Sse => out.raw("\r\n\r\n"),
            Framing::Array => out.raw(if last { "\r\n]" } else { "" }),
        };
        out.finish()
    }

    fn part(&self, out: &mut RopeWriter, stage: Stage) {
        match stage {
            Stage::Token { block, number } => match &self.answer.blocks[block] {
                Block::Text(text) => {
                    out.raw(r#"{"text":""#).piece(text.token(number)).raw("\"}");
                }
                Block::Thought { text, .. } => {
                    out.raw(r#"{"text":""#).piece(text.token(number)).raw(r#"","thought":true}"#);
                }
                Block::Call { .. } => call(out, &self.answer, block),
                Block::Refusal(_) => {}
            },
            // What was thought about is signed, on the call or else on an empty text at the end.
            _ if self.answer.thinks() && !self.answer.calls() && !self.answer.refuses() => {
                out.raw(r#"{"text":"""#);
                signed(out, &sign(On::Text, ""));
                out.raw("}");
            }
            _ if self.answer.refuses() => {}
            _ => {
                out.raw(r#"{"text":""}"#);
            }
        }
    }

    /// Counts the output up to and with event `number`, so that the last one has the reported total.
    fn running(&self, number: u64) -> u64 {
        if number + 1 >= self.layout.tokens() {
            return self.answer.usage.output_tokens;
        }
        self.answer.usage.output_tokens.min(number + 1)
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
        let last = number + 1 == self.layout.len();
        self.frame(number, last, |out| {
            out.raw(HEAD);
            self.part(out, self.layout.stage(number));
            tail(out, &self.answer, self.running(number), last);
        })
    }

    fn failure(&mut self, number: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::Gemini, kind, None, &self.answer.model, 0);
        self.frame(number, true, |out| {
            out.raw(&body);
        })
    }

    fn broken(&mut self, number: u64) -> Rope {
        self.frame(number, true, |out| {
            out.raw(HEAD);
        })
    }
}
