//! What nodes do for each other: which of a pair serves, what the primary cannot serve and hands to its backup, and rests
//! that nodes without a control plane tell each other.
//!
//! Nothing here is on the way of a request that this node serves itself. [`forward`] is the way of one that it cannot.

mod check;
mod election;
pub mod forward;
mod metrics;
mod others;
mod shown;
mod spread;
mod watch;

pub use cliproxy_engine::role::Part;
pub use others::CONNECT;
pub use shown::Shown;
pub use spread::{Denied, MAX_BODY as MAX_HINTS, PATH as HINTS};

use crate::{live::Live, sync::ControlLink, upstream::Pool};
use cliproxy_domain::NodeId;
use cliproxy_host::{Clock, Entropy, Net};
use cliproxy_observe::metrics::Metrics;
use election::Election;
use metrics::FailoverMetrics;
use others::Other;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How a node stands in for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverSettings {
    /// In which way.
    pub way: Way,
    /// How often another node is asked for its health.
    pub check_interval: Duration,
    /// How long another node must be unwell, or well again, before that counts.
    pub timeout: Duration,
    /// Whether this node's control plane is that of the other nodes as well: it then says who serves and what rests.
    pub shares_control_plane: bool,
}

/// The ways in which nodes stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// One node of two serves.
    Pair {
        /// Names the pair: the same on both nodes.
        name: String,
        /// Which of the two this is.
        part: Part,
        /// Where the other one is; none where only the control plane knows.
        other: Option<String>,
    },
    /// All nodes serve.
    Equals {
        /// Where the others are.
        peers: Vec<String>,
    },
}

/// What failover needs of the node.
pub struct FailoverParts {
    /// How the node stands in for others, if it does.
    pub settings: Option<FailoverSettings>,
    /// The node's name, by which it finds itself among others.
    pub node: NodeId,
    /// What the node knows: rests are told from there, and noted there.
    pub live: Arc<Live>,
    /// The way to the control plane.
    pub link: Arc<ControlLink>,
    /// Opens connections to other nodes, within [`CONNECT`].
    pub pool: Pool,
    /// What metrics show.
    pub metrics: Metrics,
    /// The seams.
    pub net: Arc<dyn Net>,
    /// The seams.
    pub clock: Arc<dyn Clock>,
    /// The seams.
    pub entropy: Entropy,
}

/// The node among others.
pub struct Failover {
    settings: Option<FailoverSettings>,
    node: NodeId,
    live: Arc<Live>,
    link: Arc<ControlLink>,
    metrics: FailoverMetrics,
    net: Arc<dyn Net>,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    pool: Pool,
    others: Vec<Other>,
    /// The role of a node of a pair.
    election: Option<Mutex<Election>>,
    heard: spread::Heard,
    started: Instant,
    draining: CancellationToken,
    stale: AtomicBool,
    /// Told when the role may have to be settled anew.
    wake: Notify,
}

impl Failover {
    /// Starts with nothing known of the others.
    pub fn new(parts: FailoverParts) -> Self {
        let FailoverParts { settings, node, live, link, pool, metrics, net, clock, entropy } = parts;
        let (urls, election) = match &settings {
            None => (Vec::new(), None),
            Some(settings) => match &settings.way {
                Way::Equals { peers } => (peers.clone(), None),
                Way::Pair { part, other, .. } => {
                    let ttl = settings.shares_control_plane.then_some(watch::ROLE_TTL);
                    let election = Election::new(*part, settings.timeout, ttl, other.is_some());
                    (other.iter().cloned().collect(), Some(Mutex::new(election)))
                }
            },
        };
        let metrics = FailoverMetrics::registered(&metrics);
        let others = urls.into_iter().filter_map(|url| Other::new(url, &metrics)).collect();
        metrics.active.set(i64::from(election.is_none()));
        Self {
            settings,
            node,
            live,
            link,
            metrics,
            net,
            pool,
            others,
            election,
            heard: spread::Heard::default(),
            started: clock.now(),
            clock,
            entropy,
            draining: CancellationToken::new(),
            stale: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// From now on the node takes no new requests if that can be helped: it gives its role up.
    pub fn drain(&self) {
        self.draining.cancel();
        self.settle();
        self.wake.notify_one();
    }

    /// Tells whether the node is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Tells whether the node is the one that load balancers should send requests to: always, but for the one of a pair
    /// that waits, and for a node on its way out.
    pub fn is_active(&self) -> bool {
        self.settle()
    }

    /// Tells whether this is one of a pair, of which one waits.
    pub fn is_of_a_pair(&self) -> bool {
        self.election.is_some()
    }

    /// Counts the nodes that serve, this one included, as far as the nodes themselves know. Where they have a control
    /// plane in common, that knows better.
    pub fn live_nodes(&self) -> usize {
        1 + self.others.iter().filter(|other| other.is_up()).count()
    }

    /// Tells whether what the node goes by is older than a minute, as it heard no control plane for as long.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    fn now(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.started)
    }

    /// Finds out whether this node serves now, and tells it where that changed.
    fn settle(&self) -> bool {
        let draining = self.is_draining();
        let Some(election) = &self.election else {
            self.metrics.active.set(i64::from(!draining));
            return !draining;
        };
        let mut election = election.lock();
        if draining {
            election.leave();
        }
        let turn = election.settle(self.now());
        let (is_active, both) = (election.is_active(), election.both_began());
        drop(election);
        if let Some(why) = turn {
            self.metrics.active.set(i64::from(is_active));
            let role = if is_active { "active" } else { "passive" };
            tracing::info!(role, why, "the role of this node changed");
        }
        if both {
            tracing::warn!(
                "both nodes of the pair serve; no request is lost, and limits count for each by itself"
            );
        }
        is_active
    }
}
