//! How those that wait for a part of a limit and those that fetch it hear of each other.

use std::{future::Future, pin::pin, time::Duration};
use tokio::sync::Notify;

/// The longest that a request waits for what it cannot have at once, while something else can be tried.
pub const MOST_WAIT: Duration = Duration::from_millis(50);
/// The longest that it waits in all for a part of a budget where nothing else can be tried: a round trip with a commit,
/// also where the store is busy or others have to give back first.
pub const LAST_WAIT: Duration = Duration::from_secs(1);

/// Word of what is wanted, and of what was granted.
#[derive(Default)]
pub struct LeaseNews {
    wanted: Notify,
    granted: Notify,
}

impl LeaseNews {
    /// Says that a request waits for something.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Waits until something is wanted, or was since this was asked last.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Says that something was granted: whoever waits tries again.
    pub fn granted(&self) {
        self.granted.notify_waiters();
    }

    /// Waits for the next grant after this is first polled.
    pub async fn next_grant(&self) {
        self.granted.notified().await;
    }

    /// Tries again with each grant, until that succeeds or `longest` is over; then gives what the last try came to.
    pub async fn retry<T, E>(&self, longest: Duration, again: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        self.retry_while(longest, again, |_| true).await
    }

    /// The same, but only as long as what stands in the way `may_pass`.
    pub async fn retry_while<T, E>(
        &self,
        longest: Duration,
        mut again: impl FnMut() -> Result<T, E>,
        may_pass: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let mut over = pin!(tokio::time::sleep(longest));
        loop {
            let mut granted = pin!(self.granted.notified());
            // From here on no grant is missed.
            granted.as_mut().enable();
            let tried = again();
            if tried.as_ref().err().is_none_or(|error| !may_pass(error)) {
                return tried;
            }
            self.want();
            if is_over(granted, over.as_mut()).await {
                return again();
            }
        }
    }
}

/// Tells whether the time was up before something was granted.
async fn is_over(granted: impl Future<Output = ()>, over: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = granted => false,
        () = over => true,
    }
}
