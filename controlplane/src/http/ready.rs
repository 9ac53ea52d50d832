//! `GET /ready`: this replica can do its work.

use crate::state::State as PlaneState;
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Answers 200 when the store answers and a configuration is in force, else 503 with the reason.
pub(super) async fn get(State(state): State<Arc<PlaneState>>) -> (StatusCode, Json<Ready>) {
    match state.not_ready() {
        None => (StatusCode::OK, Json(Ready { status: "ready", reason: None })),
        reason => (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { status: "not_ready", reason })),
    }
}
