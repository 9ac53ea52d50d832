//! `POST /v0/operations/config/check`: what would come of a text.

use super::{config_text, error::ApiError, parameters::NoParameters};
use crate::operations::Operations;
use axum::{
    Json,
    extract::{Request, State},
};
use cliproxy_domain::configuring::ConfigCheck;

/// Answers 200 for a text that is wrong as well: it was checked.
pub(super) async fn post(
    State(operations): State<Operations>,
    _: NoParameters,
    request: Request,
) -> Result<Json<ConfigCheck>, ApiError> {
    let text = config_text::read(request).await?;
    Ok(Json(operations.check_config(text).await?))
}
