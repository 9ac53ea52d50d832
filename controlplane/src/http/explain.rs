//! `GET /v0/operations/explain?model=…`: where a request would go, and why.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations};
use axum::{Json, extract::State};
use cliproxy_domain::{operate::Question, status::Explanation};

/// Answers from memory; nothing comes of it.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Json<Explanation>, ApiError> {
    let question = Question::read(&parameters).map_err(OperationError::from)?;
    Ok(Json(operations.explanation(&question)?))
}
