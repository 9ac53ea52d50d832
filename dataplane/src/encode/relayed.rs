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
    silence: Silence,
    over: bool,
    _place: Place,
}

impl Relayed {
    /// Passes `body` on, which breaks off after `idle` without a piece of it.
    pub(super) fn new(body: Incoming, place: Place, idle: Duration) -> Self {
        let over = body.is_end_stream();
        Self { body, silence: Silence::new(idle), over, _place: place }
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
                    self.silence.broken();
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(BodyError(error.to_string()))));
                }
                Poll::Ready(None) => self.over = true,
                Poll::Pending => {
                    ready!(self.silence.poll(cx));
                    return Poll::Ready(Some(Err(BodyError("the other gateway fell silent".to_owned()))));
                }
            }
        }
    }
}

/// Fires after one to two times `idle` without a piece: a gateway keeps its streams alive far more often.
struct Silence {
    /// It is moved when it fires, not with each piece.
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    /// Pieces came since the timer was set.
    broken: bool,
}

impl Silence {
    fn new(idle: Duration) -> Self {
        Self { timer: Box::pin(tokio::time::sleep(idle)), idle, broken: false }
    }

    fn broken(&mut self) {
        self.broken = true;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if !std::mem::take(&mut self.broken) {
                return Poll::Ready(());
            }
            // From now on: while the client took nothing, nobody asked for a piece.
            self.timer.set(tokio::time::sleep(self.idle));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const IDLE: Duration = Duration::from_secs(30);

    async fn lasts(silence: &mut Silence, time: Duration) -> bool {
        tokio::time::timeout(time, poll_fn(|cx| silence.poll(cx))).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_what_the_other_side_does_not_say_and_not_what_the_client_does_not_take() {
        let mut silence = Silence::new(IDLE);
        assert!(lasts(&mut silence, IDLE - Duration::from_secs(1)).await);
        silence.broken();
        // The client takes nothing for long, then all that had come by then.
        tokio::time::sleep(4 * IDLE).await;
        assert!(lasts(&mut silence, IDLE - Duration::from_secs(1)).await);
        assert!(!lasts(&mut silence, Duration::from_secs(2)).await);
    }
}
