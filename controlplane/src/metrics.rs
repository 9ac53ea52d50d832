//! What the control plane counts about itself.

mod keys;
mod providers;
mod quota;
mod sync;

use cliproxy_observe::metrics::prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use keys::KeyMetrics;
use providers::ProviderMetrics;
use quota::QuotaMetrics;
use std::sync::atomic::AtomicU64;
use sync::SyncMetrics;

/// Handles of the control plane's series; clones count into the same ones.
#[derive(Clone, Debug)]
pub(crate) struct PlaneMetrics {
    /// Nodes that are connected now.
    pub(crate) connected_nodes: Gauge,
    /// The number of the configuration in force.
    pub(crate) config_version: Gauge,
    /// 1 while the newest configuration cannot be made here.
    pub(crate) config_unmade: Gauge,
    /// 1 while this replica leads.
    pub(crate) leading: Gauge,
    /// The epoch of the lease as this replica knows it; 0 where there is no other replica.
    pub(crate) leader_epoch: Gauge,
    /// Replicas that are heard of now, this one included.
    pub(crate) replicas: Gauge,
    /// How long ago the store last told what other replicas did.
    pub(crate) log_lag_seconds: Gauge<f64, AtomicU64>,
    /// Writes that the store refused as another replica leads.
    pub(crate) fenced_writes: Counter,
    /// Posts to the other replicas.
    pub(crate) posts: Counter,
    /// Observations of nodes that were not told to the other replicas, as too many waited.
    pub(crate) posts_dropped: Counter,
    /// Configurations that nodes refused.
    pub(crate) nacks: Counter,
    /// Nodes that were disconnected as they did not keep up.
    pub(crate) slow_nodes: Counter,
    /// Calls that spoke for another node than their certificate is of.
    pub(crate) impostors: Counter,
    /// Ledger batches that were new and committed.
    pub(crate) batches: Counter,
    /// Rows of these batches.
    pub(crate) rows: Counter,
    /// Of these batches, those that began too far from this replica's clock.
    pub(crate) skewed_batches: Counter,
    /// Of these batches, those that were set aside as they may have been counted before.
    pub(crate) late_batches: Counter,
    /// Rows of ledger batches that were counted under another name, as there were too many.
    pub(crate) folded_rows: Counter,
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
    /// Of clients' keys.
    pub(crate) client_keys: KeyMetrics,
    /// Of the nodes' streams.
    pub(crate) sync: SyncMetrics,
    /// Of limits.
    pub(crate) quota: QuotaMetrics,
    /// By provider, cause and the like.
    providers: ProviderMetrics,
}

impl PlaneMetrics {
    /// Makes the handles without showing them.
    pub(crate) fn new() -> Self {
        Self {
            connected_nodes: Gauge::default(),
            config_version: Gauge::default(),
            config_unmade: Gauge::default(),
            leading: Gauge::default(),
            leader_epoch: Gauge::default(),
            replicas: Gauge::default(),
            log_lag_seconds: Gauge::default(),
            fenced_writes: Counter::default(),
            posts: Counter::default(),
            posts_dropped: Counter::default(),
            nacks: Counter::default(),
            slow_nodes: Counter::default(),
            impostors: Counter::default(),
            batches: Counter::default(),
            rows: Counter::default(),
            skewed_batches: Counter::default(),
            late_batches: Counter::default(),
            folded_rows: Counter::default(),
            // From 0.5 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 14)),
            store_errors: Counter::default(),
            stale_events: Counter::default(),
            permits_granted: Counter::default(),
            // From 10 µs to 0.3 s.
            propagation_seconds: Histogram::new(exponential_buckets(0.000_01, 2.0, 16)),
            client_keys: KeyMetrics::new(),
            sync: SyncMetrics::default().with_reasons(),
            quota: QuotaMetrics::new(),
            providers: ProviderMetrics::new(),
        }
    }

    /// Shows the series.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.quota.register_budgets(registry);
        let registry = registry.sub_registry_with_prefix("controlplane");
        let counters = [
            ("nacks", "Configurations that nodes refused", &self.nacks),
            ("slow_nodes", "Nodes that were disconnected as they did not keep up", &self.slow_nodes),
            (
                "impostors",
                "Calls that spoke for another node than their certificate is of and were refused",
                &self.impostors,
            ),
            ("ingest_batches", "Ledger batches that were new and committed", &self.batches),
            ("ingest_rows", "Rows of ledger batches that were new and committed", &self.rows),
            (
                "ingest_skewed_batches",
                "Ledger batches that began over five minutes from this replica's clock, and count at that distance",
                &self.skewed_batches,
            ),
            (
                "ingest_late_batches",
                "Ledger batches that were set aside, as they may have been counted before",
                &self.late_batches,
            ),
            (
                "ingest_folded_rows",
                "Rows of ledger batches that are counted as other, as nodes reported too many names",
                &self.folded_rows,
            ),
            ("store_errors", "Store calls that failed", &self.store_errors),
            ("fenced_writes", "Writes that the store refused as another replica leads", &self.fenced_writes),
            ("posts", "Posts to the other replicas", &self.posts),
            (
                "posts_dropped",
                "Observations of nodes that other replicas were not told, as too many waited",
                &self.posts_dropped,
            ),
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
        let gauges = [
            ("connected_nodes", "Nodes that are connected now", &self.connected_nodes),
            ("config_version", "Number of the configuration in force", &self.config_version),
            ("config_unmade", "1 while the newest configuration cannot be made here", &self.config_unmade),
            ("leading", "1 while this replica does what one does for all", &self.leading),
            (
                "leader_epoch",
                "Epoch under which whoever leads does so, as far as is known here",
                &self.leader_epoch,
            ),
            ("replicas", "Replicas that are heard of now, this one included", &self.replicas),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "log_lag_seconds",
            "Time since the store last told what other replicas did",
            self.log_lag_seconds.clone(),
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
        self.client_keys.register(registry);
        self.sync.register(registry);
        self.quota.register(registry);
        self.providers.register(registry);
    }
}
