//! `GET /v0/operations/load_balancing/status`: how requests spread over the providers.

use crate::state::State as PlaneState;
use axum::{Json, extract::State};
use cliproxy_domain::status::LoadBalancingStatus;
use std::sync::Arc;

/// Answers from memory.
pub(super) async fn get(State(state): State<Arc<PlaneState>>) -> Json<LoadBalancingStatus> {
    Json(state.load_balancing_status())
}
