//! How the node stands among others, as metrics.

use cliproxy_observe::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

/// Shown as `cliproxy_active`, `cliproxy_peer_up`, `cliproxy_forwarded_total` and `cliproxy_peer_hints_total`.
#[derive(Clone, Debug, Default)]
pub(super) struct FailoverMetrics {
    /// 1 while load balancers should send requests here.
    pub(super) active: Gauge,
    peer_up: Family<PeerLabels, Gauge>,
    forwarded: Family<ResultLabels, Counter>,
    hints: Family<ResultLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What became of a request that this node could not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    /// The backup answered it.
    Answered,
    /// The backup could not serve it either.
    Refused,
    /// The backup was not reached.
    Unreachable,
    /// The backup was not asked, as its last check had failed.
    Unhealthy,
}

/// What became of rests that nodes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// The other node took them.
    Told,
    /// The other node was not reached, or did not take them.
    Failed,
    /// The other node's were taken here.
    Heard,
    /// They came from somewhere else than a peer.
    Denied,
}

impl Forwarding {
    const ALL: [Self; 4] = [Self::Answered, Self::Refused, Self::Unreachable, Self::Unhealthy];

    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Telling {
    const ALL: [Self; 4] = [Self::Told, Self::Failed, Self::Heard, Self::Denied];

    fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Failed => "failed",
            Self::Heard => "heard",
            Self::Denied => "denied",
        }
    }
}

impl FailoverMetrics {
    /// Makes the metrics and registers them.
    pub(super) fn registered(metrics: &Metrics) -> Self {
        let this = Self::default();
        metrics.register(|registry| {
            registry.register(
                "active",
                "1 while this node should be sent requests: 0 on the node of a pair that waits, and on one that drains",
                this.active.clone(),
            );
            registry.register(
                "peer_up",
                "1 while another node counts as there, by the checks of its health",
                this.peer_up.clone(),
            );
            registry.register(
                "forwarded",
                "Requests that this node could not serve itself, by what became of them at the backup",
                this.forwarded.clone(),
            );
            registry.register(
                "peer_hints",
                "Messages about rests between nodes without a control plane in common, by what became of them",
                this.hints.clone(),
            );
        });
        // A counter that is there before its first event is seen to rise by that.
        for forwarding in Forwarding::ALL {
            this.forwarded.get_or_create(&ResultLabels { result: forwarding.as_str() }).inc_by(0);
        }
        for telling in Telling::ALL {
            this.hints.get_or_create(&ResultLabels { result: telling.as_str() }).inc_by(0);
        }
        this
    }

    /// Gives what shows whether a node is there.
    pub(super) fn peer(&self, url: &str) -> Gauge {
        self.peer_up.get_or_create_owned(&PeerLabels { peer: url.to_owned() })
    }

    pub(super) fn forwarded(&self, result: Forwarding) {
        self.forwarded.get_or_create(&ResultLabels { result: result.as_str() }).inc();
    }

    pub(super) fn hints(&self, result: Telling) {
        self.hints.get_or_create(&ResultLabels { result: result.as_str() }).inc();
    }
}
