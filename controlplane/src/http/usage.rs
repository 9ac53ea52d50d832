//! `GET /v0/operations/usage`: what was used, by period, and what it cost.

use super::{error::ApiError, parameters::Parameters};
use crate::operations::{OperationError, Operations};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use cliproxy_domain::operate::{UsageAsked, UsageFormat};

/// What a table is sent as.
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Answers from the ledger, in the form that is asked for.
pub(super) async fn get(
    State(operations): State<Operations>,
    Parameters(parameters): Parameters,
) -> Result<Response, ApiError> {
    let now = operations.state.clock.wall();
    let asked = UsageAsked::read(&parameters, now).map_err(OperationError::from)?;
    match asked.format {
        UsageFormat::Json => Ok(Json(operations.usage_status(asked).await?).into_response()),
        UsageFormat::Csv => {
            Ok(([(header::CONTENT_TYPE, CSV)], operations.usage_table(asked).await?).into_response())
        }
    }
}
