//! What is counted of the nodes' streams.

use cliproxy_observe::metrics::prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Handles; clones count into the same series.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncMetrics {
    /// Nodes that were asked to come later.
    pub(crate) put_off: Counter,
    /// Configurations that were sent whole.
    pub(crate) whole_configs: Counter,
    /// Nodes that said that they die of a configuration.
    pub(crate) crash_loops: Counter,
    asked_to_go: Family<Asked, Counter>,
    #[cfg(test)]
    most_at_once: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

type Asked = [(&'static str, &'static str); 1];

impl SyncMetrics {
    /// Shows the series.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nodes_put_off",
            "Nodes that were asked to come a little later, as too many came at once",
            self.put_off.clone(),
        );
        registry.register(
            "whole_configs",
            "Configurations that were sent whole, not as a difference",
            self.whole_configs.clone(),
        );
        registry.register(
            "crash_loops",
            "Nodes that said that they died of a configuration and run an older one",
            self.crash_loops.clone(),
        );
        registry.register(
            "asked_to_go",
            "Times that nodes were asked to connect elsewhere or anew, by reason: age, share, leaving (all nodes at once)",
            self.asked_to_go.clone(),
        );
    }

    /// Shows a series of each reason from the beginning.
    pub(super) fn with_reasons(self) -> Self {
        for reason in ["age", "share", "leaving"] {
            let _ = self.asked_to_go.get_or_create(&[("reason", reason)]);
        }
        self
    }

    /// Counts that a node was asked to go.
    pub(crate) fn asked_to_go(&self, reason: &'static str) {
        self.asked_to_go.get_or_create(&[("reason", reason)]).inc();
    }

    /// Notes how many nodes resume at once.
    #[cfg(test)]
    pub(crate) fn most_at_once(&self, now: usize) {
        self.most_at_once.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
    }

    /// Gives how many nodes ever resumed at once.
    #[cfg(test)]
    pub(crate) fn most_ever_at_once(&self) -> usize {
        self.most_at_once.load(std::sync::atomic::Ordering::SeqCst)
    }
}
