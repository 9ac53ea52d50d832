//! `POST /v0/operations/config/rollback`: an earlier configuration in force again, as a new one.

use super::{body, error::ApiError, parameters::NoParameters};
use crate::operations::{Actor, Operations, RollbackAsked};
use axum::{
    Extension, Json,
    extract::{Request, State},
};
use cliproxy_domain::configuring::ConfigApplied;

/// Answers what changed, once it is in force.
pub(super) async fn post(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    _: NoParameters,
    request: Request,
) -> Result<Json<ConfigApplied>, ApiError> {
    let asked = RollbackAsked::read(&body::json(request).await?)?;
    Ok(Json(operations.roll_back_config(&actor, asked).await?))
}
