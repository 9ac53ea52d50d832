//! `POST /v0/operations/clients/{client}/keys/{id}/rotate` and `…/revoke`: another key in the place of one, or none.

use super::{body, error::ApiError, parameters::NoParameters};
use crate::operations::{Actor, OperationError, Operations};
use axum::{
    Extension, Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Response},
};
use cliproxy_domain::{
    operate::{KeyVerb, KeyWanted},
    status::KeyChangeStatus,
};

/// An answer that may hold a key.
pub(super) struct KeyChanged(pub(super) KeyChangeStatus);

impl IntoResponse for KeyChanged {
    fn into_response(self) -> Response {
        // Nobody on the way keeps it.
        ([(header::CACHE_CONTROL, "no-store")], Json(self.0)).into_response()
    }
}

type Names = Result<Path<(String, String)>, PathRejection>;

/// Answers the new key, once it is in force.
pub(super) async fn rotate(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    names: Names,
    _: NoParameters,
    request: Request,
) -> Result<KeyChanged, ApiError> {
    change(&operations, &actor, KeyVerb::Rotate, names, request).await
}

/// Answers how many nodes refuse it.
pub(super) async fn revoke(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    names: Names,
    _: NoParameters,
    request: Request,
) -> Result<KeyChanged, ApiError> {
    change(&operations, &actor, KeyVerb::Revoke, names, request).await
}

async fn change(
    operations: &Operations,
    actor: &Actor,
    verb: KeyVerb,
    names: Names,
    request: Request,
) -> Result<KeyChanged, ApiError> {
    let Path((client, id)) = names?;
    let wanted = KeyWanted::read(verb, body::read(request).await?).map_err(OperationError::from)?;
    Ok(KeyChanged(operations.change_key(actor, verb, (&client, Some(&id)), wanted).await?))
}
