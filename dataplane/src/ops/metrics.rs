//! Who answered operators, as metrics.

use cliproxy_observe::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

/// Shown as `cliproxy_node_operations_total`.
#[derive(Clone, Debug, Default)]
pub(super) struct OpsMetrics {
    calls: Family<CallLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    answered_by: &'static str,
}

/// Whose an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnsweredBy {
    /// The control plane's.
    Cluster,
    /// This node's own.
    Node,
    /// Nobody's: it was refused here.
    Refused,
}

impl OpsMetrics {
    /// Makes the metrics and registers them.
    pub(super) fn registered(metrics: &Metrics) -> Self {
        let this = Self::default();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("node");
            let help = "Operators' calls under /v0/operations/ by who answered";
            registry.register("operations", help, this.calls.clone());
        });
        this
    }

    pub(super) fn count(&self, answered_by: AnsweredBy) {
        let answered_by = match answered_by {
            AnsweredBy::Cluster => "cluster",
            AnsweredBy::Node => "node",
            AnsweredBy::Refused => "refused",
        };
        self.calls.get_or_create(&CallLabels { answered_by }).inc();
    }
}
