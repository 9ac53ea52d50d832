//! The operators' REST interface: one file for each endpoint, the same functions as gRPC.

pub(crate) mod access;
mod error;
mod health;
mod load_balancing_status;
mod metrics;
mod providers_status;
mod ready;

use crate::state::State;
use axum::{Extension, Router, routing::get};
use cliproxy_observe::metrics::Metrics;
use std::sync::Arc;

/// Makes the REST routes and lays them over the gRPC ones; what is neither is answered 404 in the asker's terms.
pub(crate) fn over(grpc: Router, state: Arc<State>, metrics: Metrics) -> Router {
    let rest = Router::new()
        .route("/health", get(health::get))
        .route("/ready", get(ready::get))
        .route("/metrics", get(metrics::get))
        .route("/v0/operations/providers/status", get(providers_status::get))
        .route("/v0/operations/load_balancing/status", get(load_balancing_status::get))
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Extension(metrics))
        .with_state(state);
    // The gRPC router brings a fall-back of its own, and a router can have one only.
    grpc.reset_fallback().merge(rest).fallback(error::not_found)
}
