//! What holds while one decision is made.

use crate::state::ActiveConfig;
use cliproxy_domain::{NodeId, Provider, ProviderName, WallTime};
use std::sync::Arc;

/// What holds while one decision is made: the configuration, the connected nodes and the time.
pub(crate) struct Turn {
    pub(crate) active: Arc<ActiveConfig>,
    /// Sorted.
    pub(crate) nodes: Arc<Vec<NodeId>>,
    pub(crate) now: WallTime,
}

impl Turn {
    /// Finds a configured provider.
    pub(crate) fn provider(&self, name: &ProviderName) -> Option<&Provider> {
        self.active.snapshot.providers.get(name)
    }

    /// Tells whether a provider is asked whether it is well.
    pub(crate) fn is_checked(&self, provider: &Provider) -> bool {
        self.active.snapshot.policy.health_check.enabled && provider.health_check.enabled
    }

    /// Tells whether a node is connected.
    pub(crate) fn is_connected(&self, node: &NodeId) -> bool {
        self.nodes.binary_search(node).is_ok()
    }
}
