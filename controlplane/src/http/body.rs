//! The body of what is asked by `POST`, and the parts of reading any body.

use super::error::ApiError;
use crate::operations::OperationError;
use axum::{
    body::{Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
};
use cliproxy_domain::operate::{Body, MAX_BODY, OrderError};

/// Reads a body of JSON. None at all is one without fields; JSON needs no `content-type`.
pub(super) async fn read(request: Request) -> Result<Body, ApiError> {
    let body = json(request).await?;
    if body.is_empty() { Ok(Body::default()) } else { parse(&body) }
}

/// Reads the bytes of a body of JSON, which may be none at all.
pub(super) async fn json(request: Request) -> Result<Bytes, ApiError> {
    let other = request.headers().get(header::CONTENT_TYPE).and_then(other_type);
    let body = whole(request, MAX_BODY, "send only the fields that the call takes").await?;
    match other {
        Some(other) if !body.is_empty() => Err(ApiError {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            kind: "unsupported_media_type",
            message: format!("content-type is {other:?}; send application/json, or no content-type"),
        }),
        _ => Ok(body),
    }
}

/// Reads a body of at most `most` bytes.
pub(super) async fn whole(request: Request, most: usize, remedy: &'static str) -> Result<Bytes, ApiError> {
    let too_large = || ApiError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        kind: "too_large",
        message: format!("the body is larger than {most} bytes; {remedy}"),
    };
    let body = request.into_body();
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    // What breaks off on the way is told as well, to nobody.
    to_bytes(body, most).await.map_err(|_| too_large())
}

fn parse(body: &Bytes) -> Result<Body, ApiError> {
    let parsed = serde_json::from_slice(body);
    parsed.map_err(|error| OperationError::from(OrderError::Body(error.to_string())).into())
}

/// Gives the content type when it is not that of JSON.
fn other_type(value: &HeaderValue) -> Option<String> {
    (!media_type(value).eq_ignore_ascii_case(b"application/json")).then(|| shown_type(value))
}

/// Gives a content type without its parameters.
pub(super) fn media_type(value: &HeaderValue) -> &[u8] {
    value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Shows a content type, cut to what people read.
pub(super) fn shown_type(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect()
}
