//! A stream on its way to the client: the provider's bytes, keep-alives while it is silent, and our own error
//! event where it breaks.

use super::{
    PendingReply,
    body::{BodyError, Ending, Served},
    error_reply,
};
use crate::{
    attempt::{Source, StreamSource},
    decode::{Call, Delivery},
};
use bytes::Bytes;
use cliproxy_dialects::{Framing, StreamState, encode_in_stream, keep_alive};
use cliproxy_domain::{AttemptError, Failure, TokenUsage};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

/// How long a client hears nothing before it gets a keep-alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream to a client.
pub(super) struct ClientStream {
    call: Arc<Call>,
    state: State,
    served: Option<Served>,
    ending: Option<Ending>,
    /// Fires [`KEEP_ALIVE`] after it was set; it is moved when it fires, not with each piece.
    silence: Pin<Box<Sleep>>,
    /// Pieces went out since the timer was set.
    spoke: bool,
}

enum State {
    Pending(PendingReply),
    Flowing(Box<StreamSource>),
    Over,
}

impl ClientStream {
    pub(super) fn flowing(call: &Arc<Call>, served: Served, source: Box<StreamSource>) -> Self {
        Self::new(call, State::Flowing(source), Some(served))
    }

    pub(super) fn pending(call: &Arc<Call>, reply: PendingReply) -> Self {
        Self::new(call, State::Pending(reply), None)
    }

    fn new(call: &Arc<Call>, state: State, served: Option<Served>) -> Self {
        let silence = Box::pin(tokio::time::sleep(KEEP_ALIVE));
        Self { call: Arc::clone(call), state, served, ending: None, silence, spoke: false }
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.clone()
    }

    pub(super) fn so_far(&self) -> (Option<Served>, TokenUsage) {
        let usage = match &self.state {
            State::Flowing(source) => source.usage(),
            _ => self.ending.as_ref().map(|ending| ending.usage).unwrap_or_default(),
        };
        (self.served.clone(), usage)
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Pending(reply) => match reply.as_mut().poll(cx) {
                    Poll::Ready(Ok(reply)) => {
                        if let Err(error) = self.begin(reply) {
                            return self.fail(&error, &StreamState::default());
                        }
                    }
                    Poll::Ready(Err(exhausted)) => {
                        self.served = Some(Served { target: exhausted.target, attempts: exhausted.attempts });
                        return self.fail(&exhausted.error, &StreamState::default());
                    }
                    Poll::Pending => return self.poll_silence(cx, true),
                },
                State::Flowing(source) => match source.poll_next(cx) {
                    Poll::Ready(Some(Ok(piece))) => {
                        self.spoke = true;
                        return Poll::Ready(Some(Ok(piece)));
                    }
                    Poll::Ready(Some(Err(error))) => {
                        let state = source.state();
                        return self.fail(&error, &state);
                    }
                    Poll::Ready(None) => {
                        let error_type = source.failure().map(|error| error.failure.error_type());
                        let usage = source.usage();
                        self.end(usage, error_type);
                        return Poll::Ready(None);
                    }
                    Poll::Pending => {
                        let boundary = source.at_boundary();
                        return self.poll_silence(cx, boundary);
                    }
                },
            }
        }
    }

    /// Takes over a reply that came after the head was sent. The head has said how the answer is framed: one in
    /// another form cannot be told any more.
    fn begin(&mut self, reply: crate::attempt::Reply) -> Result<(), AttemptError> {
        self.served = Some(Served { target: reply.target, attempts: reply.attempts });
        match (reply.source, self.call.delivery) {
            (Source::Stream(source), Delivery::Stream(framing)) if source.framing() == Some(framing) => {
                self.state = State::Flowing(source);
                Ok(())
            }
            _ => Err(AttemptError::new(
                Failure::MalformedReply,
                "the provider answered in another form than the one that was asked for",
            )),
        }
    }

    /// Tells the client, in its dialect, and ends the stream properly.
    fn fail(&mut self, error: &AttemptError, state: &StreamState) -> Poll<Option<Result<Bytes, BodyError>>> {
        let framing = match (&self.state, self.call.delivery) {
            (State::Flowing(source), _) => source.framing(),
            (_, Delivery::Stream(framing)) => Some(framing),
            (_, Delivery::Whole) => None,
        };
        let usage = self.so_far().1;
        self.end(usage, Some(error.failure.error_type()));
        let Some(framing) = framing else {
            // Part of a whole answer is with the client: only a closed connection tells it the truth.
            return Poll::Ready(Some(Err(BodyError(error.message.clone()))));
        };
        let reply = error_reply(&error.message, error.failure, &self.call.id);
        let event = encode_in_stream(self.call.dialect, framing, &reply, state);
        Poll::Ready((!event.is_empty()).then_some(Ok(event)))
    }

    fn end(&mut self, usage: TokenUsage, error_type: Option<&'static str>) {
        self.state = State::Over;
        let served = self.served.clone();
        self.ending = Some(Ending { served, usage, error_type, refused: None, own: false, forwarded: false });
    }

    /// Gives a keep-alive when the client has heard nothing for long and is between two events.
    fn poll_silence(
        &mut self,
        cx: &mut Context<'_>,
        boundary: bool,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.silence.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let next = self.silence.deadline() + KEEP_ALIVE;
            self.silence.as_mut().reset(next);
            let heard = std::mem::take(&mut self.spoke);
            if heard || !boundary {
                continue;
            }
            let framing = match (&self.state, self.call.delivery) {
                (State::Flowing(source), _) => source.framing(),
                (_, Delivery::Stream(framing)) => Some(framing),
                _ => None,
            };
            if let Some(bytes) = framing.and_then(|framing: Framing| keep_alive(self.call.dialect, framing)) {
                return Poll::Ready(Some(Ok(Bytes::from_static(bytes))));
            }
        }
    }
}
