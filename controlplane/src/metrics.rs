//! What the control plane counts about itself.

mod providers;

use cliproxy_observe::metrics::prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use providers::ProviderMetrics;

/// Handles of the control plane's series; clones count into the same ones.
#[derive(Clone, Debug)]
pub(crate) struct PlaneMetrics {
    /// Nodes that are connected now.
    pub(crate) connected_nodes: Gauge,
    /// The number of the configuration in force.
    pub(crate) config_version: Gauge,
    /// Configurations that nodes refused.
    pub(crate) nacks: Counter,
    /// Nodes that were disconnected as they did not keep up.
    pub(crate) slow_nodes: Counter,
    /// Ledger batches that were new and committed.
    pub(crate) batches: Counter,
    /// Rows of these batches.
    pub(crate) rows: Counter,
    /// How long a group commit of the ledger took, failed tries left out.
    pub(crate) commit_seconds: Histogram,
    /// Store calls that failed.
    pub(crate) store_errors: Counter,
    /// Urgent events that were older than an operator's word.
    pub(crate) stale_events: Counter,
    /// Permits that were granted for the request after a rest.
    pub(crate) permits_granted: Counter,
    /// From an urgent event's arrival to its place in every node's queue.
    pub(crate) propagation_seconds: Histogram,
    /// By provider, cause and the like.
    providers: ProviderMetrics,
}

impl PlaneMetrics {
    /// Makes the handles without showing them.
    pub(crate) fn new() -> Self {
        Self {
            connected_nodes: Gauge::default(),
            config_version: Gauge::default(),
            nacks: Counter::default(),
            slow_nodes: Counter::default(),
            batches: Counter::default(),
            rows: Counter::default(),
            // From 0.5 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 14)),
            store_errors: Counter::default(),
            stale_events: Counter::default(),
            permits_granted: Counter::default(),
            // From 10 µs to 0.3 s.
            propagation_seconds: Histogram::new(exponential_buckets(0.000_01, 2.0, 16)),
            providers: ProviderMetrics::new(),
        }
    }

    /// Shows the series.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("controlplane");
        let counters = [
            ("nacks", "Configurations that nodes refused", &self.nacks),
            ("slow_nodes", "Nodes that were disconnected as they did not keep up", &self.slow_nodes),
            ("ingest_batches", "Ledger batches that were new and committed", &self.batches),
            ("ingest_rows", "Rows of ledger batches that were new and committed", &self.rows),
            ("store_errors", "Store calls that failed", &self.store_errors),
            (
                "stale_events",
                "Urgent events that were older than an operator's word and were ignored",
                &self.stale_events,
            ),
            (
                "permits_granted",
                "Permits that were granted for the one request after a rest",
                &self.permits_granted,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("connected_nodes", "Nodes that are connected now", self.connected_nodes.clone());
        registry.register(
            "config_version",
            "Number of the configuration in force",
            self.config_version.clone(),
        );
        registry.register(
            "commit_seconds",
            "Time of a group commit of the ledger, failed tries left out",
            self.commit_seconds.clone(),
        );
        registry.register(
            "propagation_seconds",
            "Time from an urgent event's arrival to its place in every node's queue",
            self.propagation_seconds.clone(),
        );
        self.providers.register(registry);
    }
}
