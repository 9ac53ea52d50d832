//! `GET /v0/operations/prices`: what each provider charges.

use super::{error::ApiError, parameters::NoParameters};
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::PricesStatus;

pub(super) async fn get(
    State(operations): State<Operations>,
    _: NoParameters,
) -> Result<Json<PricesStatus>, ApiError> {
    Ok(Json(operations.prices_status()?))
}
