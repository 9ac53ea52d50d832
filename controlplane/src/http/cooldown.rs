//! `POST /v0/operations/providers/{provider}/cooldown`: an operator lets a provider rest.

use super::{body, error::ApiError, parameters::NoParameters};
use crate::operations::{Actor, OperationError, Operations};
use axum::{
    Extension, Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use cliproxy_domain::{
    operate::{Verb, Wanted},
    status::ChangeStatus,
};

/// Answers what rests now, and how many nodes know.
pub(super) async fn post(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    provider: Result<Path<String>, PathRejection>,
    _: NoParameters,
    request: Request,
) -> Result<Json<ChangeStatus>, ApiError> {
    let Path(provider) = provider?;
    let wanted = Wanted::read(Verb::Cooldown, body::read(request).await?).map_err(OperationError::from)?;
    Ok(Json(operations.change(&actor, Verb::Cooldown, &provider, wanted).await?))
}
