//! How the node's connection to the control plane is, as metrics.

use cliproxy_observe::metrics::Metrics;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

/// Shown as `cliproxy_node_…`. Clones share the values.
#[derive(Clone, Debug, Default)]
pub struct SyncMetrics {
    /// 1 while a control plane is connected.
    pub(super) connected: Gauge,
    /// Sessions with a control plane that ended.
    pub(super) sessions_ended: Counter,
    /// Number of the configuration in force.
    pub(super) config_version: Gauge,
    /// Configurations that the node refused.
    pub(super) configs_refused: Counter,
    /// 1 while no control plane has been heard for two seconds.
    pub(super) cut_off: Gauge,
    /// Hints that could not be understood.
    pub(super) hints_skipped: Counter,
    /// Probes' results and requests' records that were dropped.
    pub(super) observations_dropped: Counter,
    /// Batches of usage that wait for their acknowledgement.
    pub(super) unacked_batches: Gauge,
}

impl SyncMetrics {
    /// Makes the metrics and registers them.
    pub fn registered(metrics: &Metrics) -> Self {
        let this = Self::default();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("node");
            registry.register(
                "control_plane_connected",
                "1 while a control plane is connected",
                this.connected.clone(),
            );
            registry.register(
                "sessions_ended",
                "Sessions with a control plane that ended",
                this.sessions_ended.clone(),
            );
            registry.register(
                "config_version",
                "Number of the configuration in force",
                this.config_version.clone(),
            );
            registry.register(
                "configs_refused",
                "Configurations that the node refused",
                this.configs_refused.clone(),
            );
            registry.register(
                "cut_off",
                "1 while no control plane has been heard for two seconds",
                this.cut_off.clone(),
            );
            registry.register(
                "hints_skipped",
                "Hints that could not be understood",
                this.hints_skipped.clone(),
            );
            registry.register(
                "observations_dropped",
                "Results of probes and records of requests that were dropped as too many waited",
                this.observations_dropped.clone(),
            );
            registry.register(
                "unacked_batches",
                "Batches of usage that wait for their acknowledgement",
                this.unacked_batches.clone(),
            );
        });
        this
    }
}
