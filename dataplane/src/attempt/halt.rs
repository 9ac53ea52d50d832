//! An answer that halts, as it has used what was reserved for it and more may be granted.

use crate::live::{LAST_WAIT, Live};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::time::Sleep;

/// The wait for more.
pub(super) struct Halt {
    live: Arc<Live>,
    granted: Pin<Box<dyn Future<Output = ()> + Send>>,
    over: Pin<Box<Sleep>>,
    is_over: bool,
    began: Instant,
}

impl Halt {
    /// Begins one at `now`.
    pub(super) fn begins(live: Arc<Live>, now: Instant) -> Self {
        let over = Box::pin(tokio::time::sleep(LAST_WAIT));
        Self { granted: next_grant(&live), live, over, is_over: false, began: now }
    }

    /// Ready with each grant since the poll before, and when the wait is over. Who then tries, and polls until nothing is
    /// new, misses no grant.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.over.as_mut().poll(cx).is_ready() {
            self.is_over = true;
            return Poll::Ready(());
        }
        let news = self.granted.as_mut().poll(cx);
        if news.is_ready() {
            self.granted = next_grant(&self.live);
        }
        news
    }

    /// Tells whether the wait is over, as of the last poll.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Gives how long it took by `now`.
    pub(super) fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}

fn next_grant(live: &Arc<Live>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let live = Arc::clone(live);
    Box::pin(async move { live.lease_news().next_grant().await })
}
