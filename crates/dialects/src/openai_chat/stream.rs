//! Reading a provider's stream, and writing one for a client.

use crate::{
    form::Event,
    translate::{Ids, ReplyContext},
};
use cliproxy_domain::{AttemptError, Failure};
use std::sync::Arc;

/// Reads a stream event by event.
pub(crate) struct StreamDecoder;

impl StreamDecoder {
    pub(crate) fn new(ids: Ids) -> Self {
        let _ = ids;
        Self
    }

    /// Reads one event; `name` is that of the SSE event, empty where the dialect has none.
    pub(crate) fn event(
        &mut self,
        name: &[u8],
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        let _ = (name, data, sink);
        Err(AttemptError::new(Failure::MalformedReply, "this dialect is not translated yet"))
    }

    /// Takes note of the stream's end.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), AttemptError> {
        let _ = sink;
        Ok(())
    }
}

/// Writes a stream event by event.
pub(crate) struct StreamEncoder;

impl StreamEncoder {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        let _ = context;
        Self
    }

    /// Appends what the client is told of `event`, in whole SSE events.
    pub(crate) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let _ = (event, out);
    }
}
