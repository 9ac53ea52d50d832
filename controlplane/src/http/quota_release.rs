//! `POST /v0/operations/quotas/release`: what a node holds that is gone can be granted to others.

use super::{body, error::ApiError, parameters::NoParameters};
use crate::operations::{Actor, OperationError, Operations};
use axum::{
    Extension, Json,
    extract::{Request, State},
};
use cliproxy_domain::{operate::ReleaseAsked, status::ReleaseStatus};

/// Answers what was taken back.
pub(super) async fn post(
    State(operations): State<Operations>,
    Extension(actor): Extension<Actor>,
    _: NoParameters,
    request: Request,
) -> Result<Json<ReleaseStatus>, ApiError> {
    let asked = ReleaseAsked::read(body::read(request).await?).map_err(OperationError::from)?;
    Ok(Json(operations.release_quota(&actor, asked).await?))
}
