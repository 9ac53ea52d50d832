//! How the node's connection to the control plane is, as metrics.

use cliproxy_observe::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

/// Why the node moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Moved {
    pub(super) reason: &'static str,
}

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
    /// 1 while no control plane has been heard for a little more than two seconds.
    pub(super) cut_off: Gauge,
    /// Hints that could not be understood.
    pub(super) hints_skipped: Counter,
    /// Probes' results and requests' records that were dropped.
    pub(super) observations_dropped: Counter,
    /// Batches of usage that wait for their acknowledgement.
    pub(super) unacked_batches: Gauge,
    /// Batches of usage that were sent again after they had been acknowledged.
    pub(super) batches_resent: Counter,
    /// Batches of usage that were asked for again when they were gone.
    pub(super) batches_lost: Counter,
    /// Configurations that came whole, not as a difference.
    pub(super) whole_configs: Counter,
    /// Sets of hints that came whole, not by the log.
    pub(super) whole_hints: Counter,
    /// 1 while a connection to another replica is open and idle.
    pub(super) standby: Gauge,
    /// 1 while the node is patient, as connections came and went.
    pub(super) patient: Gauge,
    /// Moves from one replica to another, by reason.
    pub(super) moves: Family<Moved, Counter>,
}

impl SyncMetrics {
    /// Makes the metrics and registers them.
    pub fn registered(metrics: &Metrics) -> Self {
        let this = Self::default();
        for reason in super::moving::REASONS {
            let _ = this.moves.get_or_create(&Moved { reason: reason.as_str() });
        }
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
                "1 while no control plane has been heard for a little more than two seconds",
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
            registry.register(
                "batches_resent",
                "Batches of usage that were sent again after they had been acknowledged, as the control plane had lost them",
                this.batches_resent.clone(),
            );
            registry.register(
                "batches_lost",
                "Batches of usage that the control plane had lost and the node did not have any more",
                this.batches_lost.clone(),
            );
            registry.register(
                "whole_configs",
                "Configurations that came whole, not as a difference",
                this.whole_configs.clone(),
            );
            registry.register(
                "whole_hints",
                "Times that all rests and words on health came, not only those that the node missed",
                this.whole_hints.clone(),
            );
            registry.register(
                "standby_connected",
                "1 while a connection to another replica of the control plane is open and idle",
                this.standby.clone(),
            );
            registry.register(
                "patient",
                "1 while the node is patient with control planes, as its connections came and went",
                this.patient.clone(),
            );
            registry.register(
                "moves",
                "Moves from one replica of the control plane to another that cost nothing, by reason",
                this.moves.clone(),
            );
        });
        this
    }
}
