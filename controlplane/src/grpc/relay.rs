//! How nodes answer operators: they hand the calls on, and these are answered as the operators' own listener answers
//! them.

use crate::operations::Actor;
use axum::{
    Router,
    body::{Body, to_bytes},
};
use cliproxy_proto::v1::{AskRequest, AskResponse, relay_server::Relay};
use hyper::{Method, Request as HttpRequest, header};
use tonic::{Request, Response, Status};
use tower::ServiceExt;

/// What nodes may hand on.
const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];
/// Where it may lead.
const PATHS: &str = "/v0/operations/";
/// The largest answer, in bytes: what gRPC takes in one message by default, with room for the rest of it.
const MOST: usize = 4 * 1024 * 1024 - 4096;

/// Answers what nodes hand on, by the REST routes.
pub(crate) struct RelayService(Router);

impl RelayService {
    pub(crate) fn new(rest: Router) -> Self {
        Self(rest)
    }
}

#[tonic::async_trait]
impl Relay for RelayService {
    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<AskResponse>, Status> {
        let request = rest_request(request.into_inner())?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = to_bytes(body, MOST).await.map_err(|_| {
            Status::out_of_range(format!("the answer is larger than {MOST} bytes; ask for less, or ask 8318"))
        })?;
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Response::new(AskResponse {
            status: head.status.as_u16().into(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: body.to_vec(),
        }))
    }
}

/// Makes the REST request that was handed on. The node has checked who asks.
fn rest_request(asked: AskRequest) -> Result<HttpRequest<Body>, Status> {
    let method = METHODS.into_iter().find(|method| method.as_str() == asked.method).ok_or_else(|| {
        Status::invalid_argument(format!("method is {:?}; it must be GET, HEAD, POST or PUT", asked.method))
    })?;
    if !asked.path.starts_with(PATHS) {
        return Err(Status::invalid_argument(format!(
            "path is {:?}; it must begin with {PATHS}",
            asked.path
        )));
    }
    let mut request = HttpRequest::builder().method(method).uri(&asked.path);
    if !asked.content_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, &asked.content_type);
    }
    let mut request = request.body(Body::from(asked.body)).map_err(|error| {
        Status::invalid_argument(format!("what was handed on is no HTTP request: {error}"))
    })?;
    request.extensions_mut().insert(Actor { name: asked.actor, from: asked.from });
    Ok(request)
}
