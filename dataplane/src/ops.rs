//! What operators ask of a node: whether it lives and is ready, its metrics, and the operations of the cluster.
//!
//! Operations are the control plane's to answer: the node checks who asks and hands the call on as it is, over its own
//! connection, so that every node answers alike. Cut off, it answers what it can from what it knows itself, and says so.

mod access;
mod answer;
mod health;
mod metrics;
mod own;
mod path;
mod recent;

pub use access::AdminToken;
pub use recent::Recent;

use crate::{
    account::Records,
    failover::{Failover, HINTS},
    live::Live,
    probe::Judge,
    sync::{ControlLink, Relayed},
};
use access::Access;
use answer::{Answer, ApiError, document};
use bytes::Bytes;
use cliproxy_domain::{
    Incarnation, NodeId,
    operate::{Body as OrderBody, KeyWanted, OrderError, Wait, Wanted},
};
use cliproxy_host::{Clock, Peer};
use cliproxy_observe::metrics::Metrics;
use cliproxy_proto::v1::AskRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use metrics::{AnsweredBy, OpsMetrics};
use own::{Asked, Remembered};
use path::{NoOperation, OPERATIONS, Operation};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// What the operators' side of a node needs.
pub struct OpsParts {
    /// Operators' tokens.
    pub tokens: Vec<AdminToken>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What the node knows.
    pub live: Arc<Live>,
    /// The way to the control plane.
    pub link: Arc<ControlLink>,
    /// What the node saw lately.
    pub recent: Arc<Recent>,
    /// What it judges by itself.
    pub judge: Arc<Judge>,
    /// What it keeps of requests.
    pub records: Arc<Records>,
    /// How it stands among other nodes.
    pub failover: Arc<Failover>,
    /// Its name.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// The seams.
    pub clock: Arc<dyn Clock>,
}

/// The operators' side of a node.
pub struct Ops {
    access: Access,
    metrics: Metrics,
    calls: OpsMetrics,
    live: Arc<Live>,
    link: Arc<ControlLink>,
    recent: Arc<Recent>,
    judge: Arc<Judge>,
    records: Arc<Records>,
    failover: Arc<Failover>,
    node: NodeId,
    incarnation: Incarnation,
    clock: Arc<dyn Clock>,
    remembered: Remembered,
}

/// The answer of `/`.
#[derive(Serialize)]
struct Service {
    service: &'static str,
}

/// The answer of `/ready`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    reason: &'static str,
}

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(10);
/// How long the control plane has to answer what the node can answer as well, with what it knows itself.
const ASK: Duration = Duration::from_secs(2);
/// How long it has for what it alone can answer: it may have to ask its database, which takes five seconds at most.
const ASK_CLUSTER: Duration = Duration::from_secs(7);

impl Ops {
    /// Answers from what the node knows and what its link to the control plane brings.
    pub fn new(parts: OpsParts) -> Self {
        let OpsParts {
            tokens,
            metrics,
            live,
            link,
            recent,
            judge,
            records,
            failover,
            node,
            incarnation,
            clock,
        } = parts;
        Self {
            access: Access::new(tokens),
            calls: OpsMetrics::registered(&metrics),
            metrics,
            live,
            link,
            recent,
            judge,
            records,
            failover,
            node,
            incarnation,
            clock,
            remembered: Remembered::default(),
        }
    }

    /// Tells whether a path is for operators.
    pub fn serves(path: &str) -> bool {
        matches!(path, "/" | "/health" | "/ready" | "/metrics" | HINTS) || path.starts_with(OPERATIONS)
    }

    /// From now on the node is not ready: load balancers should go elsewhere.
    pub fn drain(&self) {
        self.failover.drain();
    }

    /// Answers one request.
    pub async fn serve<B>(&self, peer: Peer, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path.starts_with(OPERATIONS) {
            return self.operate(peer, &head, body).await.unwrap_or_else(|error| {
                self.calls.count(AnsweredBy::Refused);
                error.into_answer()
            });
        }
        if path == HINTS {
            return health::told(&self.failover, peer, &head, body)
                .await
                .unwrap_or_else(ApiError::into_answer);
        }
        if !matches!(path, "/" | "/health" | "/ready" | "/metrics") {
            return Self::not_found(path);
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return Self::method_not_allowed(path, &head.method);
        }
        match path {
            // Agents ask this of a base URL to see that something is there.
            "/" => document(StatusCode::OK, &Service { service: "cliproxy" }),
            "/health" => self.health(head.uri.query().unwrap_or_default()),
            "/ready" => self.ready(),
            _ => self.metrics(),
        }
    }

    /// Answers an operation: as the control plane does, or, while that cannot be asked, as well as the node can.
    async fn operate<B>(&self, peer: Peer, head: &Parts, body: B) -> Result<Answer, ApiError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = head.uri.path();
        let operation = match Operation::find(&head.method, path) {
            Ok(operation) => operation,
            Err(NoOperation::NotFound) => return Ok(answer::not_found(path)),
            Err(NoOperation::Method(allow)) => {
                return Ok(answer::method_not_allowed(path, &head.method, allow));
            }
            Err(NoOperation::Encoding) => {
                return Err(ApiError::invalid("the path does not decode; percent-encode names as UTF-8"));
            }
        };
        let actor = self.access.check(peer, &head.headers)?;
        // Before it is read: strangers send us nothing.
        let body = read(body, operation.max_body()).await?;
        let asked = Asked {
            actor,
            from: peer.address.ip().to_canonical().to_string(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        };
        // Each node stands elsewhere among the others, and sees them with its own eyes.
        if operation == Operation::Failover {
            let answer = own::answer(self, &operation, &asked)?;
            self.calls.count(AnsweredBy::Node);
            return Ok(answer);
        }
        // What this node served it knows best, and at once.
        if let Operation::Request(id) = &operation
            && let Some(answer) = own::request(self, id)
        {
            self.calls.count(AnsweredBy::Node);
            return Ok(answer);
        }
        if let Some(Relayed { status, content_type, body }) = self.ask(head, &operation, &asked).await {
            self.calls.count(AnsweredBy::Cluster);
            return Ok(match operation {
                // It may hold a key: nobody on the way keeps it.
                Operation::KeyChange(_) => answer::unstored(answer::bytes(status, content_type, body)),
                _ => answer::bytes(status, content_type, body),
            });
        }
        let answer = own::answer(self, &operation, &asked)?;
        self.calls.count(AnsweredBy::Node);
        Ok(answer)
    }

    /// Hands a call on to the control plane; none when it does not answer.
    async fn ask(&self, head: &Parts, operation: &Operation, asked: &Asked<'_>) -> Option<Relayed> {
        // The answer to HEAD is that to GET, without its body.
        let method = if head.method == Method::HEAD { Method::GET } else { head.method.clone() };
        let request = AskRequest {
            method: method.to_string(),
            path: head.uri.path_and_query()?.to_string(),
            body: asked.body.to_vec(),
            actor: asked.actor.to_owned(),
            from: asked.from.clone(),
            content_type: content_type(asked.headers),
        };
        self.link.ask(request, patience(operation, &asked.body)).await
    }

    fn ready(&self) -> Answer {
        let (ready, reason) = if self.failover.is_draining() {
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
        let kind = HeaderValue::from_static(self.metrics.content_type());
        answer::bytes(StatusCode::OK, kind, Bytes::from(self.metrics.encode()))
    }

    /// Answers a path that is not there.
    pub fn not_found(path: &str) -> Response<Full<Bytes>> {
        answer::not_found(path)
    }

    /// Answers a method that is not taken.
    pub fn method_not_allowed(path: &str, method: &Method) -> Response<Full<Bytes>> {
        answer::method_not_allowed(path, method, "GET, HEAD")
    }
}

/// Reads a body of at most so many bytes.
async fn read<B>(body: B, most: usize) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || {
        let message =
            format!("the body is larger than {most} bytes; send only the fields that the call takes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        // Nobody is there to read it.
        Ok(Err(_)) => Err(ApiError::invalid("the body broke off")),
        Err(_) => {
            let message = "the body did not come within 10 seconds; send it at once";
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "client_too_slow", message))
        }
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Gives how long an answer of the control plane is waited for.
fn patience(operation: &Operation, body: &[u8]) -> Duration {
    match operation {
        Operation::Cluster { .. } | Operation::Request(_) | Operation::Quotas => ASK_CLUSTER,
        // When its database does not answer, it says how far the word holds all the same.
        Operation::Change(..) | Operation::KeyChange(_) => ASK_CLUSTER + waits_for_nodes(operation, body),
        _ => ASK,
    }
}

/// Gives how long an operator's word may wait for the nodes, as its body says. One that cannot be read is refused
/// without waiting.
fn waits_for_nodes(operation: &Operation, body: &[u8]) -> Duration {
    let body = if body.is_empty() { Some(OrderBody::default()) } else { serde_json::from_slice(body).ok() };
    let wanted = body.and_then(|body| match operation {
        Operation::Change(verb, _) => {
            Wanted::read(*verb, body).ok().map(|wanted| (wanted.wait, wanted.timeout))
        }
        Operation::KeyChange(verb) => {
            let wanted = KeyWanted::read(*verb, body).ok()?;
            Some((wanted.wait.unwrap_or(Wait::All), wanted.timeout))
        }
        _ => None,
    });
    match wanted {
        Some((wait, timeout)) if wait != Wait::None => timeout
            .unwrap_or(cliproxy_domain::operate::USUAL_WAIT)
            .min(cliproxy_domain::operate::LONGEST_WAIT),
        _ => Duration::ZERO,
    }
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::UnknownProvider { .. } | OrderError::UnknownClient { .. } => {
                ApiError::not_found(error.to_string())
            }
            error => ApiError::invalid(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
