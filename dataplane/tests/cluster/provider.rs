//! A provider that answers with the status that it is told, and remembers who asked.

use crate::network::MemoryNet;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_stream::StreamExt as _;

/// A provider of the OpenAI kind. Clones are the same.
#[derive(Clone, Default)]
pub struct Provider {
    state: Arc<Mutex<State>>,
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    /// The status of the list of models; 0 for 200.
    health: u16,
    /// The status of everything else; 0 for 200.
    calls: u16,
    retry_after: Option<u64>,
    headers: Vec<(&'static str, &'static str)>,
    /// What calls are answered with piece by piece, if anything.
    stream: &'static [&'static str],
    /// A key that is not taken.
    refused: Option<&'static str>,
    asked: Vec<String>,
}

impl Provider {
    /// Answers on `host`.
    pub fn play(net: &MemoryNet, host: &str) -> Self {
        let provider = Self::default();
        let mut connections = net.host(host);
        let playing = provider.clone();
        tokio::spawn(async move {
            while let Some(connection) = connections.recv().await {
                playing.opened.fetch_add(1, Ordering::Relaxed);
                let playing = playing.clone();
                tokio::spawn(async move {
                    let answering = playing.clone();
                    let answers = service_fn(move |request: Request<Incoming>| {
                        std::future::ready(Ok::<_, Infallible>(answering.answer(&request)))
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // The node closes connections as it likes.
                    let _ = http.serve_connection(TokioIo::new(connection), answers).await;
                    playing.closed.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        provider
    }

    /// Sets the status that probes get.
    pub fn set_health(&self, status: u16) {
        self.state.lock().expect("no panic").health = status;
    }

    /// Sets the status that calls get, and when to come back.
    pub fn set_calls(&self, status: u16, retry_after: Option<u64>) {
        let mut state = self.state.lock().expect("no panic");
        (state.calls, state.retry_after) = (status, retry_after);
    }

    /// Sets what the heads of its answers say besides.
    pub fn set_headers(&self, headers: &[(&'static str, &'static str)]) {
        self.state.lock().expect("no panic").headers = headers.to_vec();
    }

    /// Answers calls with a stream of events, a piece each millisecond.
    pub fn set_stream(&self, pieces: &'static [&'static str]) {
        self.state.lock().expect("no panic").stream = pieces;
    }

    /// Refuses a key from now on.
    pub fn refuse(&self, key: &'static str) {
        self.state.lock().expect("no panic").refused = Some(key);
    }

    /// Gives what was asked: method, path and key.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().expect("no panic").asked.clone()
    }

    /// Counts the probes so far.
    pub fn probes(&self) -> usize {
        self.asked().iter().filter(|asked| asked.contains("/models")).count()
    }

    /// Gives how many connections were opened to it, and how many of them are closed.
    pub fn connections(&self) -> (usize, usize) {
        (self.opened.load(Ordering::Relaxed), self.closed.load(Ordering::Relaxed))
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut state = self.state.lock().expect("no panic");
        let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
        let path = request.uri().path();
        state.asked.push(format!("{} {path} {}", request.method(), key.unwrap_or("without a key")));
        let is_refused = key.is_some_and(|key| state.refused.is_some_and(|refused| key.ends_with(refused)));
        if is_refused {
            return Response::builder().status(401).body(whole("")).expect("an answer");
        }
        let status = if request.method() == Method::GET { state.health } else { state.calls };
        let mut answer = Response::builder().status(if status == 0 { 200 } else { status });
        for (name, value) in &state.headers {
            answer = answer.header(*name, *value);
        }
        if let Some(seconds) = state.retry_after {
            answer = answer.header("retry-after", seconds);
        }
        if request.method() == Method::POST && !state.stream.is_empty() {
            let pieces = tokio_stream::iter(state.stream).throttle(Duration::from_millis(1));
            let frames = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
            let answer = answer.header("content-type", "text/event-stream");
            return answer.body(StreamBody::new(frames).boxed_unsync()).expect("an answer");
        }
        let body = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"well"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
        let answer = answer.header("content-type", "application/json");
        answer.body(whole(body)).expect("an answer")
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn whole(body: &'static str) -> Body {
    Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync()
}
