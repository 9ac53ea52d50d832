//! Errors as operators see them: JSON to REST, a status to gRPC.

use crate::operations::{Kind, OperationError};
use axum::{
    Json,
    extract::rejection::PathRejection,
    http::{Method, Request, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tonic::Status;

/// An error of the REST interface.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    /// A closed set of words, for programs.
    pub(super) kind: &'static str,
    /// For people: what is wrong and what to do.
    pub(super) message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    r#type: &'a str,
    message: &'a str,
}

impl ApiError {
    /// Says that what is asked means nothing.
    pub(super) fn invalid(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "invalid_request", message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Body { error: Inner { r#type: self.kind, message: &self.message } };
        (self.status, Json(body)).into_response()
    }
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        let (status, kind) = match error.kind() {
            Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid_request"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict"),
            Kind::Superseded => (StatusCode::CONFLICT, "conflict"),
            Kind::Internal => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Kind::NotConfigured => (StatusCode::SERVICE_UNAVAILABLE, "not_configured"),
            Kind::Store => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        };
        Self { status, kind, message: error.to_string() }
    }
}

/// A part of the path that is no text.
impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(format!("the path does not decode ({rejection}); percent-encode names as UTF-8"))
    }
}

/// Tells whether a request speaks gRPC.
pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Answers what no route takes.
pub(super) async fn not_found(request: axum::extract::Request) -> Response {
    if is_grpc(&request) {
        return Status::unimplemented("this listener has no such service; ask its reflection for the list")
            .into_http::<axum::body::Body>();
    }
    let message =
        format!("there is nothing at {}; operations are under /v0/operations/", shown(request.uri()));
    ApiError { status: StatusCode::NOT_FOUND, kind: "not_found", message }.into_response()
}

/// Answers a method that the path does not take; axum adds `allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        kind: "method_not_allowed",
        message: format!("{} does not take {method}; the header `allow` lists what it takes", shown(&uri)),
    }
}

/// Shows a path, cut to what people read.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}
