//! `GET /v0/operations/config/history`: the configurations that there were.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations, history_limit};
use axum::{Json, extract::State};
use cliproxy_domain::configuring::ConfigHistory;

/// Answers the newest first.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Json<ConfigHistory>, ApiError> {
    let limit = history_limit(&parameters).map_err(OperationError::from)?;
    Ok(Json(operations.config_history(limit).await?))
}
