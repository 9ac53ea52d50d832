//! The body of what is asked with the text of a configuration.

use super::{body, error::ApiError};
use axum::{
    extract::Request,
    http::{StatusCode, header},
};

/// The largest text that is read, in bytes: what a configuration file may have.
const MAX_TEXT: usize = 1024 * 1024;
const TYPES: [&str; 3] = ["application/yaml", "text/yaml", "application/x-yaml"];

/// Reads a text of YAML, which needs no `content-type`. What it says is read elsewhere.
pub(super) async fn read(request: Request) -> Result<String, ApiError> {
    if let Some(value) = request.headers().get(header::CONTENT_TYPE) {
        let name = body::media_type(value);
        if !TYPES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            return Err(ApiError {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                kind: "unsupported_media_type",
                message: format!(
                    "content-type is {:?}; send application/yaml, or no content-type",
                    body::shown_type(value)
                ),
            });
        }
    }
    let bytes = body::whole(request, MAX_TEXT, "split keys off into files of auths_dir").await?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ApiError::invalid(format!("the body is not UTF-8 text: byte {at} is wrong; save it as UTF-8"))
    })
}
