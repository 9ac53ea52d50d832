//! `GET /v0/operations/requests/{id}`: why one request went where it went.

use super::{error::ApiError, parameters::NoParameters};
use crate::operations::Operations;
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use cliproxy_domain::status::RequestStatus;

/// Answers what is kept of it.
pub(super) async fn get(
    State(operations): State<Operations>,
    id: Result<Path<String>, PathRejection>,
    _: NoParameters,
) -> Result<Json<RequestStatus>, ApiError> {
    let Path(id) = id?;
    Ok(Json(operations.request_status(&id).await?))
}
