//! An answer of another gateway on its way to the client: as it came.

use super::body::BodyError;
use crate::upstream::Place;
use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use hyper::body::Incoming;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;

/// A body that passes as it is.
pub(super) struct Relayed {
    body: Incoming,
    /// Fires `idle` after it was set: a gateway keeps its streams alive far more often. It is moved when it fires, not
    /// with each piece.
    silence: Pin<Box<Sleep>>,
    idle: Duration,
    /// Pieces came since the timer was set.
    spoke: bool,
    over: bool,
    _place: Place,
}

impl Relayed {
    /// Passes `body` on, which breaks off after `idle` without a piece of it.
    pub(super) fn new(body: Incoming, place: Place, idle: Duration) -> Self {
        let over = body.is_end_stream();
        Self { body, silence: Box::pin(tokio::time::sleep(idle)), idle, spoke: false, over, _place: place }
    }

    /// Tells whether all of it has passed.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.over = self.body.is_end_stream();
                    self.spoke = true;
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(BodyError(error.to_string()))));
                }
                Poll::Ready(None) => self.over = true,
                Poll::Pending => {
                    ready!(self.silence.as_mut().poll(cx));
                    if std::mem::take(&mut self.spoke) {
                        let next = self.silence.deadline() + self.idle;
                        self.silence.as_mut().reset(next);
                        continue;
                    }
                    return Poll::Ready(Some(Err(BodyError("the other gateway fell silent".to_owned()))));
                }
            }
        }
    }
}
