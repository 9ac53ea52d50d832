//! A stream of another dialect while it flows, with the calls for its later parts.

use super::resume::{NextPart, Resumer};
use crate::upstream::Place;
use bytes::Bytes;
use cliproxy_dialects::{Framing, StreamState, translate::StreamTranslator};
use cliproxy_domain::{AttemptError, TokenUsage};
use hyper::body::Incoming;
use std::task::{Context, Poll, ready};

/// A translated stream.
pub(super) struct Translation {
    translator: Box<StreamTranslator>,
    resumer: Option<Box<Resumer>>,
    next: Option<NextPart>,
}

/// What a piece of the provider's stream came to.
pub(super) struct Fed {
    /// What the client gets.
    pub(super) out: Vec<u8>,
    /// What the provider did wrong.
    pub(super) error: Option<AttemptError>,
    /// The rest of the stream is nothing to the client.
    pub(super) cut: bool,
}

impl Translation {
    pub(super) fn new(translator: Box<StreamTranslator>, resumer: Option<Resumer>) -> Self {
        Self { translator, resumer: resumer.map(Box::new), next: None }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) -> Fed {
        let mut out = Vec::new();
        let error = self.translator.feed(chunk, &mut out).err();
        Fed { out, error, cut: self.translator.is_cut() }
    }

    pub(super) fn finish(&mut self) -> Fed {
        let mut out = Vec::new();
        let error = self.translator.finish(&mut out).err();
        Fed { out, error, cut: false }
    }

    /// Ends the answer as one that has reached its maximum of tokens; none where nothing can follow.
    pub(super) fn end_early(&mut self, usage: &TokenUsage) -> Option<Bytes> {
        let mut out = Vec::new();
        self.translator.end_early(usage, &mut out).then(|| out.into())
    }

    /// Tells whether the provider has paused, and was not asked yet to go on.
    pub(super) fn is_paused(&self) -> bool {
        self.resumer.is_some() && self.next.is_none() && self.translator.paused().is_some()
    }

    /// Gives the next part's bytes when the provider has paused; none when the answer is over.
    pub(super) fn poll_next_part(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Incoming, Place), AttemptError>>> {
        let (Some(resumer), Some(token)) = (&self.resumer, self.translator.paused()) else {
            return Poll::Ready(None);
        };
        let next = self.next.get_or_insert_with(|| resumer.next_stream(token));
        let part = ready!(next.as_mut().poll(cx));
        self.next = None;
        if part.is_ok() {
            self.translator.resume(Framing::Sse, resumer.request_bytes());
        }
        Poll::Ready(Some(part))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.translator.is_complete()
    }

    pub(super) fn usage(&self, request_bytes: usize) -> TokenUsage {
        self.translator.usage(request_bytes)
    }

    pub(super) fn state(&self) -> StreamState {
        self.translator.state()
    }
}
