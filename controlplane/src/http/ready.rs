//! `GET /ready`: this replica can do its work.

use crate::operations::Operations;
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Answers 200 when the store answers and a configuration is in force, else 503 with the reason.
pub(super) async fn get(State(operations): State<Operations>) -> (StatusCode, Json<Ready>) {
    match operations.state.not_ready() {
        None => (StatusCode::OK, Json(Ready { status: "ready", reason: None })),
        reason => (StatusCode::SERVICE_UNAVAILABLE, Json(Ready { status: "not_ready", reason })),
    }
}
