//! What operators ask of a node: whether it lives and is ready, its metrics, and the state of the cluster.
//!
//! Answers about the cluster are the control plane's, asked over the node's own connection to it. Cut off from it,
//! the node answers from what it knows and says so.

mod access;
mod load_balancing_status;
mod providers_status;
mod recent;

pub use access::AdminToken;
pub use recent::Recent;

use crate::{live::Live, sync::ControlLink};
use access::Access;
use bytes::Bytes;
use cliproxy_host::{Clock, Peer};
use cliproxy_observe::metrics::Metrics;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The operators' side of a node.
pub struct Ops {
    access: Access,
    metrics: Metrics,
    live: Arc<Live>,
    link: Arc<ControlLink>,
    recent: Arc<Recent>,
    clock: Arc<dyn Clock>,
    draining: AtomicBool,
}

/// The answer of `/`.
#[derive(Serialize)]
struct Service {
    service: &'static str,
}

/// The answer of `/health`.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    control_plane: String,
    config: u64,
}

/// The answer of `/ready`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    reason: &'static str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorText<'a>,
}

#[derive(Serialize)]
struct ErrorText<'a> {
    code: &'a str,
    message: &'a str,
}

const OPERATIONS: &str = "/v0/operations/";

impl Ops {
    /// Answers from what the node knows and what its link to the control plane brings.
    pub fn new(
        tokens: Vec<AdminToken>,
        metrics: Metrics,
        live: Arc<Live>,
        link: Arc<ControlLink>,
        recent: Arc<Recent>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            access: Access::new(tokens),
            metrics,
            live,
            link,
            recent,
            clock,
            draining: AtomicBool::new(false),
        }
    }

    /// Tells whether a path is for operators.
    pub fn serves(path: &str) -> bool {
        matches!(path, "/" | "/health" | "/ready" | "/metrics") || path.starts_with(OPERATIONS)
    }

    /// From now on the node is not ready: load balancers should go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Answers one request.
    pub async fn serve(
        &self,
        peer: Peer,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let known = matches!(
            uri.path(),
            "/" | "/health"
                | "/ready"
                | "/metrics"
                | "/v0/operations/providers/status"
                | "/v0/operations/load_balancing/status"
        );
        if !known {
            return Self::not_found();
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Self::method_not_allowed();
        }
        if uri.path().starts_with(OPERATIONS)
            && let Err(denied) = self.access.check(peer, headers)
        {
            return error(denied.status, denied.code, denied.message);
        }
        match uri.path() {
            // Agents ask this of a base URL to see that something is there.
            "/" => document(StatusCode::OK, &Service { service: "cliproxy" }),
            "/health" => self.health(),
            "/ready" => self.ready(),
            "/metrics" => self.metrics(),
            "/v0/operations/providers/status" => document(StatusCode::OK, &providers_status::answer(self)),
            _ => document(StatusCode::OK, &load_balancing_status::answer(self)),
        }
    }

    fn health(&self) -> Response<Full<Bytes>> {
        let config = self.live.known().map_or(0, |known| known.config.0);
        document(
            StatusCode::OK,
            &Health { status: "ok", control_plane: self.link.describe(self.clock.now()), config },
        )
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let (ready, reason) = if self.draining.load(Ordering::Relaxed) {
            (false, "draining")
        } else if self.live.known().is_none() {
            (false, "no configuration yet")
        } else {
            (true, "serving")
        };
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        document(status, &Ready { ready, reason })
    }

    /// Renders the metrics.
    pub fn metrics(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.metrics.encode())));
        let kind = HeaderValue::from_static(self.metrics.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    /// Answers a path that is not there.
    pub fn not_found() -> Response<Full<Bytes>> {
        error(StatusCode::NOT_FOUND, "not_found", "there is no such operations endpoint")
    }

    /// Answers a method that is not taken.
    pub fn method_not_allowed() -> Response<Full<Bytes>> {
        let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use GET");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    document(status, &ErrorBody { error: ErrorText { code, message } })
}

fn document(status: StatusCode, answer: &impl Serialize) -> Response<Full<Bytes>> {
    // Our own types serialise: string keys, no failing implementations.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
