//! The body of what is asked by `POST`.

use super::error::ApiError;
use crate::operations::OperationError;
use axum::{
    body::{Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use cliproxy_domain::operate::{Body, MAX_BODY, OrderError};

/// Reads a body of JSON. None at all is one without fields; JSON needs no `content-type`.
pub(super) async fn read(request: Request) -> Result<Body, ApiError> {
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    // What breaks off on the way is told as well, to nobody.
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| too_large())?;
    if body.is_empty() {
        return Ok(Body::default());
    }
    if let Some(other) = other_type(&parts.headers) {
        return Err(ApiError {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            kind: "unsupported_media_type",
            message: format!("content-type is {other:?}; send application/json, or no content-type"),
        });
    }
    parse(&body)
}

fn parse(body: &Bytes) -> Result<Body, ApiError> {
    let parsed = serde_json::from_slice(body);
    parsed.map_err(|error| OperationError::from(OrderError::Body(error.to_string())).into())
}

/// Gives the content type when it is not that of JSON.
fn other_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let name = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let shown = || String::from_utf8_lossy(value).chars().take(100).collect();
    (!name.eq_ignore_ascii_case(b"application/json")).then(shown)
}

fn too_large() -> ApiError {
    ApiError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        kind: "too_large",
        message: format!(
            "the body is larger than {MAX_BODY} bytes; send only the fields that the call takes"
        ),
    }
}
