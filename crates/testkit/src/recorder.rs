//! An upstream that keeps everything it was sent, header values included, and answers as it was told.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The requests that are kept; later ones are answered and forgotten.
const KEPT: usize = 10_000;

/// What arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Recorded {
    /// Gives a header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A running recorder; it stops when dropped.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Recorded>>>,
    accepting: JoinHandle<()>,
}

impl Recorder {
    /// Starts it on a free loopback port; it gives every request the answer of `reply`.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(reply: impl Fn(&Recorded) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        let bound = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await;
        let (listener, address) = match bound.and_then(|bound| bound.local_addr().map(|at| (bound, at))) {
            Ok(bound) => bound,
            Err(error) => panic!("no port for a recorder: {error}"),
        };
        let seen: Arc<Mutex<Vec<Recorded>>> = Arc::default();
        let reply: Arc<Reply> = Arc::new(reply);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&seen), reply));
        Self { address, seen, accepting }
    }

    /// Gives the URL of the root.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives what arrived, in order.
    pub fn seen(&self) -> Vec<Recorded> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the last request that arrived.
    ///
    /// # Panics
    /// When none has.
    pub fn last(&self) -> Recorded {
        match self.seen().pop() {
            Some(last) => last,
            None => panic!("nothing has arrived at the recorder"),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Reply = dyn Fn(&Recorded) -> Response<Bytes> + Send + Sync;

async fn accept(listener: TcpListener, seen: Arc<Mutex<Vec<Recorded>>>, reply: Arc<Reply>) {
    // Dropped with this task, it ends the connections.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&seen), Arc::clone(&reply)));
            // A client that breaks its connection is no concern of the recorder's.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Recorded>>>,
    reply: Arc<Reply>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let recorded = Recorded { method: head.method, uri: head.uri, headers: head.headers, body };
    let response = reply(&recorded).map(Full::new);
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() < KEPT {
        seen.push(recorded);
    }
    Ok(response)
}
