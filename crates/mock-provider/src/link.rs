//! One client connection: it can be reset, and it tells when an answer has really been written.

use crate::log::{Open, Outcome};
use crate::script::Usage;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What the requests of a connection share with its socket.
#[derive(Debug, Default)]
pub(crate) struct Link {
    reset: AtomicBool,
    has_ended: AtomicBool,
    ended: Mutex<Vec<Ended>>,
}

/// An answer that was handed to the HTTP layer to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) open: Open,
    pub(crate) outcome: Outcome,
    pub(crate) usage: Option<Usage>,
}

impl Link {
    /// Has the connection reset, not closed, when it is dropped.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Settles an answer once the bytes that the HTTP layer holds are written. On HTTP/1 the body is
    /// dropped in the task that flushes afterwards, so that this order is certain.
    pub(crate) fn settle_after_flush(&self, ended: Ended) {
        self.ended.lock().push(ended);
        self.has_ended.store(true, Ordering::Release);
    }

    fn flushed(&self) {
        if self.has_ended.swap(false, Ordering::AcqRel) {
            for Ended { open, outcome, usage } in std::mem::take(&mut *self.ended.lock()) {
                open.finish(outcome, usage);
            }
        }
    }

    /// Says that the connection is gone: what was not written never will be.
    pub(crate) fn gone(&self) {
        drop(std::mem::take(&mut *self.ended.lock()));
    }
}

/// The socket of a connection.
#[derive(Debug)]
pub(crate) struct LinkedStream {
    stream: TcpStream,
    link: Arc<Link>,
}

impl LinkedStream {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }
}

impl Drop for LinkedStream {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Acquire) {
            // A socket that cannot be told is closed in order: the fault is milder, nothing is lost.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for LinkedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for LinkedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The HTTP layer flushes when it holds nothing more, so everything before is written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            this.link.flushed();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
