//! `GET /v0/operations/alerts`: what needs somebody's attention.

use super::parameters::NoParameters;
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::AlertsStatus;

/// Answers from memory.
pub(super) async fn get(State(operations): State<Operations>, _: NoParameters) -> Json<AlertsStatus> {
    Json(operations.alerts_status())
}
