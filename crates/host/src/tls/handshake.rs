//! Handshakes, bounded in time and number.

mod fault;
mod refusals;
mod verdict;

pub use fault::HandshakeError;
pub(super) use verdict::Verdict;

use super::{Presented, Tls};
use crate::net::Connection;
use refusals::Refusals;
use rustls::pki_types::ServerName;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use verdict::Judged;

/// How long a handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes at once on one listener. Over it the oldest is cut: those who mean it take milliseconds, so that whoever
/// says nothing is always the older one.
const MOST: usize = 512;
/// How long, and for how many bytes, somebody who is refused is listened to so that he hears why.
const LINGER: Duration = Duration::from_millis(250);
const LINGER_BYTES: u64 = 64 * 1024;
/// gRPC's protocol (RFC 7301, RFC 9113).
pub(super) const H2: &[u8] = b"h2";

impl Tls {
    /// Does a server's side of a handshake, within [`HANDSHAKE`]; gives what the client's certificate says beside the
    /// connection.
    ///
    /// # Errors
    /// When the other side is not let in, does not speak TLS 1.3, or takes too long.
    pub async fn accept(
        &self,
        connection: Connection,
    ) -> Result<(Connection, Arc<Presented>), HandshakeError> {
        let accepting = TlsAcceptor::from(Arc::clone(&self.server)).accept(connection).into_fallible();
        let accepted = match tokio::time::timeout(HANDSHAKE, accepting).await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err((error, connection))) => {
                let error = HandshakeError::from(error);
                if !matches!(error, HandshakeError::HungUp) {
                    close_gently(connection).await;
                }
                Err(error)
            }
            Err(_) => Err(HandshakeError::TimedOut),
        };
        let named = accepted.and_then(|stream| {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let presented = Presented::read(shown.ok_or(HandshakeError::NoCertificate)?);
            let presented = presented.map_err(|fault| HandshakeError::Refused(fault.to_string()))?;
            Ok((Connection::new(stream), Arc::new(presented)))
        });
        self.metrics.handshake("server", named.as_ref().map_or_else(HandshakeError::result, |_| "done"));
        named
    }

    /// Does a client's side of a handshake on a connection to `host`, within [`HANDSHAKE`]. The server must be a control
    /// plane of the same trust domain; by which name it is reached does not matter.
    ///
    /// That the server takes this side's certificate shows with the first bytes that it sends; when it does not, that is
    /// logged and counted then.
    ///
    /// # Errors
    /// When the server is not believed, does not speak TLS 1.3 and HTTP/2, or takes too long, and when `host` is no name.
    pub async fn secure(&self, connection: Connection, host: &str) -> Result<Connection, HandshakeError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| HandshakeError::Refused(format!("{host:?} is not the name of a host")))?;
        let connecting = TlsConnector::from(Arc::clone(&self.client)).connect(name, connection);
        let connected = match tokio::time::timeout(HANDSHAKE, connecting).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
                let verdict = Arc::clone(&self.verdict);
                Ok(Connection::new(Judged::new(stream, verdict, self.metrics.clone())))
            }
            Ok(Ok(_)) => Err(HandshakeError::Refused("the other side does not speak HTTP/2".to_owned())),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(HandshakeError::TimedOut),
        };
        self.metrics.handshake("client", connected.as_ref().map_or_else(HandshakeError::result, |_| "done"));
        connected
    }
}

/// Closes a connection so that the other side gets to read why: one that is closed with bytes unread is reset, and what
/// was sent before may be lost with it.
async fn close_gently(mut connection: Connection) {
    let read_all = async {
        if connection.shutdown().await.is_ok() {
            let _ = tokio::io::copy(&mut connection.take(LINGER_BYTES), &mut tokio::io::sink()).await;
        }
    };
    let _ = tokio::time::timeout(LINGER, read_all).await;
}

/// The handshakes of a listener that go on.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    open: Mutex<Open>,
    refusals: Refusals,
}

#[derive(Debug, Default)]
struct Open {
    begun: u64,
    going_on: BTreeMap<u64, CancellationToken>,
}

impl Handshakes {
    /// Does a handshake, and cuts the oldest where too many go on. `None` when it failed or was cut itself.
    pub(crate) async fn run(
        &self,
        tls: &Tls,
        connection: Connection,
        address: SocketAddr,
    ) -> Option<(Connection, Arc<Presented>)> {
        let (number, cut) = self.begin();
        let result = tokio::select! {
            biased;
            result = tls.accept(connection) => Some(result),
            () = cut.cancelled() => None,
        };
        self.open().going_on.remove(&number);
        match result {
            Some(Ok(accepted)) => return Some(accepted),
            // Whoever checks that the port is open says nothing, and is nothing to tell of.
            Some(Err(error @ HandshakeError::HungUp)) => {
                tracing::debug!(%address, %error, "a handshake failed");
            }
            Some(Err(error)) => self.refusals.tell(tls.clock.now(), address, &error),
            None => {
                tls.metrics.handshake("server", "crowded_out");
                tracing::debug!(%address, "a handshake was cut as too many newer ones go on");
            }
        }
        None
    }

    fn begin(&self) -> (u64, CancellationToken) {
        let mut open = self.open();
        if open.going_on.len() >= MOST
            && let Some((_, oldest)) = open.going_on.pop_first()
        {
            oldest.cancel();
        }
        open.begun += 1;
        let (number, cut) = (open.begun, CancellationToken::new());
        open.going_on.insert(number, cut.clone());
        (number, cut)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Each holder makes one change: a panic elsewhere leaves it whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
