//! `GET /metrics`: what this process counts, for Prometheus.

use axum::{
    Extension,
    http::{HeaderName, header},
};
use cliproxy_observe::metrics::Metrics;

/// Renders the metrics of the whole process: those of a data plane as well, where both run in one.
pub(super) async fn get(Extension(metrics): Extension<Metrics>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, metrics.content_type())], metrics.encode())
}
