//! Waiting for what comes later, without guessing how long it takes.

use crate::now;
use std::{future::Future, time::Duration};

/// How long a test waits for anything that should come soon, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits for what takes many processes, as a whole cluster that comes back.
pub const LONG_PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(5);

/// Calls `attempt` until it gives a value, and gives that.
///
/// # Panics
/// When it gave none within `limit`; the message has `what` was waited for.
pub async fn poll_until<T, F>(what: &str, limit: Duration, attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    poll_every(PAUSE, what, limit, attempt).await
}

/// Does the same with a longer pause, for what costs a process or much reading each time: what is measured would
/// suffer from being looked at.
///
/// # Panics
/// When it gave none within `limit`; the message has `what` was waited for.
pub async fn poll_every<T, F>(
    pause: Duration,
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> F,
) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = now() + limit;
    loop {
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(now() < deadline, "within {limit:?} there was no: {what}");
        tokio::time::sleep(pause).await;
    }
}
