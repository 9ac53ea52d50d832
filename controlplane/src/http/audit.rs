//! `GET /v0/operations/audit`: who changed what, and why.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations, audit_query};
use axum::{Json, extract::State};
use cliproxy_domain::status::AuditLog;

/// Answers the newest entries that the query asks for.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Json<AuditLog>, ApiError> {
    let query = audit_query(&parameters).map_err(OperationError::from)?;
    Ok(Json(operations.audit_log(query).await?))
}
