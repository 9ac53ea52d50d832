//! Lets go of a peer that does not read.
//!
//! While nobody takes what was written, HTTP asks the response's body for nothing more, so no timeout of the body's
//! own can fire: the connection, and the upstream call behind it, would stay for ever.

use crate::net::Connection;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A connection whose writes fail when the peer has taken nothing for `patience`.
pub(super) struct Stalling {
    inner: Connection,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    pub(super) fn new(inner: Connection, patience: Duration) -> Self {
        Self { inner, patience, waiting: None }
    }

    /// Watches the outcome of a write: the clock runs from the first that has to wait to the next that does not.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        let message = format!("the peer took nothing for {patience:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock as _, SystemClock};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_let_go() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let mut connection = Stalling::new(Connection::new(ours), PATIENCE);
        connection.write_all(b"12345678").await.unwrap();
        let started = SystemClock.now();
        let error = connection.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(SystemClock.now() - started >= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_served_to_the_end() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut connection = Stalling::new(Connection::new(ours), PATIENCE);
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            let mut piece = [0; 4];
            while let Ok(read @ 1..) = theirs.read(&mut piece).await {
                all.extend_from_slice(&piece[..read]);
                sleep(PATIENCE / 2).await;
            }
            all
        });
        connection.write_all(&[7; 64]).await.unwrap();
        drop(connection);
        assert_eq!(reading.await.unwrap(), [7; 64]);
    }
}
