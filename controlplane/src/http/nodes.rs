//! `GET /v0/operations/nodes`: which nodes there are, and what they run.

use super::parameters::NoParameters;
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::NodesStatus;

/// Answers from memory.
pub(super) async fn get(State(operations): State<Operations>, _: NoParameters) -> Json<NodesStatus> {
    Json(operations.nodes_status())
}
