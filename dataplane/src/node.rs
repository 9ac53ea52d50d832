//! A node from its settings to its end: build, run, drain.

use crate::{
    account::{Accounts, Ledger, Records},
    admit::Gate,
    attempt::{Attempter, ToldBudgets},
    authenticate::Admission,
    decode::BodyLimits,
    failover::{CONNECT, Failover, FailoverParts, FailoverSettings, Way},
    listen,
    live::{Ground, LeaseWatch, LimitMetrics, Live},
    ops::{AdminToken, Ops, OpsParts, Recent},
    pipeline::Pipeline,
    probe::{Judge, ProbeMetrics, Prober},
    purse::{Journal, Opened},
    sync::{
        ControlLink, HealthWords, Identity, IdentityError, LeaseParts, Leases, Observer, Offered, Reporter,
        Sync, SyncMetrics, SyncParts,
    },
    upstream::{PoolError, UpstreamError, Upstreams},
};
use cliproxy_domain::{ConfigId, NodeId, Snapshot};
use cliproxy_host::{Clock, Disk, Entropy, Listener, Net, Presented, ServeOptions, Tls};
use cliproxy_observe::{access_log::AccessLog, metrics::Metrics};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

/// How a node is set up.
pub struct Settings {
    /// Where clients and operators connect.
    pub listen: SocketAddr,
    /// Where metrics are served alone, and at which path.
    pub metrics: Option<(SocketAddr, String)>,
    /// Who may call.
    pub admission: Admission,
    /// How much a caller may send.
    pub body_limits: BodyLimits,
    /// The limits of connections. The drain is the time that open streams get at the end.
    pub serve: ServeOptions,
    /// Operators' tokens.
    pub admin_tokens: Vec<AdminToken>,
    /// Where control planes are; none for a node that runs alone from its file.
    pub endpoints: Vec<String>,
    /// What the node proves itself to control planes by.
    pub tls: Option<Arc<Tls>>,
    /// The node's name, when the operator gives one. A node with a certificate has the name that is in it.
    pub name: Option<NodeId>,
    /// The version of the program.
    pub build: String,
    /// What to serve until a control plane says otherwise, when the disk holds nothing.
    pub initial: Option<Snapshot>,
    /// How the node stands in for others, if it does.
    pub failover: Option<FailoverSettings>,
}

/// What a node takes from the machine.
#[derive(Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Network.
    pub net: Arc<dyn Net>,
    /// The node's own folder.
    pub disk: Arc<dyn Disk>,
    /// Randomness.
    pub entropy: Entropy,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The node was given another name than its certificate has.
    #[error(
        "the node's name is {name}, and its certificate is of {certified}: control planes would refuse it; leave the \
         name out, or have a certificate signed for it"
    )]
    Name {
        /// The name that the operator gives.
        name: NodeId,
        /// The name in the certificate.
        certified: NodeId,
    },
    /// The TLS library cannot be set up.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The initial configuration cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// A node, ready to run.
pub struct DataPlane {
    clients: Box<dyn Listener>,
    metrics: Option<(Box<dyn Listener>, String)>,
    address: SocketAddr,
    serve: ServeOptions,
    pipeline: Arc<Pipeline>,
    ops: Arc<Ops>,
    sync: Sync,
    prober: Prober,
    judge: Arc<Judge>,
    reporter: Arc<Reporter>,
    recent: Arc<Recent>,
    tls: Option<Arc<Tls>>,
    /// There is no control plane to report to.
    alone: bool,
    leases: Arc<Leases>,
    failover: Arc<Failover>,
}

/// Urgent events that wait for the control plane at most.
const URGENT_QUEUE: usize = 1_024;
/// Records of requests that wait to be sent up at most.
const RECORD_QUEUE: usize = 1_000;
/// How long the last report may take at the end.
const LAST_REPORT: Duration = Duration::from_secs(2);

impl DataPlane {
    /// Binds the listeners, finds out who the node is, and loads the last known good configuration.
    ///
    /// # Errors
    /// When an address is taken, or the data directory cannot be used.
    pub async fn build(
        settings: Settings,
        seams: Seams,
        metrics: Metrics,
        log: AccessLog,
    ) -> Result<Self, BuildError> {
        let Seams { clock, net, disk, entropy } = seams;
        let (clients, address) = listen_on(&net, settings.listen).await?;
        let metrics_listener = match settings.metrics {
            Some((address, path)) => Some((listen_on(&net, address).await?.0, path)),
            None => None,
        };
        let certified = settings.tls.as_ref().map(|tls| tls.own());
        let identity = Identity::next(&*disk, clock.wall(), &entropy, name(settings.name, certified)?)?;
        let first_ticket = xxh3_64(identity.node.as_str().as_bytes());
        let upstreams = Upstreams::new(Arc::clone(&net))?;
        let to_gateways = upstreams.pool(CONNECT);
        let alone = settings.endpoints.is_empty();
        let nodes = nodes(settings.failover.as_ref());
        let Opened { journal, left, unwritten, disbelieved } =
            Journal::open(Arc::clone(&disk), identity.incarnation);
        if let Some(error) = unwritten {
            tracing::warn!(%error, "what is held of quotas is not written down: what a killed process holds comes back with the period's end");
        }
        if disbelieved > 0 {
            tracing::info!(
                disbelieved,
                "what earlier processes wrote of quotas is of another run of the machine"
            );
        }
        let ground = Ground { holder: identity.incarnation, journal, clock: Arc::clone(&clock) };
        let live = Arc::new(Live::new(upstreams, first_ticket).on(ground));
        let (urgent, urgent_events) = mpsc::channel(URGENT_QUEUE);
        let ledger = Arc::new(Ledger::default());
        let sync_metrics = SyncMetrics::registered(&metrics);
        let reporter = Arc::new(Reporter::new(
            Arc::clone(&ledger),
            identity.incarnation,
            sync_metrics.clone(),
            Arc::clone(&clock),
        ));
        let recent = Arc::new(Recent::default());
        if let Some(tls) = &settings.tls {
            metrics.register(|registry| tls.metrics().register(registry));
        }
        let link = Arc::new(ControlLink::new(!alone));
        let failover = Arc::new(Failover::new(FailoverParts {
            settings: settings.failover,
            node: identity.node.clone(),
            live: Arc::clone(&live),
            link: Arc::clone(&link),
            pool: to_gateways,
            metrics: metrics.clone(),
            net: Arc::clone(&net),
            clock: Arc::clone(&clock),
            entropy: entropy.clone(),
        }));
        let (record, record_queue) = mpsc::channel(RECORD_QUEUE);
        let records = Arc::new(Records::new(record));
        let accounts = Accounts::new(
            ledger,
            metrics.clone(),
            log,
            Arc::clone(&records),
            Arc::clone(&live),
            urgent,
            identity.node.clone(),
            Arc::clone(&clock),
            entropy.clone(),
        );
        let accounts = Arc::new(accounts.cut_by(settings.serve.cut.clone()));
        let leases = Arc::new(LeaseWatch::new(alone, clock.now()));
        let limit_metrics = Arc::new(LimitMetrics::registered(&metrics));
        {
            let metrics = Arc::clone(&limit_metrics);
            live.on_adopt(move |snapshot| metrics.retain(snapshot));
        }
        let attempter = Arc::new(Attempter {
            witness: accounts.clone(),
            live: Arc::clone(&live),
            clock: Arc::clone(&clock),
            entropy: entropy.clone(),
            node: identity.node.clone(),
            leases: Arc::clone(&leases),
            limits: Arc::clone(&limit_metrics),
            told: ToldBudgets::default(),
        });
        let observer = Arc::new(Observer::new(Arc::clone(&clock), sync_metrics.clone()));
        let health = Arc::new(HealthWords::new(Arc::clone(&live)));
        let judge =
            Arc::new(Judge::new(Arc::clone(&live), Arc::clone(&health), identity.node.clone(), alone));
        let prober = Prober {
            live: Arc::clone(&live),
            link: Arc::clone(&link),
            observer: Arc::clone(&observer),
            judge: Arc::clone(&judge),
            recent: Arc::clone(&recent),
            node: identity.node.clone(),
            metrics: ProbeMetrics::registered(&metrics),
            clock: Arc::clone(&clock),
            entropy: entropy.clone(),
        };
        let ops = Ops::new(OpsParts {
            tokens: settings.admin_tokens,
            metrics,
            live: Arc::clone(&live),
            link: Arc::clone(&link),
            recent: Arc::clone(&recent),
            judge: Arc::clone(&judge),
            records,
            failover: Arc::clone(&failover),
            node: identity.node.clone(),
            incarnation: identity.incarnation,
            clock: Arc::clone(&clock),
        });
        let pipeline = Pipeline {
            admission: settings.admission,
            body_limits: settings.body_limits,
            live: Arc::clone(&live),
            gate: Gate { live: Arc::clone(&live), clock: Arc::clone(&clock), leases: Arc::clone(&leases) },
            attempter,
            accounts,
            failover: Arc::clone(&failover),
            node: identity.node.clone(),
            clock: Arc::clone(&clock),
            entropy: entropy.clone(),
        };
        let leases = Arc::new(Leases::new(LeaseParts {
            live: Arc::clone(&live),
            left: Some(left),
            watch: leases,
            nodes,
            metrics: limit_metrics,
            clock: Arc::clone(&clock),
            entropy: entropy.clone(),
        }));
        let sync = Sync::build(SyncParts {
            endpoints: settings.endpoints,
            identity,
            build: settings.build,
            listen: address,
            live: Arc::clone(&live),
            reporter: Arc::clone(&reporter),
            urgent: urgent_events,
            records: record_queue,
            observer,
            health,
            leases: Arc::clone(&leases),
            link,
            metrics: sync_metrics,
            tls: settings.tls.clone(),
            net,
            clock: Arc::clone(&clock),
            disk,
            entropy,
        });
        // The file is the start of a node that has nothing better: what a control plane said last is newer than it.
        // A node that runs alone has nobody who would ever mend that.
        if let Some(initial) = settings.initial.filter(|_| alone || live.known().is_none()) {
            live.adopt(ConfigId(0), initial)?;
        }
        Ok(Self {
            clients,
            metrics: metrics_listener,
            address,
            serve: settings.serve,
            pipeline: Arc::new(pipeline),
            ops: Arc::new(ops),
            sync,
            prober,
            judge,
            reporter,
            recent,
            tls: settings.tls,
            alone,
            leases,
            failover,
        })
    }

    /// Puts in force what the control plane of this same process offers. What the disk holds may be older, and no request
    /// is to be answered by that while there is better. Use it before [`DataPlane::run`].
    pub fn begin_with(&mut self, offered: Offered) {
        self.sync.begin_with(offered);
    }

    /// Gives the address that clients connect to, with the port that was found for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the node's name.
    pub fn node(&self) -> &NodeId {
        &self.pipeline.node
    }

    /// Gives what the node knows, for a composition root that feeds a node without a control plane.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.pipeline.live)
    }

    /// Gives what is told when the node wants the credentials of a provider to be read again from where they live: it
    /// does so where it runs alone and a provider does not answer.
    pub fn reload_wanted(&self) -> Arc<Notify> {
        self.judge.reload_wanted()
    }

    /// Serves until `shutdown`, then drains open requests and reports what was counted. Gives the number of
    /// connections that were cut.
    pub async fn run(self, shutdown: CancellationToken) -> usize {
        let (stop_sync, stop_metrics) = (CancellationToken::new(), CancellationToken::new());
        let sync = self.sync.run(stop_sync.clone(), Arc::clone(&self.recent), self.judge);
        let (sync, prober) = (tokio::spawn(sync), tokio::spawn(self.prober.run(stop_sync.clone())));
        let certificates = self.tls.map(|tls| {
            let stop = stop_sync.clone();
            tokio::spawn(async move { tls.follow(stop).await })
        });
        let metrics = self.metrics.map(|(listener, path)| {
            tokio::spawn(listen::metrics(listener, path, stop_metrics.clone(), Arc::clone(&self.ops)))
        });
        let (stop_failover, failover) = (CancellationToken::new(), Arc::clone(&self.failover));
        let failing_over = {
            let stop = stop_failover.clone();
            tokio::spawn(async move { failover.run(stop).await })
        };
        let ops = Arc::clone(&self.ops);
        let unready = {
            let shutdown = shutdown.clone();
            async move {
                shutdown.cancelled().await;
                ops.drain();
            }
        };
        let (cut, ()) = tokio::join!(
            listen::clients(self.clients, self.serve, shutdown, self.pipeline, self.ops),
            unready
        );
        stop_failover.cancel();
        // It ends by its token, once the role is given up.
        let _ = failing_over.await;
        // All requests have ended: what they used goes up before the session does.
        self.reporter.close_last_window(&self.recent);
        self.leases.close();
        let settled = async {
            while !(self.reporter.is_settled() && self.leases.is_closed()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if !self.alone && tokio::time::timeout(LAST_REPORT, settled).await.is_err() {
            tracing::warn!(
                "the last usage, or what was held of limits, was not acknowledged before the node stopped"
            );
        }
        stop_sync.cancel();
        stop_metrics.cancel();
        // They end by their tokens; a panic in one was logged by the runtime.
        let _ = tokio::join!(sync, prober);
        for task in [metrics, certificates].into_iter().flatten() {
            let _ = task.await;
        }
        cut
    }
}

/// Gives between how many nodes limits are divided, as far as the configuration of this one tells.
fn nodes(failover: Option<&FailoverSettings>) -> u32 {
    match failover.map(|settings| &settings.way) {
        Some(Way::Equals { peers }) => u32::try_from(peers.len()).unwrap_or(u32::MAX).saturating_add(1),
        // Of a pair, one serves.
        Some(Way::Pair { .. }) | None => 1,
    }
}

/// Gives the name that the node is to have: what its certificate says, where it has one.
fn name(given: Option<NodeId>, certified: Option<Presented>) -> Result<Option<NodeId>, BuildError> {
    let certified = certified.map(|own| NodeId::from(own.identity.name()));
    match (given, certified) {
        (Some(name), Some(certified)) if name != certified => Err(BuildError::Name { name, certified }),
        (given, certified) => Ok(certified.or(given)),
    }
}

async fn listen_on(
    net: &Arc<dyn Net>,
    address: SocketAddr,
) -> Result<(Box<dyn Listener>, SocketAddr), BuildError> {
    let failed = |error| BuildError::Listen { address, error };
    let listener = net.listen(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
