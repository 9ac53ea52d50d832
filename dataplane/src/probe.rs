//! Asks providers whether they are well.
//!
//! The control plane assigns each provider to one node, so that probes are sent once for the cluster; what they find
//! goes up to it. A node that is cut off, or runs alone, asks all its providers itself, the more seldom the more nodes
//! there were, and goes by what it finds.

mod ask;
mod duty;
mod judge;
mod keys;
mod metrics;

pub use judge::Judge;
pub use metrics::ProbeMetrics;

use crate::{
    live::{Known, Live},
    ops::Recent,
    sync::{ControlLink, Observer},
};
use ask::{Found, ask};
use cliproxy_domain::{NodeId, ProbeReport, ProviderName};
use cliproxy_host::{Clock, Entropy};
use duty::Duties;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What probing needs.
pub struct Prober {
    /// What the node knows.
    pub live: Arc<Live>,
    /// Whether a control plane is there.
    pub link: Arc<ControlLink>,
    /// Where what was found goes up.
    pub observer: Arc<Observer>,
    /// Who goes by it while nobody is there to take it.
    pub judge: Arc<Judge>,
    /// What operators are told of it.
    pub recent: Arc<Recent>,
    /// The node's name.
    pub node: NodeId,
    /// What is shown of it.
    pub metrics: ProbeMetrics,
    /// The seams.
    pub clock: Arc<dyn Clock>,
    /// For jitter.
    pub entropy: Entropy,
}

/// How often it is looked at who probes what, at the least.
const LOOK: Duration = Duration::from_millis(500);
/// What changes together is looked at together: reports of failures come by the hundred.
const GATHER: Duration = Duration::from_millis(20);
/// How long a node that starts waits for its control plane to say who probes, before it probes by itself.
const FIRST_WORD: Duration = Duration::from_secs(5);

impl Prober {
    /// Probes until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.probe_in_turn() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn probe_in_turn(&self) {
        let (mut duties, mut probes, mut last) =
            (Duties::default(), JoinSet::new(), BTreeMap::<ProviderName, bool>::new());
        let mut hints = self.live.subscribe_hints();
        let started = self.clock.now();
        loop {
            let now = self.clock.now();
            let by_itself = self.link.is_alone()
                || (self.live.is_cut_off() && now.saturating_duration_since(started) >= FIRST_WORD);
            self.begin(&mut duties, &mut probes, by_itself, now);
            let next = duties.next().map_or(now + LOOK, |due| due.min(now + LOOK));
            tokio::select! {
                () = async {
                    // The sender lives as long as what the node knows does.
                    let _ = hints.changed().await;
                    tokio::time::sleep(GATHER).await;
                } => {}
                () = tokio::time::sleep_until(tokio::time::Instant::from_std(next)) => {}
                Some(ended) = probes.join_next() => {
                    // A probe does not panic; were it to, its provider would be asked no more.
                    if let Ok(Ended { provider, found }) = ended {
                        duties.ended(&provider);
                        let before = last.insert(provider.clone(), found.healthy);
                        self.found(provider, found, before);
                    }
                }
            }
        }
    }

    /// Sends the probes that are due.
    fn begin(&self, duties: &mut Duties, probes: &mut JoinSet<Ended>, by_itself: bool, now: Instant) {
        let Some(known) = self.live.known() else { return };
        let draw = || self.entropy.fraction();
        duties.assign(&known.snapshot, &self.live.assignments(), &self.node, by_itself, now, draw);
        self.judge.keep_pace(duties.node_count());
        self.metrics.assigned.set(i64::try_from(duties.len()).unwrap_or(i64::MAX));
        for provider in self.judge.heal(self.clock.wall()) {
            duties.at_once(&provider, now);
        }
        for (provider, turn) in duties.take_due(&known.snapshot.policy.health_check, now, draw) {
            probes.spawn(probe(Arc::clone(&known), provider, turn, Arc::clone(&self.clock)));
        }
    }

    /// Tells who should know what a probe found; `before` is what the one before it found.
    fn found(&self, provider: ProviderName, found: Found, before: Option<bool>) {
        self.metrics.count(&provider, found.healthy);
        let report = ProbeReport {
            node: self.node.clone(),
            provider,
            healthy: found.healthy,
            http_status: found.http_status,
            error_type: found.error_type.to_owned(),
            took: found.took,
            age: Duration::ZERO,
        };
        let news = before != Some(report.healthy);
        if news {
            tracing::info!(provider = %report.provider, healthy = report.healthy, status = report.http_status,
                error_type = report.error_type, "a health probe found something new");
        }
        let now = self.clock.wall();
        self.recent.probe(&report.provider, report.healthy, now);
        self.judge.probe(&report, now);
        self.observer.probe(report, news);
    }
}

struct Ended {
    provider: ProviderName,
    found: Found,
}

/// Asks one provider, with the connections and keys of the configuration in force when it began.
async fn probe(known: Arc<Known>, provider: ProviderName, turn: usize, clock: Arc<dyn Clock>) -> Ended {
    let timeout = known.snapshot.policy.health_check.timeout;
    let found = match known.upstream(&provider) {
        Some(upstream) => {
            let outlook = known.outlook();
            let credentials =
                outlook.provider(provider.as_str()).map(|seen| keys::in_turn(seen, turn, clock.wall()));
            ask(upstream, &credentials.unwrap_or_default(), timeout, &*clock).await
        }
        None => Found::failed("no_target", Duration::ZERO),
    };
    Ended { provider, found }
}
