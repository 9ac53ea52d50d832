//! Answers to operators.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

/// An answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// An error, in the one form that both planes tell it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The status.
    pub(super) status: StatusCode,
    /// A word of a closed set, for programs.
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
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    /// Says that what is asked means nothing.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// Says that it is not there.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn into_answer(self) -> Answer {
        let body = Body { error: Inner { r#type: self.kind, message: &self.message } };
        let mut answer = document(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// Answers with JSON.
pub(super) fn document(status: StatusCode, answer: &impl Serialize) -> Answer {
    // Our own types serialise: string keys, no failing implementations.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    bytes(status, json, body.into())
}

/// Answers with given bytes.
pub(super) fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}

/// Says that nobody may keep an answer.
pub(super) fn unstored(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Answers a path that is not there.
pub(super) fn not_found(path: &str) -> Answer {
    let message = format!("there is nothing at {}; operations are under /v0/operations/", shown(path));
    ApiError::not_found(message).into_answer()
}

/// Answers a method that is not taken.
pub(super) fn method_not_allowed(path: &str, method: &http::Method, allow: &'static str) -> Answer {
    let message = format!("{} does not take {method}; the header `allow` lists what it takes", shown(path));
    let mut answer =
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_answer();
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    answer
}

/// Shows a path, cut to what people read.
fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}
