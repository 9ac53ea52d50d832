//! The bytes of an answer that has begun, and what is learnt of them while they pass.

use super::{InFlight, try_once};
use super::{partial::Partial, tail::Tail};
use crate::{decode::Call, upstream::Place};
use bytes::Bytes;
use cliproxy_dialects::{Framing, Observer, StreamState};
use cliproxy_domain::{AttemptError, Failure, TimeoutPhase, TokenUsage};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::time::Sleep;

/// Answers up to this size are read whole before the first byte goes to the client, so that one that is cut or
/// malformed can still be had elsewhere.
pub(super) const WHOLE_LIMIT: usize = 4 * 1024 * 1024;
/// How much of a stream may come before its first semantic event.
pub(super) const PREAMBLE_LIMIT: usize = 256 * 1024;

/// Chunks that wait to be passed on.
#[derive(Default)]
pub(super) struct HeldChunks {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

impl HeldChunks {
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }
}

impl IntoIterator for HeldChunks {
    type Item = Bytes;
    type IntoIter = std::collections::vec_deque::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter()
    }
}

/// An answer past its commit point, not yet bound to its attempt.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once; a box would cost each stream more")]
pub(super) enum Opened {
    Whole {
        body: Bytes,
        usage: Option<TokenUsage>,
    },
    Large {
        held: Bytes,
        rest: Incoming,
        idle: Duration,
        place: Place,
    },
    Stream {
        held: HeldChunks,
        /// The unfinished event at the end of what was read.
        partial: Partial,
        /// What follows in the last chunk from the event on that the observer failed at.
        failing: Bytes,
        rest: Option<Incoming>,
        observer: Observer,
        framing: Framing,
        idle: Duration,
        place: Place,
    },
}

impl Opened {
    /// Binds the answer to its attempt, which ends with it. `time_left` bounds the rest of it.
    pub(super) fn started(self, in_flight: InFlight, call: &Call, time_left: Duration) -> Source {
        let request_bytes = call.body.len();
        match self {
            Opened::Whole { body, usage } => {
                let usage =
                    usage.unwrap_or_else(|| Tail::estimate(call.operation, request_bytes, body.len()));
                in_flight.answered(usage);
                Source::Whole(WholeSource { body, usage })
            }
            Opened::Large { held, rest, idle, place } => {
                let tap = Tap::Tail(Tail::new(call.dialect, call.operation, &held));
                let mut chunks = HeldChunks::default();
                chunks.push(held);
                Source::Stream(Box::new(StreamSource::new(
                    chunks,
                    Partial::default(),
                    Some(rest),
                    tap,
                    None,
                    idle,
                    time_left,
                    place,
                    in_flight,
                    request_bytes,
                )))
            }
            Opened::Stream { held, partial, failing, rest, observer, framing, idle, place } => {
                in_flight.first_event();
                let tap = Tap::Events(observer);
                let mut source = StreamSource::new(
                    held,
                    partial,
                    rest,
                    tap,
                    Some(framing),
                    idle,
                    time_left,
                    place,
                    in_flight,
                    request_bytes,
                );
                if !failing.is_empty() {
                    // The observer gives its error again.
                    source.observe(failing);
                }
                Source::Stream(Box::new(source))
            }
        }
    }
}

/// The bytes of an answer.
pub enum Source {
    /// All of it is here; its attempt has ended.
    Whole(WholeSource),
    /// It is still coming.
    Stream(Box<StreamSource>),
}

/// An answer that came whole.
pub struct WholeSource {
    /// Its bytes.
    pub body: Bytes,
    /// Its tokens.
    pub usage: TokenUsage,
}

#[expect(clippy::large_enum_variant, reason = "nearly every answer that flows is a stream of events")]
enum Tap {
    Events(Observer),
    Tail(Tail),
}

/// An answer that is still coming. Dropped before its end, it counts as cancelled, with the tokens seen so far.
pub struct StreamSource {
    held: HeldChunks,
    rest: Option<Incoming>,
    tap: Tap,
    framing: Option<Framing>,
    partial: Partial,
    idle: Duration,
    total: Pin<Box<Sleep>>,
    /// Fires when nothing came for `idle`. It is moved when it fires, not with each piece.
    quiet: Pin<Box<Sleep>>,
    last_piece: Instant,
    error: Option<AttemptError>,
    /// The provider told the client of the error itself.
    told: bool,
    request_bytes: usize,
    in_flight: Option<InFlight>,
    // Kept so that the pool counts the request until its end.
    _place: Place,
}

impl StreamSource {
    fn new(
        held: HeldChunks,
        partial: Partial,
        rest: Option<Incoming>,
        tap: Tap,
        framing: Option<Framing>,
        idle: Duration,
        time_left: Duration,
        place: Place,
        in_flight: InFlight,
        request_bytes: usize,
    ) -> Self {
        Self {
            held,
            rest,
            tap,
            framing,
            partial,
            idle,
            total: Box::pin(tokio::time::sleep(time_left)),
            quiet: Box::pin(tokio::time::sleep(idle)),
            last_piece: in_flight.now(),
            error: None,
            told: false,
            request_bytes,
            in_flight: Some(in_flight),
            _place: place,
        }
    }

    /// Gives the next piece, `None` after the last. An error ends the answer: what can follow it is the client's
    /// error event.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, AttemptError>>> {
        loop {
            if let Some(chunk) = self.held.chunks.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            let Some(rest) = &mut self.rest else { return Poll::Ready(self.finish()) };
            match Pin::new(rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.observe(chunk);
                    }
                }
                Poll::Ready(Some(Err(_))) => self.stop(try_once::broken()),
                Poll::Ready(None) => self.end(),
                Poll::Pending => {
                    let error = ready!(self.poll_timeouts(cx));
                    self.stop(error);
                }
            }
        }
    }

    /// Tells how the stream is framed; `None` for a large answer in one piece.
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Tells whether another event may be written now.
    pub fn at_boundary(&self) -> bool {
        match &self.tap {
            Tap::Events(observer) => self.partial.is_empty() && observer.at_boundary(),
            Tap::Tail(_) => false,
        }
    }

    /// Gives what an error event must know of what was passed on.
    pub fn state(&self) -> StreamState {
        match &self.tap {
            Tap::Events(observer) if self.partial.is_flowing() => observer.state(),
            Tap::Events(observer) => observer.whole_state(),
            Tap::Tail(_) => StreamState::default(),
        }
    }

    /// Gives the tokens so far.
    pub fn usage(&self) -> TokenUsage {
        match &self.tap {
            Tap::Events(observer) => observer.usage(self.request_bytes),
            Tap::Tail(tail) => tail.usage(self.request_bytes),
        }
    }

    fn observe(&mut self, chunk: Bytes) {
        if let Some(in_flight) = &self.in_flight {
            self.last_piece = in_flight.now();
        }
        if self.error.is_some() {
            self.held.push(chunk);
            return;
        }
        let whole = match &mut self.tap {
            Tap::Tail(tail) => {
                tail.push(&chunk);
                chunk.len()
            }
            Tap::Events(observer) => match observer.feed(&chunk) {
                Ok(progress) => progress.whole,
                // Nobody could read it. The client gets what came before, and the error in words of ours.
                Err(error) if error.failure == Failure::MalformedReply => {
                    let clean = chunk.slice(..observer.clean_len());
                    let whole = clean.len();
                    self.partial.pass(clean, whole, &mut self.held);
                    return self.stop(error);
                }
                Err(error) => {
                    // The provider's own error event, in the client's dialect: it passes, and so does what follows.
                    self.error = Some(error);
                    self.told = true;
                    chunk.len()
                }
            },
        };
        self.partial.pass(chunk, whole, &mut self.held);
    }

    /// Takes note that the provider has closed its answer. An event that lacks its blank line passes where the answer
    /// is whole with it, as upstreams leave the last one out. Else it is cut, and nothing may follow half an event.
    fn end(&mut self) {
        self.rest = None;
        if self.error.is_none() {
            self.error = self.check();
        }
        if self.error.is_none() || self.told {
            self.partial.flush(&mut self.held);
        } else {
            self.partial.discard();
        }
    }

    /// Ends the answer from our side. What happens after the stream's own end harms nothing.
    fn stop(&mut self, error: AttemptError) {
        self.rest = None;
        self.partial.discard();
        if !matches!(&self.tap, Tap::Events(observer) if observer.is_complete()) {
            self.error.get_or_insert(error);
        }
    }

    /// Complains of an answer whose end is missing.
    fn check(&mut self) -> Option<AttemptError> {
        match &mut self.tap {
            Tap::Events(observer) => observer.finish().err(),
            Tap::Tail(tail) => tail.check(),
        }
    }

    /// Gives the error of a timeout that has passed.
    fn poll_timeouts(&mut self, cx: &mut Context<'_>) -> Poll<AttemptError> {
        if self.total.as_mut().poll(cx).is_ready() {
            let message = "the answer took longer than timeouts.total allows";
            return Poll::Ready(AttemptError::new(Failure::Timeout(TimeoutPhase::Total), message));
        }
        loop {
            ready!(self.quiet.as_mut().poll(cx));
            let until = tokio::time::Instant::from_std(self.last_piece + self.idle);
            if until <= self.quiet.deadline() {
                return Poll::Ready(try_once::idle_timeout(self.idle));
            }
            self.quiet.as_mut().reset(until);
        }
    }

    /// Ends the attempt, once, and tells how it went.
    fn finish(&mut self) -> Option<Result<Bytes, AttemptError>> {
        let in_flight = self.in_flight.take()?;
        if self.error.is_none() {
            self.error = self.check();
        }
        let usage = self.usage();
        match &self.error {
            None => {
                in_flight.answered(usage);
                None
            }
            Some(error) => {
                in_flight.failed(error, usage);
                (!self.told).then(|| Err(error.clone()))
            }
        }
    }

    /// Gives the failure that the answer ended with, told or not.
    pub fn failure(&self) -> Option<&AttemptError> {
        self.error.as_ref()
    }
}

impl Drop for StreamSource {
    fn drop(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.cancelled(self.usage());
        }
    }
}
