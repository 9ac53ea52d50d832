//! A stream on its way from a provider of one dialect to a client of another.

use super::{Ids, ReplyContext, joined::Joined, rework::Rework};
use crate::{
    anthropic,
    form::Event,
    framing::{Framing, StreamState},
    gemini, openai_chat, openai_responses,
    passthrough::{Observer, Progress},
};
use cliproxy_domain::{AttemptError, Dialect, Failure, Operation, TokenUsage};
use std::sync::Arc;

/// Translates a stream chunk by chunk, and watches it as [`Observer`] does for one that passes.
///
/// It holds one unfinished event of the provider, what its reader and its writer must remember, and no more.
pub struct StreamTranslator {
    upstream: Dialect,
    ids: Ids,
    observer: Observer,
    decoder: Decoder,
    joined: Joined,
    /// The tokens of the parts of the answer before this one.
    spent: TokenUsage,
    rework: Rework,
    encoder: Encoder,
    failed: Option<AttemptError>,
}

/// Reads a provider's stream of any dialect.
pub(crate) enum Decoder {
    Chat(openai_chat::StreamDecoder),
    Responses(openai_responses::StreamDecoder),
    Anthropic(anthropic::StreamDecoder),
    Gemini(gemini::StreamDecoder),
}

/// Writes a client's stream of any dialect.
pub(super) enum Encoder {
    Chat(openai_chat::StreamEncoder),
    Responses(openai_responses::StreamEncoder),
    Anthropic(anthropic::StreamEncoder),
    Gemini(gemini::StreamEncoder),
}

impl StreamTranslator {
    /// Starts before the first byte of a stream. `framing` is the provider's.
    pub fn new(framing: Framing, context: Arc<ReplyContext>) -> Self {
        let (upstream, ids) = (context.upstream, context.ids);
        let rework = Rework::new(Arc::clone(&context));
        let encoder = Encoder::new(context);
        Self {
            upstream,
            ids,
            observer: Observer::new(upstream, Operation::Generate, framing),
            decoder: Decoder::new(upstream, ids),
            joined: Joined::default(),
            spent: TokenUsage::default(),
            rework,
            encoder,
            failed: None,
        }
    }

    /// Gives the token to go on with, when the provider has ended a part of its answer and not the whole.
    pub fn paused(&self) -> Option<&str> {
        self.joined.paused()
    }

    /// Begins the next part of an answer that was paused, before the first byte of its stream. `request_bytes` are
    /// those of the request that it answers, for an estimate where the provider reports no tokens.
    pub fn resume(&mut self, framing: Framing, request_bytes: usize) {
        self.spent += self.observer.usage(request_bytes);
        self.observer = Observer::new(self.upstream, Operation::Generate, framing);
        self.decoder = Decoder::new(self.upstream, self.ids);
        self.joined.resume();
    }

    /// Reads the next bytes of the provider and appends what they say to `out`, in whole events.
    ///
    /// # Errors
    /// The provider's own error, or that it sent what nobody can read. The error stays: every later call gives it
    /// again. What was appended before it is good.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Progress, AttemptError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Self { observer, decoder, joined, rework, encoder, .. } = self;
        let mut write = |event: Event<'_>| {
            joined.event(event, &mut |event| {
                rework.event(event, &mut |event| encoder.event(&event, out));
            });
        };
        match observer.feed_each(chunk, |name, data| decoder.event(name, data, &mut write)) {
            // The client has its whole answer: what the provider may still send is not its business.
            Err(_) if rework.is_over() => Ok(Progress { semantic: true, whole: chunk.len() }),
            fed => fed.inspect_err(|error| self.failed = Some(error.clone())),
        }
    }

    /// Takes note of the provider's end, and appends what is left to say.
    ///
    /// # Errors
    /// The error of [`StreamTranslator::feed`], or that the stream ended before its end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), AttemptError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.rework.is_over() {
            return Ok(());
        }
        let Self { observer, decoder, joined, rework, encoder, .. } = self;
        let mut write = |event: Event<'_>| {
            joined.event(event, &mut |event| {
                rework.event(event, &mut |event| encoder.event(&event, out));
            });
        };
        let finished = observer
            .finish_each(|name, data| decoder.event(name, data, &mut write))
            .and_then(|()| decoder.finish(&mut write));
        let finished = finished.and_then(|()| match joined.paused() {
            // The provider's end mark came, but nothing before it that its reader could take for an answer.
            None if !rework.is_over() => Err(AttemptError::new(
                Failure::MalformedReply,
                "the provider ended its stream without an answer that can be read",
            )),
            _ => Ok(()),
        });
        finished.inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Appends what ends the answer as one that has reached its maximum of tokens. Tells whether anything could be said:
    /// not after an error, nor after the end.
    pub fn end_early(&mut self, usage: &TokenUsage, out: &mut Vec<u8>) -> bool {
        if self.failed.is_some() || self.rework.is_over() {
            return false;
        }
        let Self { rework, encoder, .. } = self;
        rework.end_early(usage, &mut |event| encoder.event(&event, out));
        true
    }

    /// Tells whether the answer is whole, whatever the provider may still send.
    pub fn is_complete(&self) -> bool {
        let paused = self.joined.paused().is_some();
        self.failed.is_none() && !paused && (self.rework.is_over() || self.observer.is_complete())
    }

    /// Tells whether the gateway ended the answer itself, so that the provider may be cancelled.
    pub fn is_cut(&self) -> bool {
        self.rework.is_cut()
    }

    /// Tells whether the first content event has been seen.
    pub fn is_semantic(&self) -> bool {
        self.observer.is_semantic()
    }

    /// Gives the tokens so far, as [`Observer::usage`] does.
    pub fn usage(&self, request_bytes: usize) -> TokenUsage {
        let mut usage = self.observer.usage(request_bytes);
        // Counted as the client gets it; the parts before this one are in it and were reported.
        let said = u64::try_from(self.rework.said() / 4).unwrap_or(u64::MAX);
        usage += self.spent;
        if usage.output < said && !self.is_complete() {
            usage.estimated = usage.estimated.saturating_add(said - usage.output);
            usage.output = said;
        }
        usage
    }

    /// Gives what an error event of ours must know of what was written.
    pub fn state(&self) -> StreamState {
        match &self.encoder {
            Encoder::Chat(_) | Encoder::Anthropic(_) => StreamState::default(),
            Encoder::Responses(encoder) => encoder.state(),
            Encoder::Gemini(encoder) => encoder.state(),
        }
    }
}

impl Decoder {
    pub(crate) fn new(dialect: Dialect, ids: Ids) -> Self {
        match dialect {
            Dialect::OpenAiChat => Decoder::Chat(openai_chat::StreamDecoder::new(ids)),
            Dialect::OpenAiResponses => Decoder::Responses(openai_responses::StreamDecoder::new(ids)),
            Dialect::Anthropic => Decoder::Anthropic(anthropic::StreamDecoder::new(ids)),
            Dialect::Gemini => Decoder::Gemini(gemini::StreamDecoder::new(ids)),
        }
    }

    pub(crate) fn event(
        &mut self,
        name: &[u8],
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        match self {
            Decoder::Chat(decoder) => decoder.event(name, data, sink),
            Decoder::Responses(decoder) => decoder.event(name, data, sink),
            Decoder::Anthropic(decoder) => decoder.event(name, data, sink),
            Decoder::Gemini(decoder) => decoder.event(name, data, sink),
        }
    }

    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), AttemptError> {
        match self {
            Decoder::Chat(decoder) => decoder.finish(sink),
            Decoder::Responses(decoder) => decoder.finish(sink),
            Decoder::Anthropic(decoder) => decoder.finish(sink),
            Decoder::Gemini(decoder) => decoder.finish(sink),
        }
    }
}

impl Encoder {
    pub(super) fn new(context: Arc<ReplyContext>) -> Self {
        match context.client {
            Dialect::OpenAiChat => Encoder::Chat(openai_chat::StreamEncoder::new(context)),
            Dialect::OpenAiResponses => Encoder::Responses(openai_responses::StreamEncoder::new(context)),
            Dialect::Anthropic => Encoder::Anthropic(anthropic::StreamEncoder::new(context)),
            Dialect::Gemini => Encoder::Gemini(gemini::StreamEncoder::new(context)),
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Encoder::Chat(encoder) => encoder.event(event, out),
            Encoder::Responses(encoder) => encoder.event(event, out),
            Encoder::Anthropic(encoder) => encoder.event(event, out),
            Encoder::Gemini(encoder) => encoder.event(event, out),
        }
    }
}

#[cfg(test)]
mod tests;
