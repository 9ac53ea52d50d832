//! Nodes that are connected to other replicas, as these tell it.

use super::{KEEP, Node, Nodes, Refusal};
use cliproxy_domain::{NodeId, ReplicaId, WallTime};
use cliproxy_host::tls::Validity;
use cliproxy_proto::convert::replica::{RefusedConfig, SeenNode};
use cliproxy_store::NodeRecord;
use std::collections::{BTreeMap, BTreeSet};

impl Nodes {
    /// Gives the nodes that are connected to this replica, as the others are told of them.
    pub(crate) fn ours(&self) -> BTreeMap<NodeId, SeenNode> {
        let nodes = self.by_name.lock();
        let ours = nodes.iter().filter(|(_, node)| node.streams > 0);
        ours.map(|(name, node)| (name.clone(), node.seen())).collect()
    }

    /// Gives when a node was last seen.
    pub(crate) fn last_seen(&self, node: &NodeId) -> Option<WallTime> {
        self.by_name.lock().get(node).map(|node| node.record.last_seen)
    }

    /// Notes which nodes are connected to another replica: those in `seen`, which are all of them if `whole`, and no
    /// more those in `gone`. What a node says to this replica itself counts for more.
    pub(crate) fn told(
        &self,
        replica: &ReplicaId,
        whole: bool,
        seen: &[SeenNode],
        gone: &[(NodeId, WallTime)],
    ) {
        let mut nodes = self.by_name.lock();
        if whole {
            let all: BTreeSet<&NodeId> = seen.iter().map(|seen| &seen.node).collect();
            for (_, node) in nodes.iter_mut().filter(|(name, _)| !all.contains(name)) {
                node.elsewhere.remove(replica);
            }
        }
        for seen in seen {
            if nodes.len() >= KEEP && !nodes.contains_key(&seen.node) {
                nodes.retain(|_, node| node.is_connected());
                if nodes.len() >= KEEP {
                    continue;
                }
            }
            let node = nodes.entry(seen.node.clone()).or_insert_with(|| Node::new(record(seen)));
            node.elsewhere.insert(replica.clone(), seen.incarnation);
            node.take(seen);
        }
        for (name, last_seen) in gone {
            if let Some(node) = nodes.get_mut(name) {
                node.leave(replica, *last_seen);
            }
        }
        self.tell_connections(&nodes);
    }

    /// Notes at `now` that another replica is gone, and its nodes with it.
    pub(crate) fn without(&self, replica: &ReplicaId, now: WallTime) {
        let mut nodes = self.by_name.lock();
        nodes.values_mut().for_each(|node| node.leave(replica, now));
        self.tell_connections(&nodes);
    }

    /// Takes what the store has of nodes, where it is newer.
    pub(crate) fn remember(&self, records: Vec<NodeRecord>) {
        let mut nodes = self.by_name.lock();
        for record in records {
            match nodes.get_mut(&record.node) {
                Some(known) if record.replaces(&known.record) => known.record = record,
                Some(_) => {}
                None => drop(nodes.insert(record.node.clone(), Node::new(record))),
            }
        }
    }
}

impl Node {
    fn seen(&self) -> SeenNode {
        let refused = |refusal: &Refusal| RefusedConfig {
            config: refusal.config,
            still_on: refusal.still_on,
            reason: refusal.reason.clone(),
            at: refusal.at,
            again_at: refusal.again_at,
        };
        SeenNode {
            node: self.record.node.clone(),
            incarnation: self.record.incarnation,
            build: self.record.build.clone(),
            listen: self.record.listen.clone(),
            config: self.config,
            hints: self.hints,
            refused: self.refusal.as_ref().map(refused),
            last_seen: self.record.last_seen,
            certificate: self.certificate.map(|holds| (holds.not_before, holds.not_after)),
        }
    }

    fn take(&mut self, seen: &SeenNode) {
        // A node that lost its data directory and whose clock was set back is lower, and presented itself later.
        let is_past = seen.incarnation < self.record.incarnation && seen.last_seen <= self.record.last_seen;
        if self.streams > 0 || is_past {
            return;
        }
        let refusal = |refused: &RefusedConfig| Refusal {
            config: refused.config,
            still_on: refused.still_on,
            reason: refused.reason.clone(),
            at: refused.at,
            again_at: refused.again_at,
        };
        let told = record(seen);
        if told.replaces(&self.record) || told.incarnation < self.record.incarnation {
            self.record = told;
        }
        (self.config, self.hints) = (seen.config, seen.hints);
        self.refusal = seen.refused.as_ref().map(refusal);
        self.certificate = seen.certificate.map(|(not_before, not_after)| Validity { not_before, not_after });
    }

    fn leave(&mut self, replica: &ReplicaId, at: WallTime) {
        if self.elsewhere.remove(replica).is_some() && !self.is_connected() {
            self.record.last_seen = self.record.last_seen.max(at);
        }
    }
}

fn record(seen: &SeenNode) -> NodeRecord {
    NodeRecord {
        node: seen.node.clone(),
        incarnation: seen.incarnation,
        build: seen.build.clone(),
        listen: seen.listen.clone(),
        last_seen: seen.last_seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{ConfigId, HintVersion, Incarnation};

    fn seen(name: &str, hints: u64) -> SeenNode {
        SeenNode {
            node: name.into(),
            incarnation: Incarnation(1),
            build: "0.1.0".into(),
            listen: String::new(),
            config: ConfigId(1),
            hints: HintVersion(hints),
            refused: None,
            last_seen: WallTime(1_000),
            certificate: None,
        }
    }

    fn connected(nodes: &Nodes) -> Vec<String> {
        nodes.connected_now().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_node_that_moves_between_replicas_is_one_node_and_never_gone() {
        let (nodes, [a, b]) = (Nodes::new(vec![]), [ReplicaId::from("a"), ReplicaId::from("b")]);
        nodes.told(&a, true, &[seen("node-1", 3), seen("node-2", 3)], &[]);
        nodes.told(&b, false, &[seen("node-1", 4)], &[]);
        nodes.told(&a, false, &[], &[("node-1".into(), WallTime(2_000))]);
        assert_eq!(connected(&nodes), ["node-1", "node-2"]);
        assert_eq!(nodes.with_hints(HintVersion(4)), (1, 2));
        nodes.without(&b, WallTime(3_000));
        assert_eq!(connected(&nodes), ["node-2"]);
        assert_eq!(nodes.last_seen(&"node-1".into()), Some(WallTime(3_000)));
    }

    #[test]
    fn a_whole_list_is_all_there_is_of_that_replica_and_of_no_other() {
        let (nodes, [a, b]) = (Nodes::new(vec![]), [ReplicaId::from("a"), ReplicaId::from("b")]);
        nodes.told(&a, true, &[seen("node-1", 0), seen("node-2", 0)], &[]);
        nodes.told(&b, true, &[seen("node-3", 0)], &[]);
        nodes.told(&a, true, &[seen("node-2", 0)], &[]);
        assert_eq!(connected(&nodes), ["node-2", "node-3"]);
    }

    #[test]
    fn what_a_node_says_here_counts_for_more_than_what_another_replica_says_of_it() {
        let (nodes, a) = (Nodes::new(vec![]), ReplicaId::from("a"));
        nodes.connected(record(&seen("node-1", 0)), ConfigId(2), HintVersion(9));
        nodes.told(&a, true, &[seen("node-1", 3)], &[]);
        assert_eq!(nodes.with_hints(HintVersion(9)), (1, 1));
        assert_eq!(nodes.ours().len(), 1);
        nodes.disconnected(&"node-1".into(), Incarnation(1), WallTime(2_000));
        assert_eq!((connected(&nodes), nodes.ours().len()), (vec!["node-1".to_owned()], 0));
    }

    #[test]
    fn two_processes_of_one_name_are_two_wherever_they_are_connected() {
        let (nodes, [a, b]) = (Nodes::new(vec![]), [ReplicaId::from("a"), ReplicaId::from("b")]);
        let process = |number| SeenNode { incarnation: Incarnation(number), ..seen("node-1", 3) };
        let count = || nodes.get(&"node-1".into()).unwrap().processes();
        nodes.told(&a, true, &[process(7)], &[]);
        nodes.told(&b, true, &[process(7)], &[]);
        assert_eq!(count(), 1, "it moves from one to the other");
        nodes.told(&b, false, &[process(8)], &[]);
        assert_eq!(count(), 2);
        nodes.connected(record(&process(9)), ConfigId(2), HintVersion(9));
        nodes.without(&b, WallTime(3_000));
        assert_eq!(count(), 2);
        nodes.disconnected(&"node-1".into(), Incarnation(9), WallTime(3_000));
        assert_eq!(count(), 1);
    }

    #[test]
    fn a_node_that_lost_its_number_and_presented_itself_later_is_the_one_that_counts() {
        let (nodes, [a, b]) = (Nodes::new(vec![]), [ReplicaId::from("a"), ReplicaId::from("b")]);
        let process = |number, at| SeenNode {
            incarnation: Incarnation(number),
            last_seen: WallTime(at),
            ..seen("n", at.unsigned_abs())
        };
        let hints = || nodes.get(&"n".into()).map(|node| (node.record.incarnation.0, node.hints.0));
        nodes.told(&a, true, &[process(7, 1_000)], &[]);
        nodes.told(&b, true, &[process(1, 2_000)], &[]);
        assert_eq!(hints(), Some((1, 2_000)));
    }
}
