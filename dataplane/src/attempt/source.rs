//! The bytes of an answer that has begun, and what is learnt of them while they pass.

mod metering;

use super::{
    InFlight, course::TimeLimit, halt::Halt, opened::Relay, partial::Partial, tail::Tail,
    translation::Translation, try_once,
};
use crate::upstream::Place;
use bytes::Bytes;
use cliproxy_dialects::{Framing, Observer, StreamState};
use cliproxy_domain::{AttemptError, Failure, TokenUsage};
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
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.chunks.push_back(chunk);
        }
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
pub(super) enum Tap {
    /// Events of the client's own dialect, which pass.
    Events(Observer),
    /// The end of a large answer in one piece, which passes.
    Tail(Tail),
    /// Events of another dialect.
    Translated(Translation),
}

/// An answer that is still coming. Dropped before its end, it counts as cancelled, with the tokens seen so far, unless it
/// had failed by then.
pub struct StreamSource {
    held: HeldChunks,
    rest: Option<Incoming>,
    tap: Tap,
    framing: Option<Framing>,
    partial: Partial,
    idle: Duration,
    total: Pin<Box<Sleep>>,
    limit: TimeLimit,
    /// Fires when nothing came for `idle`. It is moved when it fires, not with each piece.
    quiet: Pin<Box<Sleep>>,
    last_piece: Instant,
    error: Option<AttemptError>,
    /// Nothing more is read before more is granted for it.
    halt: Option<Halt>,
    /// It was ended from our side, as one that has reached its maximum of tokens.
    ended_early: bool,
    /// The provider told the client of the error itself.
    told: bool,
    request_bytes: usize,
    in_flight: Option<InFlight>,
    /// Kept so that the pool counts the request until its end.
    place: Place,
}

impl StreamSource {
    pub(super) fn new(
        relay: Relay,
        partial: Partial,
        tap: Tap,
        framing: Option<Framing>,
        limit: TimeLimit,
        in_flight: InFlight,
        request_bytes: usize,
    ) -> Self {
        Self {
            held: relay.held,
            rest: relay.rest,
            tap,
            framing,
            partial,
            idle: relay.idle,
            total: Box::pin(tokio::time::sleep(limit.left)),
            limit,
            quiet: Box::pin(tokio::time::sleep(relay.idle)),
            last_piece: in_flight.now(),
            error: None,
            halt: None,
            ended_early: false,
            told: false,
            request_bytes,
            in_flight: Some(in_flight),
            place: relay.place,
        }
    }

    /// Gives the next piece, `None` after the last. An error ends the answer: what can follow it is the client's
    /// error event.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, AttemptError>>> {
        loop {
            if let Some(chunk) = self.held.chunks.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if self.halt.is_some() {
                ready!(self.poll_halt(cx));
                continue;
            }
            let Some(rest) = &mut self.rest else {
                if ready!(self.poll_next_part(cx)) {
                    continue;
                }
                return Poll::Ready(self.finish());
            };
            match Pin::new(rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.observe(chunk);
                        self.meter();
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
            // Only whole events are written.
            Tap::Translated(_) => true,
        }
    }

    /// Gives what an error event must know of what was passed on.
    pub fn state(&self) -> StreamState {
        match &self.tap {
            Tap::Events(observer) if self.partial.is_flowing() => observer.state(),
            Tap::Events(observer) => observer.whole_state(),
            Tap::Tail(_) => StreamState::default(),
            Tap::Translated(translation) => translation.state(),
        }
    }

    /// Gives the tokens so far.
    pub fn usage(&self) -> TokenUsage {
        match &self.tap {
            Tap::Events(observer) => observer.usage(self.request_bytes),
            Tap::Tail(tail) => tail.usage(self.request_bytes),
            Tap::Translated(translation) => translation.usage(self.request_bytes),
        }
    }

    pub(super) fn observe(&mut self, chunk: Bytes) {
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
            Tap::Translated(translation) => {
                let fed = translation.feed(&chunk);
                self.held.push(fed.out.into());
                return match fed.error {
                    Some(error) => self.stop(error),
                    // Its provider is called off.
                    None if fed.cut => self.rest = None,
                    None => {}
                };
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
        if self.error.is_none() && !self.ended_early {
            self.error = self.check();
        }
        if self.error.is_none() || self.told {
            self.partial.flush(&mut self.held);
        } else {
            self.partial.discard();
        }
    }

    /// Ends the answer from our side. What happens after the stream's own end harms nothing.
    pub(super) fn stop(&mut self, error: AttemptError) {
        self.rest = None;
        self.partial.discard();
        if !self.is_complete() {
            self.error.get_or_insert(error);
        }
    }

    fn is_complete(&self) -> bool {
        match &self.tap {
            Tap::Events(observer) => observer.is_complete(),
            Tap::Tail(_) => false,
            Tap::Translated(translation) => translation.is_complete(),
        }
    }

    /// Complains of an answer whose end is missing.
    fn check(&mut self) -> Option<AttemptError> {
        match &mut self.tap {
            Tap::Events(observer) => observer.finish().err(),
            Tap::Tail(tail) => tail.check(),
            Tap::Translated(translation) => {
                let fed = translation.finish();
                self.held.push(fed.out.into());
                fed.error
            }
        }
    }

    /// Goes on with the provider's next part, if it paused. Tells whether there is one, or news of it.
    fn poll_next_part(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Tap::Translated(translation) = &mut self.tap else { return Poll::Ready(false) };
        if self.error.is_some() || self.ended_early {
            return Poll::Ready(false);
        }
        // Each part is a call of its own.
        if translation.is_paused() && self.in_flight.as_ref().is_some_and(|it| !it.call_again()) {
            let usage = self.usage();
            self.end_early(&usage);
            return Poll::Ready(self.ended_early);
        }
        let Tap::Translated(translation) = &mut self.tap else { return Poll::Ready(false) };
        match translation.poll_next_part(cx) {
            Poll::Ready(None) => return Poll::Ready(false),
            Poll::Ready(Some(Ok((rest, place)))) => {
                self.rest = Some(rest);
                self.place = place;
                self.last_piece = self.in_flight.as_ref().map_or(self.last_piece, InFlight::now);
            }
            Poll::Ready(Some(Err(error))) => self.stop(error),
            Poll::Pending => {
                let error = ready!(self.poll_timeouts(cx));
                self.stop(error);
            }
        }
        Poll::Ready(true)
    }

    /// Gives the error of a timeout that has passed.
    fn poll_timeouts(&mut self, cx: &mut Context<'_>) -> Poll<AttemptError> {
        if self.total.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.limit.error());
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
        if self.error.is_none() && !self.ended_early {
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
        let Some(in_flight) = self.in_flight.take() else { return };
        let usage = self.usage();
        match &self.error {
            // Clients hang up as soon as they hear of an error, often before the provider ends its answer.
            Some(error) => in_flight.failed(error, usage),
            None => in_flight.cancelled(usage),
        }
    }
}
