//! What the node's probes found, as metrics.

use cliproxy_domain::ProviderName;
use cliproxy_observe::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

/// Shown as `cliproxy_node_…`. Clones share the values.
#[derive(Clone, Debug, Default)]
pub struct ProbeMetrics {
    probes: Family<ProbeLabels, Counter>,
    /// Providers that this node asks.
    pub(super) assigned: Gauge,
}

/// A provider of the configuration, and `healthy` or `unhealthy`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeLabels {
    provider: String,
    result: &'static str,
}

impl ProbeMetrics {
    /// Makes the metrics and registers them.
    pub fn registered(metrics: &Metrics) -> Self {
        let this = Self::default();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("node");
            registry.register("probes", "Health probes of providers by result", this.probes.clone());
            registry.register(
                "probed_providers",
                "Providers whose health this node probes",
                this.assigned.clone(),
            );
        });
        this
    }

    pub(super) fn count(&self, provider: &ProviderName, healthy: bool) {
        let result = if healthy { "healthy" } else { "unhealthy" };
        self.probes.get_or_create(&ProbeLabels { provider: provider.to_string(), result }).inc();
    }
}
