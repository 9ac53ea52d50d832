//! The nodes.

use super::Operations;
use crate::state::Refusal;
use cliproxy_domain::status::{NodeStatus, NodesStatus, Source};

impl Operations {
    /// Tells of all nodes that were heard of, and are remembered.
    pub(crate) fn nodes_status(&self) -> NodesStatus {
        let now = self.state.clock.wall();
        let nodes = self.state.nodes.all().into_iter().map(|node| {
            let connected = node.is_connected();
            let refused = node.refusal.map(|Refusal { config, reason, again_at, .. }| match again_at {
                Some(at) => format!("configuration {config}: {reason}; it is tried again at {at}"),
                None => format!("configuration {config}: {reason}"),
            });
            let status = NodeStatus {
                connected,
                incarnation: node.record.incarnation,
                build: node.record.build,
                listen: node.record.listen,
                // Who is connected is heard of twice a second.
                last_seen: if connected { now } else { node.record.last_seen },
                config: node.config,
                hints: node.hints,
                refused,
            };
            (node.record.node, status)
        });
        NodesStatus { source: Source::Cluster, as_of: now, nodes: nodes.collect() }
    }
}
