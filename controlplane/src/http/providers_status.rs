//! `GET /v0/operations/providers/status`: how every configured provider is.

use super::{error::ApiError, parameters::NoParameters};
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::ProvidersStatus;

/// Answers in the guide's words, or 503 when the store never told the uptimes.
pub(super) async fn get(
    State(operations): State<Operations>,
    _: NoParameters,
) -> Result<Json<ProvidersStatus>, ApiError> {
    Ok(Json(operations.providers_status().await?))
}
