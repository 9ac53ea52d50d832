//! Writing a stream for a client.

use super::{
    super::{finish, usage},
    blocks::{Blocks, Op, write_event},
};
use crate::{
    form::{Event, Finish},
    translate::ReplyContext,
};
use cliproxy_domain::{Dialect, TokenUsage};
use std::sync::Arc;

/// Writes a stream event by event. There is room for one choice, the first.
pub(crate) struct StreamEncoder {
    context: Arc<ReplyContext>,
    blocks: Blocks,
    usage: TokenUsage,
    finish: Option<Finish>,
}

impl StreamEncoder {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        Self { context, blocks: Blocks::default(), usage: TokenUsage::default(), finish: None }
    }

    /// Appends what the client is told of `event`, in whole SSE events.
    pub(crate) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let context = self.context.as_ref();
        match event {
            Event::Start { .. } => self.start(out),
            Event::Open { choice: 0, block, kind } => self.blocks.open(*block, kind, context),
            Event::Delta { choice: 0, block, text } => self.blocks.delta(*block, text, out),
            Event::State { choice: 0, block, state } => {
                self.blocks.op(*block, Op::State(state.clone()), context, out);
            }
            Event::Cite { choice: 0, block, citation } => {
                self.blocks.op(*block, Op::Cite(citation.clone()), context, out);
            }
            Event::Close { choice: 0, block } => self.blocks.close(*block, context, out),
            Event::Usage(usage) => self.usage = *usage,
            Event::Finish { choice: 0, finish } => self.finish = Some(finish.clone()),
            Event::End => self.end(out),
            // Another choice, or log probabilities: there is no room for either.
            Event::Open { .. }
            | Event::Delta { .. }
            | Event::State { .. }
            | Event::Cite { .. }
            | Event::Logprobs { .. }
            | Event::Close { .. }
            | Event::Finish { .. } => {}
        }
    }

    /// The input must be told before it is known; `message_delta` corrects it.
    fn start(&self, out: &mut Vec<u8>) {
        write_event(out, "message_start", |object| {
            let mut message = object.object("message");
            message
                .field("id", &self.context.ids.answer(Dialect::Anthropic))
                .field("type", "message")
                .field("role", "assistant")
                .field("model", &self.context.model);
            drop(message.array("content"));
            message.field("stop_reason", &()).field("stop_sequence", &()).field("stop_details", &());
            let guess = TokenUsage { input: self.context.input_estimate, ..TokenUsage::default() };
            usage::write(&guess, &mut message.object("usage"));
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.blocks.close_all(&self.context, out);
        write_event(out, "message_delta", |object| {
            finish::write(self.finish.as_ref().unwrap_or(&Finish::End), &mut object.object("delta"));
            usage::write(&self.usage, &mut object.object("usage"));
        });
        write_event(out, "message_stop", |_| {});
    }
}
