//! `/v0/operations/clients/{client}/keys`: `GET` lists a client's keys, `POST` makes one.

use super::{body, error::ApiError, key_change::KeyChanged, parameters::NoParameters};
use crate::operations::{Actor, OperationError, Operations};
use axum::{
    Extension, Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use cliproxy_domain::{
    operate::{KeyVerb, KeyWanted},
    status::ClientKeysStatus,
};

pub(super) async fn get(
    State(operations): State<Operations>,
    client: Result<Path<String>, PathRejection>,
    _: NoParameters,
) -> Result<Json<ClientKeysStatus>, ApiError> {
    let Path(client) = client?;
    Ok(Json(operations.client_keys(&client)?))
}

/// Answers the key, once it is in force.
pub(super) async fn post(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    client: Result<Path<String>, PathRejection>,
    _: NoParameters,
    request: Request,
) -> Result<KeyChanged, ApiError> {
    let Path(client) = client?;
    let wanted =
        KeyWanted::read(KeyVerb::Create, body::read(request).await?).map_err(OperationError::from)?;
    Ok(KeyChanged(operations.change_key(&actor, KeyVerb::Create, (&client, None), wanted).await?))
}
