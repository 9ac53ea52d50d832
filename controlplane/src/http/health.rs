//! `GET /health`: the process lives. Asks nothing of anything.

use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// Answers 200 whatever the state is.
pub(super) async fn get() -> Json<Health> {
    Json(Health { status: "ok" })
}
