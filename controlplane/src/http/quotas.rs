//! `GET /v0/operations/quotas`: what is left of the quotas.

use super::parameters::NoParameters;
use crate::operations::Operations;
use axum::{Json, extract::State};
use cliproxy_domain::status::QuotasStatus;

/// Answers from the books of leases.
pub(super) async fn get(State(operations): State<Operations>, _: NoParameters) -> Json<QuotasStatus> {
    Json(operations.quotas_status().await)
}
