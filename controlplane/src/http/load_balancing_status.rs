//! `GET /v0/operations/load_balancing/status`: how calls spread over the providers, and what would be decided now.

use super::parameters::NoParameters;
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::LoadBalancingStatus;

/// Answers from memory.
pub(super) async fn get(State(operations): State<Operations>, _: NoParameters) -> Json<LoadBalancingStatus> {
    Json(operations.load_balancing_status())
}
