//! An HTTP client that shows what came back, byte for byte and piece for piece.

mod answer;
mod sse;

pub use self::{
    answer::{Answer, Stream},
    sse::Event,
};
use crate::poll::PATIENCE;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header::AUTHORIZATION};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{fmt::Display, net::SocketAddr, time::Duration};

/// How long a connection may be idle and still be used. The gateway ends such that are idle for longer, and a request
/// that meets the end on its way is lost.
const IDLE: Duration = Duration::from_secs(3);

/// A client of one server. Clones share its pool of connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    server: SocketAddr,
    patience: Duration,
    token: Option<String>,
}

impl Client {
    /// Makes a client that speaks HTTP/1.1 and keeps connections alive.
    pub fn new(server: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        let http = builder.build(connector);
        Self { http, server, patience: PATIENCE, token: None }
    }

    /// Makes a client that speaks HTTP/2 without TLS.
    pub fn http2(server: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
        Self { http, server, patience: PATIENCE, token: None }
    }

    /// Waits so long for the head and for each piece of an answer; [`PATIENCE`] unless it is set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends this token as bearer.
    pub fn bearer(mut self, token: &str) -> Self {
        self.token = Some(format!("Bearer {token}"));
        self
    }

    /// Gives the server's address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Begins a request; `path` may have a query.
    pub fn request(&self, method: Method, path: &str) -> Call<'_> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        Call { client: self, request, body: Bytes::new() }
    }

    /// Gets a path.
    ///
    /// # Panics
    /// When no answer came.
    pub async fn get(&self, path: &str) -> Answer {
        expect(self.request(Method::GET, path).send().await)
    }

    /// Posts JSON with the headers that every dialect wants.
    ///
    /// # Panics
    /// When no whole answer came.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        expect(self.json(path, body).send().await)
    }

    /// Posts likewise and gives the answer once its head is there.
    ///
    /// # Panics
    /// When no head came.
    pub async fn post_stream(&self, path: &str, body: impl Into<Bytes>) -> Stream {
        expect(self.json(path, body).open().await)
    }

    /// Begins a POST of JSON with the headers that every dialect wants.
    pub fn json(&self, path: &str, body: impl Into<Bytes>) -> Call<'_> {
        self.request(Method::POST, path)
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .body(body)
    }
}

/// A request that is being made.
#[derive(Debug)]
#[must_use = "a request is sent by `send` or `open`"]
pub struct Call<'a> {
    client: &'a Client,
    request: http::request::Builder,
    body: Bytes,
}

impl Call<'_> {
    /// Adds a header.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.request = self.request.header(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// No whole answer came: refused, broken off, or late.
    pub async fn send(self) -> anyhow::Result<Answer> {
        self.open().await?.whole().await
    }

    /// Sends it and waits for the answer's head. Dropping the stream hangs up.
    ///
    /// # Errors
    /// No head came: refused, broken off, or late.
    pub async fn open(self) -> anyhow::Result<Stream> {
        let request = self.request.body(Full::new(self.body))?;
        let patience = self.client.patience;
        let response = tokio::time::timeout(patience, self.client.http.request(request))
            .await
            .map_err(|_| anyhow::anyhow!("no head came within {patience:?}"))??;
        Ok(Stream::new(response, patience))
    }
}

fn expect<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("no answer: {error:#}"),
    }
}
