//! `GET /v0/operations/clients`: clients, what they may and used, and their keys.

use super::{error::ApiError, parameters::NoParameters};
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::ClientsStatus;

pub(super) async fn get(
    State(operations): State<Operations>,
    _: NoParameters,
) -> Result<Json<ClientsStatus>, ApiError> {
    Ok(Json(operations.clients_status().await?))
}
