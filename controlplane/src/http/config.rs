//! `GET /v0/operations/config`: the text in force. `PUT`: another in its place.

use super::{
    config_text,
    error::ApiError,
    parameters::{NoParameters, Parameters},
};
use crate::operations::{Actor, ChangeAsked, OperationError, Operations};
use axum::{
    Extension, Json,
    extract::{Request, State},
};
use cliproxy_domain::configuring::{ConfigApplied, ConfigShown};

/// Answers the text without its secrets.
pub(super) async fn get(
    State(operations): State<Operations>,
    _: NoParameters,
) -> Result<Json<ConfigShown>, ApiError> {
    Ok(Json(operations.config().await?))
}

/// Answers what changed, once it is in force.
pub(super) async fn put(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    Parameters(parameters): Parameters,
    request: Request,
) -> Result<Json<ConfigApplied>, ApiError> {
    let asked = ChangeAsked::read(&parameters).map_err(OperationError::from)?;
    let text = config_text::read(request).await?;
    Ok(Json(operations.apply_config(&actor, text, asked).await?))
}
