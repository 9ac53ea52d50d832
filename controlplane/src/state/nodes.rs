//! The nodes: who is connected, on which configuration, and what each refused.

mod elsewhere;

use arc_swap::ArcSwap;
use cliproxy_domain::{ConfigId, HintVersion, Incarnation, NodeId, ReplicaId, WallTime};
use cliproxy_host::tls::Validity;
use cliproxy_store::NodeRecord;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// How long after it was last seen a node counts among those that limits are spread over: it may hold something.
const LATELY: Duration = Duration::from_secs(5 * 60);
/// How many nodes are remembered; beyond that, those that are not connected are forgotten.
const KEEP: usize = 10_000;

/// All nodes that were heard of.
pub(crate) struct Nodes {
    by_name: Mutex<BTreeMap<NodeId, Node>>,
    /// The connected ones, sorted; made anew when a node connects or goes.
    connected: ArcSwap<Vec<NodeId>>,
    /// Counts connections that came and went.
    connections: watch::Sender<u64>,
    /// Counts what changed: connections and acknowledged hints.
    changes: watch::Sender<u64>,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// As it presented itself.
    pub(crate) record: NodeRecord,
    /// Its open streams to this replica; more than one for a moment when it reconnects.
    pub(crate) streams: u32,
    /// Other replicas that it is connected to, as which process.
    elsewhere: BTreeMap<ReplicaId, Incarnation>,
    /// The processes of its streams to this replica, one for each stream.
    processes: Vec<Incarnation>,
    /// The configuration that it acknowledged last.
    pub(crate) config: ConfigId,
    /// The hints that it acknowledged last.
    pub(crate) hints: HintVersion,
    /// What it refused last.
    pub(crate) refusal: Option<Refusal>,
    /// From when to when the certificate holds by which its newest stream came; none in the clear.
    pub(crate) certificate: Option<Validity>,
}

/// A configuration that a node refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) config: ConfigId,
    pub(crate) still_on: ConfigId,
    pub(crate) reason: String,
    pub(crate) at: WallTime,
    /// When the node takes it again; `None`: never.
    pub(crate) again_at: Option<WallTime>,
}

impl Nodes {
    pub(super) fn new(records: Vec<NodeRecord>) -> Self {
        let nodes = records.into_iter().map(|record| (record.node.clone(), Node::new(record)));
        Self {
            by_name: Mutex::new(nodes.collect()),
            connected: ArcSwap::default(),
            connections: watch::Sender::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// Gives the nodes that are connected to any replica, sorted.
    pub(crate) fn connected_now(&self) -> Arc<Vec<NodeId>> {
        self.connected.load_full()
    }

    /// Tells whether a node is connected.
    #[cfg(test)]
    pub(crate) fn is_connected(&self, node: &NodeId) -> bool {
        self.by_name.lock().get(node).is_some_and(Node::is_connected)
    }

    /// Counts the connected nodes that have the hints up to `version`, and all connected nodes.
    pub(crate) fn with_hints(&self, version: HintVersion) -> (u32, u32) {
        let nodes = self.by_name.lock();
        let connected = nodes.values().filter(|node| node.is_connected());
        connected.fold((0, 0), |(have, all), node| (have + u32::from(node.hints >= version), all + 1))
    }

    /// Gives what is told whenever a node connects, goes, or acknowledges hints.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Gives what is told whenever a node connects or goes.
    pub(crate) fn watch_connections(&self) -> watch::Receiver<u64> {
        self.connections.subscribe()
    }

    /// Gives the nodes that are connected to any replica at `now`, or were lately, sorted by name.
    pub(crate) fn lately(&self, now: WallTime) -> Vec<NodeId> {
        let nodes = self.by_name.lock();
        let was_here = |node: &Node| node.is_connected() || now.since(node.record.last_seen) < LATELY;
        nodes.iter().filter(|(_, node)| was_here(node)).map(|(name, _)| name.clone()).collect()
    }

    /// Gives all nodes, sorted by name.
    pub(crate) fn all(&self) -> Vec<Node> {
        self.by_name.lock().values().cloned().collect()
    }

    /// Notes that a node has connected. What it refused is forgotten when it comes with another program, which
    /// may understand it.
    pub(crate) fn connected(&self, record: NodeRecord, config: ConfigId, hints: HintVersion) {
        let mut nodes = self.by_name.lock();
        if nodes.len() >= KEEP {
            nodes.retain(|_, node| node.is_connected());
        }
        let node = nodes.entry(record.node.clone()).or_insert_with(|| Node::new(record.clone()));
        if node.record.build != record.build {
            node.refusal = None;
        }
        node.processes.push(record.incarnation);
        node.record = record;
        node.streams += 1;
        node.runs(config);
        node.hints = hints;
        self.tell_connections(&nodes);
    }

    /// Forgets what a node refused when it comes as another process that does not say that it died of it: what was wrong
    /// with it there, and not with the configuration, may be mended.
    pub(crate) fn started_anew(&self, node: &NodeId, incarnation: Incarnation, died_of: ConfigId) {
        self.change(node, |node| {
            if node.record.incarnation != incarnation {
                node.refusal.take_if(|refusal| refusal.config != died_of);
            }
        });
    }

    /// Notes by which certificate a node has connected.
    pub(crate) fn certified(&self, node: &NodeId, certificate: Option<Validity>) {
        self.change(node, |node| node.certificate = certificate);
    }

    /// Notes that one of a node's streams has ended.
    pub(crate) fn disconnected(&self, node: &NodeId, process: Incarnation, at: WallTime) {
        let mut nodes = self.by_name.lock();
        if let Some(node) = nodes.get_mut(node) {
            node.streams = node.streams.saturating_sub(1);
            if let Some(place) = node.processes.iter().position(|open| *open == process) {
                node.processes.swap_remove(place);
            }
            node.record.last_seen = at;
        }
        self.tell_connections(&nodes);
    }

    /// Notes what configuration a node runs.
    pub(crate) fn acked_config(&self, node: &NodeId, config: ConfigId) {
        self.change(node, |node| node.runs(config));
    }

    /// Notes what hints a node has.
    pub(crate) fn acked_hints(&self, node: &NodeId, hints: HintVersion) {
        self.change(node, |node| node.hints = node.hints.max(hints));
        self.changes.send_modify(|count| *count += 1);
    }

    /// Notes that a node refused a configuration.
    pub(crate) fn refused(&self, node: &NodeId, refusal: Refusal) {
        self.change(node, |node| {
            node.config = refusal.still_on;
            node.refusal = Some(refusal);
        });
    }

    /// Tells whether a node refused that configuration.
    pub(crate) fn has_refused(&self, node: &NodeId, config: ConfigId) -> bool {
        let nodes = self.by_name.lock();
        nodes.get(node).and_then(|node| node.refusal.as_ref()).is_some_and(|refusal| refusal.config == config)
    }

    /// Notes when a node takes again what it refused.
    pub(crate) fn takes_at(&self, node: &NodeId, again_at: Option<WallTime>) {
        self.change(node, |node| node.refusal.iter_mut().for_each(|refusal| refusal.again_at = again_at));
    }

    /// Forgets what a node refused for a while when that is over at `now`. Tells whether it was.
    pub(crate) fn takes_again(&self, node: &NodeId, now: WallTime) -> bool {
        let mut nodes = self.by_name.lock();
        let refusal = nodes.get_mut(node).map(|node| &mut node.refusal);
        let is_over = |refusal: &mut Refusal| refusal.again_at.is_some_and(|at| at <= now);
        refusal.is_some_and(|refusal| refusal.take_if(is_over).is_some())
    }

    /// Tells whether any node refuses that configuration.
    pub(crate) fn is_refused(&self, config: ConfigId) -> bool {
        let nodes = self.by_name.lock();
        nodes.values().filter_map(|node| node.refusal.as_ref()).any(|refusal| refusal.config == config)
    }

    /// Gives one node.
    #[cfg(test)]
    pub(crate) fn get(&self, node: &NodeId) -> Option<Node> {
        self.by_name.lock().get(node).cloned()
    }

    fn tell_connections(&self, nodes: &BTreeMap<NodeId, Node>) {
        let connected: Vec<NodeId> =
            nodes.iter().filter(|(_, node)| node.is_connected()).map(|(name, _)| name.clone()).collect();
        if **self.connected.load() != connected {
            self.connected.store(Arc::new(connected));
            self.connections.send_modify(|count| *count += 1);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn change(&self, node: &NodeId, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.by_name.lock().get_mut(node) {
            change(node);
        }
    }
}

impl Node {
    /// Tells whether it is connected to any replica.
    pub(crate) fn is_connected(&self) -> bool {
        self.streams > 0 || !self.elsewhere.is_empty()
    }

    /// Notes what it runs: what it refused before that is of no more interest.
    fn runs(&mut self, config: ConfigId) {
        self.config = config;
        self.refusal.take_if(|refusal| refusal.config <= config);
    }

    /// Counts the processes that are connected under its name: more than one for a moment when it is started again, and
    /// for longer when somebody runs two.
    pub(crate) fn processes(&self) -> usize {
        self.processes.iter().chain(self.elsewhere.values()).collect::<BTreeSet<_>>().len()
    }

    fn new(record: NodeRecord) -> Self {
        Self {
            record,
            streams: 0,
            elsewhere: BTreeMap::new(),
            processes: Vec::new(),
            config: ConfigId(0),
            hints: HintVersion(0),
            refusal: None,
            certificate: None,
        }
    }
}
