//! Watching an answer that passes unchanged: its first content, its usage, its end and its errors.

mod anthropic;
mod chat;
mod event;
mod follow;
mod gemini;
mod reply;
mod responses;

pub use reply::{ReplyFacts, read_reply};

use crate::{
    framing::{ArrayPosition, Framing, StreamState},
    json_array,
    sse::{self, MAX_EVENT_BYTES},
    usage::estimate,
};
use bytes::Bytes;
use cliproxy_domain::{AttemptError, Dialect, Failure, Operation, TokenUsage};
use event::Seen;
use follow::Follower;

/// Watches a passing stream of one dialect without changing it.
///
/// Until the first semantic event every event is read in full, so that a broken answer is known while another
/// target can still take over. From then on content costs a search over its bytes; only what carries usage, an
/// end or an error is parsed.
#[derive(Debug)]
pub struct Observer {
    dialect: Dialect,
    operation: Operation,
    source: Source,
    watch: Watch,
    seen: Seen,
    /// There where the stream may have to be ended from our side.
    follower: Option<Box<Follower>>,
    /// The bytes of what the model said; 0 where nobody follows.
    said: usize,
    framing: Framing,
    failed: Option<Failed>,
    clean_len: usize,
}

/// The error that ended the watch, and where the stream stands when only the bytes before it are passed on.
#[derive(Debug)]
struct Failed {
    error: AttemptError,
    boundary: bool,
    array: ArrayPosition,
}

/// What is known after a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The first content event has been seen, in this chunk or before.
    pub semantic: bool,
    /// How many bytes of the chunk come before the event that it leaves unfinished; all of them when it ends
    /// between two events.
    pub whole: usize,
}

#[derive(Debug)]
enum Source {
    Sse(sse::Reader),
    Array(json_array::Reader),
}

#[derive(Debug)]
enum Watch {
    Chat(chat::Watch),
    Responses(responses::Watch),
    Anthropic(anthropic::Watch),
    Gemini(gemini::Watch),
}

impl Observer {
    /// Starts before the first byte of a stream.
    pub fn new(dialect: Dialect, operation: Operation, framing: Framing) -> Self {
        let source = match framing {
            Framing::Sse => Source::Sse(sse::Reader::new(MAX_EVENT_BYTES)),
            Framing::JsonArray => Source::Array(json_array::Reader::new(MAX_EVENT_BYTES)),
        };
        let watch = match dialect {
            Dialect::OpenAiChat => Watch::Chat(chat::Watch::default()),
            Dialect::OpenAiResponses => Watch::Responses(responses::Watch::default()),
            Dialect::Anthropic => Watch::Anthropic(anthropic::Watch),
            Dialect::Gemini => Watch::Gemini(gemini::Watch),
        };
        let seen = Seen::default();
        let (follower, said, failed, clean_len) = (None, 0, None, 0);
        Self { dialect, operation, source, watch, seen, follower, said, framing, failed, clean_len }
    }

    /// Follows the stream from here on so closely that it can be [ended](Observer::end_early). Use it before the first
    /// byte.
    pub fn follow(&mut self) {
        self.follower = Some(Box::new(Follower::new(self.dialect)));
    }

    /// Writes what ends the stream as one that has reached its maximum of tokens, for a caller that has passed on whole
    /// events only. None where nobody follows, and where nothing can follow: after an error, or after the end.
    pub fn end_early(&self, usage: &TokenUsage) -> Option<Bytes> {
        let follower = self.follower.as_ref().filter(|_| self.failed.is_none() && !self.is_complete())?;
        Some(follower.end(self.framing, self.whole_state().array, usage).into())
    }

    /// Looks at the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// An error event of the provider, classified; [`Failure::MalformedReply`] for an event that is not JSON
    /// where it had to be read, for one that is too large, and for a stream that is no JSON array where one
    /// was asked for. The error stays: every later call gives it again.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Progress, AttemptError> {
        self.feed_each(chunk, |_, _| Ok(()))
    }

    /// The same, and hands each event that was found good to `then`: the name of the SSE event, empty where there is
    /// none, and its data. An error of `then` is one of the stream. The end mark `[DONE]` and events without data are
    /// handed on too.
    pub(crate) fn feed_each(
        &mut self,
        chunk: &[u8],
        then: impl FnMut(&[u8], &[u8]) -> Result<(), AttemptError>,
    ) -> Result<Progress, AttemptError> {
        if let Some(failed) = &self.failed {
            self.clean_len = 0;
            return Err(failed.error.clone());
        }
        let before = (self.source.at_boundary(), self.source.array_position());
        let mut start = 0;
        let result = self.walk(chunk, &mut start, then);
        let Err(error) = result else {
            self.clean_len = chunk.len();
            return Ok(Progress { semantic: self.seen.semantic, whole: self.source.whole_len() });
        };
        self.clean_len = start;
        let (boundary, array) = if start > 0 { (true, self.source.before_element()) } else { before };
        self.failed = Some(Failed { error: error.clone(), boundary, array });
        Err(error)
    }

    /// Hands the events that `chunk` completes to the watch; `start` is where the last of them begins.
    fn walk(
        &mut self,
        chunk: &[u8],
        start: &mut usize,
        mut then: impl FnMut(&[u8], &[u8]) -> Result<(), AttemptError>,
    ) -> Result<(), AttemptError> {
        let (watch, seen) = (&mut self.watch, &mut self.seen);
        let (follower, said) = (&mut self.follower, &mut self.said);
        let mut event = |name: &[u8], data: &[u8]| {
            watch.event(seen, name, data)?;
            if let Some(follower) = follower {
                *said = said.saturating_add(follower.event(data));
            }
            then(name, data)
        };
        match &mut self.source {
            Source::Sse(reader) => reader.feed(chunk, |found, at| {
                *start = at;
                event(found.name, found.data)
            }),
            Source::Array(reader) => reader.feed(chunk, |element, at| {
                *start = at;
                event(b"", element)
            }),
        }
    }

    /// Takes note of the stream's end.
    ///
    /// # Errors
    ///
    /// The error that [`Observer::feed`] gave before, or that an event without its last blank line holds;
    /// [`Failure::StreamBroken`] when the dialect's own end was not seen (§12.2 of the wire formats).
    pub fn finish(&mut self) -> Result<(), AttemptError> {
        self.finish_each(|_, _| Ok(()))
    }

    /// The same, and hands an event without its last blank line to `then`, as [`Observer::feed_each`] does.
    pub(crate) fn finish_each(
        &mut self,
        mut then: impl FnMut(&[u8], &[u8]) -> Result<(), AttemptError>,
    ) -> Result<(), AttemptError> {
        if let Some(failed) = &self.failed {
            return Err(failed.error.clone());
        }
        let (boundary, array) = (self.source.at_boundary(), self.source.array_position());
        let (watch, seen) = (&mut self.watch, &mut self.seen);
        let last = match &mut self.source {
            Source::Sse(reader) => reader.finish(|event| {
                watch.event(seen, event.name, event.data)?;
                then(event.name, event.data)
            }),
            Source::Array(_) => Ok(()),
        };
        let error = match last {
            Err(error) if error.failure != Failure::MalformedReply => error,
            // An unreadable rest is an event that the end cut off; whether that matters, the events before it
            // tell.
            Ok(()) | Err(_) if self.is_complete() => return Ok(()),
            Ok(()) | Err(_) => AttemptError::new(Failure::StreamBroken, "the provider's stream ended early"),
        };
        self.failed = Some(Failed { error: error.clone(), boundary, array });
        Err(error)
    }

    /// Tells whether the dialect's own end was seen, so that the stream may close at any time. A JSON array must
    /// be closed too, or its reader has no JSON.
    pub fn is_complete(&self) -> bool {
        let open = match &self.source {
            Source::Sse(_) => false,
            Source::Array(reader) => reader.position() != ArrayPosition::Closed,
        };
        if self.failed.is_some() || open {
            return false;
        }
        match &self.watch {
            Watch::Chat(watch) => watch.is_complete(&self.seen),
            Watch::Responses(_) | Watch::Anthropic(_) | Watch::Gemini(_) => self.seen.terminal,
        }
    }

    /// Tells whether the first content event has been seen. Also right after an error.
    pub fn is_semantic(&self) -> bool {
        self.seen.semantic
    }

    /// Tells how many bytes of the last chunk come before the event that made [`Observer::feed`] fail, and so
    /// may still be passed on; all of them when it did not fail. 0 when that event began in an earlier chunk.
    pub fn clean_len(&self) -> usize {
        self.clean_len
    }

    /// Gives the tokens that the provider reported, the last value of each count; where it reported none, an
    /// estimate from the request's size and from what came, marked as such. Before the end of the answer a report may be
    /// behind what came: it then counts for less than the estimate.
    pub fn usage(&self, request_bytes: usize) -> TokenUsage {
        let guess = estimate(self.operation, request_bytes, self.output_guess());
        let mut usage = self.seen.counts.total(self.dialect, guess);
        if usage.output < guess.output && !self.is_complete() {
            usage.estimated = usage.estimated.saturating_add(guess.output - usage.output);
            usage.output = guess.output;
        }
        usage
    }

    /// Guesses the tokens of what the model said: at least one for each event, and one for four bytes where they are
    /// counted.
    fn output_guess(&self) -> u64 {
        self.seen.content_events.max(u64::try_from(self.said / 4).unwrap_or(u64::MAX))
    }

    /// Tells whether the provider reported any token count.
    pub fn usage_reported(&self) -> bool {
        self.seen.counts.reported()
    }

    /// Tells whether another event may be written after the bytes so far: the `boundary` of [`Observer::state`],
    /// without the cost of the rest.
    pub fn at_boundary(&self) -> bool {
        self.failed.as_ref().map_or_else(|| self.source.at_boundary(), |failed| failed.boundary)
    }

    /// Gives what [`crate::encode_in_stream`] must know.
    ///
    /// After a failed [`Observer::feed`] it is true for a caller that passes on the failed chunk's first
    /// [`Observer::clean_len`] bytes and no more; otherwise for one that passes on all of the bytes.
    pub fn state(&self) -> StreamState {
        let array = self.failed.as_ref().map_or_else(|| self.source.array_position(), |failed| failed.array);
        let response = match &self.watch {
            Watch::Responses(watch) => watch.started(),
            Watch::Chat(_) | Watch::Anthropic(_) | Watch::Gemini(_) => None,
        };
        StreamState { boundary: self.at_boundary(), array, response }
    }

    /// Gives the same for a caller that passes on whole events only, and so none of an unfinished one.
    pub fn whole_state(&self) -> StreamState {
        let state = self.state();
        let array = match state.array {
            ArrayPosition::InElement => self.source.before_element(),
            array => array,
        };
        StreamState { boundary: true, array, ..state }
    }
}

impl Source {
    fn whole_len(&self) -> usize {
        match self {
            Source::Sse(reader) => reader.whole_len(),
            Source::Array(reader) => reader.whole_len(),
        }
    }

    fn at_boundary(&self) -> bool {
        match self {
            Source::Sse(reader) => reader.at_boundary(),
            Source::Array(reader) => reader.at_boundary(),
        }
    }

    fn array_position(&self) -> ArrayPosition {
        match self {
            Source::Sse(_) => ArrayPosition::Unopened,
            Source::Array(reader) => reader.position(),
        }
    }

    fn before_element(&self) -> ArrayPosition {
        match self {
            Source::Sse(_) => ArrayPosition::Unopened,
            Source::Array(reader) => reader.before_element(),
        }
    }
}

impl Watch {
    fn event(&mut self, seen: &mut Seen, name: &[u8], data: &[u8]) -> Result<(), AttemptError> {
        // The end mark of OpenAI's streams, which compatible servers send in other dialects too, is no JSON; an
        // event without data says nothing.
        if data.is_empty() || data.starts_with(b"[DONE]") {
            seen.done |= !data.is_empty();
            return Ok(());
        }
        match self {
            Watch::Chat(watch) => watch.event(seen, data),
            Watch::Responses(watch) => watch.event(seen, name, data),
            Watch::Anthropic(watch) => watch.event(seen, name, data),
            Watch::Gemini(watch) => watch.event(seen, data),
        }
    }
}

impl From<sse::EventTooLarge> for AttemptError {
    fn from(error: sse::EventTooLarge) -> Self {
        AttemptError::new(Failure::MalformedReply, error.to_string())
    }
}

impl From<json_array::ArrayError> for AttemptError {
    fn from(error: json_array::ArrayError) -> Self {
        AttemptError::new(Failure::MalformedReply, error.to_string())
    }
}

#[cfg(test)]
mod tests;
