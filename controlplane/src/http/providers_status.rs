//! `GET /v0/operations/providers/status`: how every configured provider is.

use super::error::ApiError;
use crate::state::State as PlaneState;
use axum::{Json, extract::State, http::StatusCode};
use cliproxy_domain::status::ProvidersStatus;
use std::sync::Arc;

/// Answers in the guide's words, or 503 when the store never told the uptimes.
pub(super) async fn get(State(state): State<Arc<PlaneState>>) -> Result<Json<ProvidersStatus>, ApiError> {
    state.providers_status().await.map(Json).map_err(|error| ApiError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "store_unavailable",
        message: error.to_string(),
    })
}
