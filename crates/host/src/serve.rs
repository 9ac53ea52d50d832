//! The accept loop: HTTP/1.1 and HTTP/2 on one port, bounded, and drained before it ends.

mod activity;
mod heads;
mod stall;

use crate::{
    net::{Connection, Listener},
    tls::{Handshakes, Presented, Tls},
};
use activity::{Activity, Counted, Look};
use heads::Heads;
use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use stall::Stalling;
use std::{
    convert::Infallible, future::Future as _, io, net::SocketAddr, sync::Arc, task::Poll, time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
}

impl Peer {
    /// Tells whether the peer is on this machine. An IPv4 address inside an IPv6 one counts as what it is.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

/// The limits of a listener.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Connections at once; more wait in the listen queue.
    pub max_connections: usize,
    /// Bytes of a request's head. HTTP/1.1 clients that send more get 431.
    pub max_header_bytes: usize,
    /// How long a client may take over a request's head: of the first, from the connection's start to its end; of a later
    /// one on HTTP/1.1, from its first byte.
    pub header_timeout: Duration,
    /// How long a client that keeps an HTTP/1.1 connection open may count on it after an answer. It is closed at twice
    /// that time at the latest.
    pub http1_idle: Duration,
    /// The same for an HTTP/2 connection without a request.
    pub http2_idle: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// HTTP/2 pings while a connection is open: interval, and how long the answer may take.
    pub http2_keep_alive: Option<(Duration, Duration)>,
    /// How long open requests may go on after the shutdown began.
    pub drain: Duration,
    /// Is cancelled when that time is up, before the connections that are still open are closed.
    pub cut: CancellationToken,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            // Longer than clients keep connections for later: one that is closed the moment it is used again costs them
            // a request. Go's keep them for 90 s, most others for less.
            http1_idle: Duration::from_secs(120),
            http2_idle: Duration::from_secs(300),
            write_timeout: Duration::from_secs(120),
            http2_keep_alive: Some((Duration::from_secs(20), Duration::from_secs(20))),
            drain: Duration::from_secs(5),
            cut: CancellationToken::new(),
        }
    }
}

/// How many headers a request may have.
const MAX_HEADERS: usize = 200;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 1_000;

/// Accepts connections until `shutdown` is cancelled, then waits up to `options.drain` for open requests.
///
/// `service` makes one service for each connection. Connections that are still open when the time is up are
/// closed; how many is returned. Cancelling the future itself leaves connections running.
pub async fn serve<F, S, B>(
    listener: Box<dyn Listener>,
    options: ServeOptions,
    shutdown: CancellationToken,
    service: F,
) -> usize
where
    F: Fn(Peer) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    accept_all(listener, options, shutdown, move |connection, address, running| {
        let service = service(Peer { address });
        async move { running.http(connection, service).await }
    })
    .await
}

/// Does what [`serve()`] does, over mutual TLS: `service` is told what the other side's certificate says as well.
///
/// Handshakes are off the accept loop and bounded: whoever is silent keeps nobody out. Who is not let in is logged.
pub async fn serve_tls<F, S, B>(
    listener: Box<dyn Listener>,
    tls: Arc<Tls>,
    options: ServeOptions,
    shutdown: CancellationToken,
    service: F,
) -> usize
where
    F: Fn(Peer, Arc<Presented>) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (service, handshakes) = (Arc::new(service), Arc::new(Handshakes::default()));
    accept_all(listener, options, shutdown, move |connection, address, running| {
        let (service, handshakes, tls) = (Arc::clone(&service), Arc::clone(&handshakes), Arc::clone(&tls));
        async move {
            let accepted = tokio::select! {
                biased;
                () = running.shutdown.cancelled() => None,
                accepted = handshakes.run(&tls, connection, address) => accepted,
            };
            if let Some((connection, presented)) = accepted {
                running.http(connection, service(Peer { address }, presented)).await;
            }
        }
    })
    .await
}

/// Accepts connections until `shutdown`, has each conversed with in a task of its own, and waits for them.
async fn accept_all<C, F>(
    mut listener: Box<dyn Listener>,
    options: ServeOptions,
    shutdown: CancellationToken,
    converse: C,
) -> usize
where
    C: Fn(Connection, SocketAddr, Running) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let tasks = TaskTracker::new();
    let running = Running {
        builder: builder(&options),
        limits: SilenceLimits {
            head: options.header_timeout,
            http1_idle: options.http1_idle,
            http2_idle: options.http2_idle,
        },
        patience: options.write_timeout,
        shutdown: shutdown.clone(),
        abort: options.cut.clone(),
    };
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(listener.as_mut(), &slots) => accepted,
        };
        let (connection, address, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most often: closing connections mend it, spinning does not.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let conversation = converse(connection, address, running.clone());
        tasks.spawn(async move {
            let _slot = slot;
            conversation.await;
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(options.drain, tasks.wait()).await.is_ok() {
        return 0;
    }
    let cut = tasks.len();
    running.abort.cancel();
    tasks.wait().await;
    cut
}

async fn accept(
    listener: &mut dyn Listener,
    slots: &Arc<Semaphore>,
) -> io::Result<(Connection, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (connection, address) = listener.accept().await?;
    Ok((connection, address, slot))
}

fn builder(options: &ServeOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Its clock runs while a connection is idle as well: ours tells the two apart.
        .header_read_timeout(None)
        .max_buf_size(options.max_header_bytes.max(8 * 1024))
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(options.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS);
    if let Some((interval, timeout)) = options.http2_keep_alive {
        builder.http2().keep_alive_interval(interval).keep_alive_timeout(timeout);
    }
    builder
}

/// How long a connection may do nothing. hyper has no such limit while it tells the protocols apart and on HTTP/2, and on
/// HTTP/1.1 the same for a head that is half here as for a client that sends nothing.
#[derive(Clone, Copy)]
struct SilenceLimits {
    head: Duration,
    http1_idle: Duration,
    http2_idle: Duration,
}

/// What each connection of a listener is run by.
#[derive(Clone)]
struct Running {
    builder: auto::Builder<TokioExecutor>,
    limits: SilenceLimits,
    /// How long a peer may take nothing of what is written.
    patience: Duration,
    shutdown: CancellationToken,
    abort: CancellationToken,
}

impl Running {
    /// Speaks HTTP on a connection until it ends.
    async fn http<S, B>(self, connection: Connection, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { builder, limits, patience, shutdown, abort } = self;
        let activity = Arc::new(Activity::default());
        let connection = Heads::new(Stalling::new(connection, patience), Arc::clone(&activity));
        let service = Counted::new(service, Arc::clone(&activity));
        run_connection(&builder, connection, service, activity, limits, shutdown, abort).await;
    }
}

async fn run_connection<S, B>(
    builder: &auto::Builder<TokioExecutor>,
    connection: Heads<Stalling>,
    service: Counted<S>,
    activity: Arc<Activity>,
    limits: SilenceLimits,
    shutdown: CancellationToken,
    abort: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = builder.serve_connection(TokioIo::new(connection), service);
    let mut connection = std::pin::pin!(connection);
    let mut silence = std::pin::pin!(tokio::time::sleep(limits.head));
    let mut look = Look::default();
    let mut draining = false;
    loop {
        let turn = std::future::poll_fn(|cx| match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Turn::Over(result)),
            Poll::Pending if look.finds_new_head(&activity) => Poll::Ready(Turn::HeadBegan),
            Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            biased;
            () = abort.cancelled() => return,
            () = shutdown.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = silence.as_mut() => {
                // Whoever has sent no request since the last look, and waited for no answer, holds a place for nothing.
                if look.found_idle_since(&activity) {
                    return;
                }
                let idle = if activity.is_http2() { limits.http2_idle } else { limits.http1_idle };
                let next = silence.deadline() + idle;
                silence.as_mut().reset(next);
            }
            turn = turn => match turn {
                // The rest of it is due soon, however long the connection was idle before.
                Turn::HeadBegan => {
                    look = look.again(&activity);
                    silence.set(tokio::time::sleep(limits.head));
                }
                // A client that breaks its connection is its own business: nothing to warn of.
                Turn::Over(result) => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
            }
        }
    }
}

/// What became of a connection.
enum Turn<T> {
    Over(T),
    HeadBegan,
}

#[cfg(test)]
mod tests;
