//! `GET /v0/operations/cooldown/status`: what rests, why, and what did.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations};
use axum::{Json, extract::State};
use cliproxy_domain::{operate::single, status::CooldownStatus};

/// Answers in the guide's words, with the evidence beside them; with `provider` of that one alone.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Json<CooldownStatus>, ApiError> {
    single(&parameters, &["provider"]).map_err(OperationError::from)?;
    let provider = parameters.first().map(|(_, name)| name.as_str());
    Ok(Json(operations.cooldown_status(provider).await?))
}
