//! The operators' REST interface: one file for each endpoint, the same functions as gRPC.

pub(crate) mod access;
mod alerts;
mod audit;
mod body;
mod client_keys;
mod clients;
mod config;
mod config_check;
mod config_history;
mod config_rollback;
mod config_text;
mod cooldown;
mod cooldown_status;
mod error;
mod explain;
mod health;
mod key_change;
mod load_balancing_status;
mod metrics;
mod nodes;
mod parameters;
mod prices;
mod providers_status;
mod quota_release;
mod quotas;
mod ready;
mod recover;
mod request;
mod usage;

use crate::operations::Operations;
use axum::{
    Extension, Router,
    routing::{get, post},
};
use cliproxy_observe::metrics::Metrics;

/// Makes the REST routes and lays them over the gRPC ones; what is neither is answered 404 in the asker's terms.
pub(crate) fn over(grpc: Router, operations: Operations, metrics: Metrics) -> Router {
    let rest = Router::new()
        .route("/health", get(health::get))
        .route("/ready", get(ready::get))
        .route("/metrics", get(metrics::get))
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Extension(metrics))
        .with_state(operations.clone());
    // The gRPC router brings a fall-back of its own, and a router can have one only.
    grpc.reset_fallback().merge(rest).merge(of_operations(operations)).fallback(error::not_found)
}

/// Makes the routes that nodes hand on: each request carries its [`crate::operations::Actor`].
pub(crate) fn for_relay(operations: Operations) -> Router {
    of_operations(operations).fallback(error::not_found)
}

fn of_operations(operations: Operations) -> Router {
    Router::new()
        .route("/v0/operations/providers/status", get(providers_status::get))
        .route("/v0/operations/providers/{provider}/cooldown", post(cooldown::post))
        .route("/v0/operations/providers/{provider}/recover", post(recover::post))
        .route("/v0/operations/cooldown/status", get(cooldown_status::get))
        .route("/v0/operations/load_balancing/status", get(load_balancing_status::get))
        .route("/v0/operations/explain", get(explain::get))
        .route("/v0/operations/requests/{id}", get(request::get))
        .route("/v0/operations/audit", get(audit::get))
        .route("/v0/operations/nodes", get(nodes::get))
        .route("/v0/operations/alerts", get(alerts::get))
        .route("/v0/operations/quotas", get(quotas::get))
        .route("/v0/operations/quotas/release", post(quota_release::post))
        .route("/v0/operations/clients", get(clients::get))
        .route("/v0/operations/clients/{client}/keys", get(client_keys::get).post(client_keys::post))
        .route("/v0/operations/clients/{client}/keys/{id}/rotate", post(key_change::rotate))
        .route("/v0/operations/clients/{client}/keys/{id}/revoke", post(key_change::revoke))
        .route("/v0/operations/usage", get(usage::get))
        .route("/v0/operations/prices", get(prices::get))
        .route("/v0/operations/config", get(config::get).put(config::put))
        .route("/v0/operations/config/check", post(config_check::post))
        .route("/v0/operations/config/history", get(config_history::get))
        .route("/v0/operations/config/rollback", post(config_rollback::post))
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(operations)
}
