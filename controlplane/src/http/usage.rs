//! `GET /v0/operations/usage`: what was used, by period.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations};
use axum::{Json, extract::State};
use cliproxy_domain::{operate::UsageAsked, status::UsageStatus};

/// Answers from the ledger.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Json<UsageStatus>, ApiError> {
    let now = operations.state.clock.wall();
    let asked = UsageAsked::read(&parameters, now).map_err(OperationError::from)?;
    Ok(Json(operations.usage_status(asked).await?))
}
