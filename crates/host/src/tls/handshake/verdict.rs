//! Whether a server takes this side's certificate, which shows after the client's handshake is over (RFC 8446, 4.4.4).

use super::HandshakeError;
use crate::{net::Connection, tls::TlsMetrics};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// What servers said last: the refusal that was told, if it was one.
#[derive(Debug, Default)]
pub(in crate::tls) struct Verdict(Mutex<Option<String>>);

impl Verdict {
    fn taken(&self) {
        *self.told() = None;
    }

    /// Tells of a refusal once: whoever is refused tries again and again.
    fn refused(&self, error: &HandshakeError) {
        let text = error.to_string();
        let mut told = self.told();
        if told.as_ref() != Some(&text) {
            tracing::warn!(%error, "a control plane does not let this node in");
            *told = Some(text);
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // Each holder makes one change: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's connection that watches for the server's verdict. The error itself seldom gets to anybody: HTTP/2 tells
/// those who wait for answers that the connection is gone, and no more.
pub(super) struct Judged {
    inner: TlsStream<Connection>,
    /// Until the first bytes, or the first error.
    pending: Option<(Arc<Verdict>, TlsMetrics)>,
}

impl Judged {
    pub(super) fn new(inner: TlsStream<Connection>, verdict: Arc<Verdict>, metrics: TlsMetrics) -> Self {
        Self { inner, pending: Some((verdict, metrics)) }
    }
}

impl AsyncRead for Judged {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if let Some((verdict, metrics)) = self.pending.take() {
            match &read {
                Ok(()) => verdict.taken(),
                Err(error) => {
                    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                    if let Some(error) = inner {
                        metrics.handshake("client", "refused");
                        verdict.refused(&error.into());
                    }
                }
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Judged {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
