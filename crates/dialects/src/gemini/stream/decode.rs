//! Reading a provider's stream.

use super::super::{
    reader::{Reader, Take},
    wire::{self, Part},
};
use crate::{form::Event, translate::Ids};
use cliproxy_domain::{AttemptError, Failure};

/// Reads a stream chunk by chunk.
pub(crate) struct StreamDecoder(Box<Reader>);

impl StreamDecoder {
    pub(crate) fn new(ids: Ids) -> Self {
        Self(Box::new(Reader::of_stream(ids)))
    }

    /// Reads one chunk. Events have no names here. `[DONE]`, which compatible servers send, says nothing, and so does
    /// an event without data.
    ///
    /// # Errors
    /// When it is no chunk, or says that the answer failed.
    pub(crate) fn event(
        &mut self,
        _name: &[u8],
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        if data.is_empty() || data.starts_with(b"[DONE]") {
            return Ok(());
        }
        wire::read(data, |chunk| self.0.chunk(chunk, &mut Events(sink)))
    }

    /// Takes note of the stream's end: only then is it known that no usage and no text follow the reason for it.
    ///
    /// # Errors
    /// When nothing was said, nor a reason given why not.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), AttemptError> {
        if !self.0.has_answer() {
            let message = "the provider's stream ended before its answer began";
            return Err(AttemptError::new(Failure::StreamBroken, message));
        }
        self.0.finish(&mut Events(sink));
        Ok(())
    }
}

/// Hands events on; what no event can tell is left out.
struct Events<'s>(&'s mut dyn FnMut(Event<'_>));

impl Take for Events<'_> {
    fn event(&mut self, event: Event<'_>) {
        (self.0)(event);
    }

    fn other(&mut self, _choice: u32, _part: &Part<'_>) {}
}
