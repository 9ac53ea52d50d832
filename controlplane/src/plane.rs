//! The parts put together: build, run, and the handle through which a configuration comes in.

mod apply;
mod doorstep;
mod shared;
mod upkeep;
mod watchdog;

pub use apply::{Applied, Handle, Proposal};
pub use doorstep::Doorstep;

use crate::{
    certificates::Certificates,
    configurations::Configurations,
    decide::{self, Decide, Decided, Log},
    error::Error,
    grant::{self, Grants},
    grpc,
    http::{self, access::Access},
    ingest::{self, Ingest},
    lead::{self, Candidate, Lead},
    metrics::PlaneMetrics,
    operations::{self, Operations},
    publish::Publish,
    replicas::{self, Me, Replicas, Wanted},
    settings::Settings,
    state::{State, Term},
};
use axum::{Router, middleware};
use cliproxy_domain::ReplicaId;
use cliproxy_host::{Clock, Listener, Net, ServeOptions, Tls, serve, serve_tls};
use cliproxy_observe::Metrics;
use cliproxy_store::Store;
use hyper::{Request, body::Incoming, service::service_fn};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// A control plane that listens but does not answer yet.
pub struct ControlPlane {
    settings: Settings,
    state: Arc<State>,
    metrics: PlaneMetrics,
    all_metrics: Metrics,
    operators: Box<dyn Listener>,
    nodes: Box<dyn Listener>,
    addresses: Addresses,
    handle: Handle,
    publish: Arc<Publish>,
    decide: Decide,
    decided: mpsc::Receiver<Decided>,
    reload: Arc<Notify>,
    configurations: Option<Arc<dyn Configurations>>,
}

/// Where a control plane listens, with the ports that were found for port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For operators: REST and gRPC.
    pub operators: SocketAddr,
    /// For nodes: gRPC.
    pub nodes: SocketAddr,
}

impl ControlPlane {
    /// Reads the state from the store and starts to listen.
    ///
    /// # Errors
    ///
    /// Fails when the store does not answer, when an address cannot be listened on, and when nodes would be
    /// listened for in the clear on other than a loopback address without the operator's word.
    pub async fn build(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        net: Arc<dyn Net>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let doorstep = Doorstep::open(&settings, &*net).await?;
        Self::build_behind(doorstep, settings, store, clock, net, metrics).await
    }

    /// Builds as [`ControlPlane::build`] does, where operators are listened for already.
    ///
    /// # Errors
    ///
    /// As [`ControlPlane::build`].
    pub async fn build_behind(
        doorstep: Doorstep,
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        net: Arc<dyn Net>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let Doorstep { operators, at: operators_at } = doorstep;
        let state = Arc::new(State::load(store, clock).await?);
        let (nodes, nodes_at) = listen(&*net, "control_plane.nodes_listen", settings.nodes_listen).await?;
        let plane_metrics = PlaneMetrics::new();
        metrics.register(|registry| plane_metrics.register(registry));
        if let Some(tls) = &settings.tls {
            metrics.register(|registry| tls.metrics().register(registry));
        }
        let (publish, reload) = (Arc::<Publish>::default(), Arc::<Notify>::default());
        let (decide, decided) = Decide::new(
            Arc::clone(&state),
            Arc::clone(&publish),
            plane_metrics.clone(),
            Arc::clone(&reload),
            settings.entropy.clone(),
        );
        Ok(Self {
            handle: Handle::new(Arc::clone(&state), plane_metrics.clone(), decide.ids().clone()),
            addresses: Addresses { operators: operators_at, nodes: nodes_at },
            metrics: plane_metrics,
            all_metrics: metrics.clone(),
            settings,
            state,
            operators,
            nodes,
            publish,
            decide,
            decided,
            reload,
            configurations: None,
        })
    }

    /// Tells where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Gives the way in for configurations. Use it before [`ControlPlane::run`] as well: nodes that connect then
    /// find one.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Lets operators see and change the configuration. Without it they are told that there is none.
    pub fn with_configurations(mut self, configurations: Arc<dyn Configurations>) -> Self {
        self.configurations = Some(configurations);
        self
    }

    /// Gives what is told when a provider that does not answer is recovered: credentials should then be read anew from
    /// where they live, and the configuration be applied again when one has changed.
    pub fn reload_wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.reload)
    }

    /// Answers until `shutdown` is cancelled, then asks the nodes to go to other replicas, where there are any, and gives
    /// them five seconds; ends the streams that are left, finishes what operators asked and commits what was reported,
    /// within twice the drain time.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { settings, state, metrics, publish, decide, decided, operators, nodes, .. } = self;
        let (all_metrics, configurations) = (self.all_metrics, self.configurations);
        let (ingest, submissions) = Ingest::new();
        let (grants, asked) = Grants::new();
        let give_up = CancellationToken::new();
        let committers = TaskTracker::new();
        let log =
            Log::new(Arc::clone(&state), Arc::clone(&publish), decide.memory().clone(), metrics.clone());
        let log = Arc::new(log);
        let ingesting =
            committers.spawn(ingest::run(submissions, Arc::clone(&state), metrics.clone(), give_up.clone()));
        committers.spawn(decide::run(
            decided,
            Arc::clone(&state),
            Arc::clone(&log),
            metrics.clone(),
            give_up.clone(),
        ));
        committers.spawn(grant::run(asked, Arc::clone(&state), metrics.clone(), give_up.clone()));
        // These have senders of decisions, which go with them, before those that store them are waited for.
        committers.spawn(upkeep::run(Arc::clone(&state), decide.clone(), metrics.clone(), shutdown.clone()));
        let settled = CancellationToken::new();
        let replica = ReplicaId::from(format!("{}:{:016x}", settings.cp_id, settings.entropy.next_u64()));
        let jobs = Lead {
            state: Arc::clone(&state),
            publish: Arc::clone(&publish),
            decide: decide.clone(),
            metrics: metrics.clone(),
            term: Term { fence: None },
        };
        let candidate = Candidate {
            replica: replica.clone(),
            entropy: settings.entropy.clone(),
            settled: settled.clone(),
        };
        let leading = committers.spawn(lead::run(jobs, candidate, shutdown.clone()));
        let name = settings.cp_id.clone();
        let replicas = Replicas {
            state: Arc::clone(&state),
            publish: Arc::clone(&publish),
            decide: decide.clone(),
            log: Arc::clone(&log),
            metrics: metrics.clone(),
            configurations: configurations.clone(),
            me: Me { replica: replica.clone(), name, advertise_url: settings.advertise_url.clone() },
            settled,
            wanted: Wanted::default(),
            leaving: shutdown.clone(),
        };
        // The others are followed until the last node has gone and what it said is committed, which is when nobody can
        // hand in anything more. The last post comes after that, and after the lease was given up.
        let all_is_said = CancellationToken::new();
        committers.spawn(replicas::run(replicas, all_is_said.clone()));
        committers.spawn(async move {
            let _ = (leading.await, ingesting.await);
            all_is_said.cancel();
        });
        let certificates = Certificates::new(settings.tls.clone());
        let context = grpc::Context {
            state: Arc::clone(&state),
            publish,
            ingest,
            grants,
            decide,
            metrics: metrics.clone(),
            cp_id: settings.cp_id.as_str().into(),
            sessions: Arc::default(),
            admission: grpc::Admission::new(
                settings.resumes_at_once,
                settings.entropy.clone(),
                metrics.clone(),
            ),
            entropy: settings.entropy.clone(),
            max_connection_age: settings.max_connection_age,
            leaving: CancellationToken::new(),
            closing: CancellationToken::new(),
            streams: TaskTracker::new(),
        };
        let drain = settings.drain;
        let operations = Operations::new(operations::Parts {
            state,
            decide: context.decide.clone(),
            log,
            metrics,
            entropy: settings.entropy.clone(),
            replica,
            configurations,
            certificates,
        });
        serve_all(settings, context, operations, all_metrics, operators, nodes, shutdown).await;

        // The services are gone and with them the senders: what was handed in is committed and the loops end.
        committers.close();
        if tokio::time::timeout(drain, committers.wait()).await.is_err() {
            tracing::warn!(
                "the store did not answer during the shutdown; nodes send again what it did not take"
            );
            give_up.cancel();
            committers.wait().await;
        }
    }
}

async fn listen(
    net: &dyn Net,
    key: &'static str,
    address: SocketAddr,
) -> Result<(Box<dyn Listener>, SocketAddr), Error> {
    let failed = |source| Error::Listen { key, address, source };
    let listener = net.listen(address).await.map_err(failed)?;
    let found = listener.local_addr().map_err(failed)?;
    Ok((listener, found))
}

/// Serves both listeners until they are drained, and keeps an eye on the store meanwhile.
async fn serve_all(
    settings: Settings,
    context: grpc::Context,
    operations: Operations,
    all_metrics: Metrics,
    operators: Box<dyn Listener>,
    nodes: Box<dyn Listener>,
    shutdown: CancellationToken,
) {
    let health = tonic_health::server::HealthReporter::new();
    let access = Arc::new(Access::new(settings.admin_tokens));
    let grpc = grpc::for_operators(operations.clone(), health.clone()).into_axum_router();
    let for_operators = http::over(grpc, operations.clone(), all_metrics)
        .layer(middleware::from_fn_with_state(access, http::access::check));
    let relayed = http::for_relay(operations);
    let for_nodes = grpc::for_nodes(&context, relayed, health.clone()).into_axum_router();
    let streams = context.streams.clone();
    let (state, metrics) = (Arc::clone(&context.state), context.metrics.clone());
    // Nodes go elsewhere first, where there is an elsewhere; what they have open here ends after that.
    let closing = context.closing.clone();
    let leaving = {
        let (shutdown, closing) = (shutdown.clone(), closing.clone());
        // The streams' senders live in the services, in their tasks, and here until then.
        async move {
            grpc::shed(&context, &shutdown).await;
            grpc::leave(&context).await;
            closing.cancel();
        }
    };

    let node_options = ServeOptions {
        http2_keep_alive: Some(settings.node_keep_alive),
        drain: settings.drain,
        ..ServeOptions::default()
    };
    let operator_options = ServeOptions { drain: settings.drain, ..ServeOptions::default() };
    let (cut_operators, cut_nodes, (), ()) = tokio::join!(
        serve_router(operators, operator_options, shutdown.clone(), for_operators),
        serve_nodes(nodes, settings.tls, node_options, closing, for_nodes),
        watchdog::run(state, metrics, health, shutdown),
        leaving,
    );
    if cut_operators + cut_nodes > 0 {
        tracing::warn!(cut_operators, cut_nodes, "connections outlasted the drain time and were closed");
    }
    streams.close();
    streams.wait().await;
}

/// Serves a router on one listener; each request carries its [`cliproxy_host::Peer`].
async fn serve_router(
    listener: Box<dyn Listener>,
    options: ServeOptions,
    shutdown: CancellationToken,
    router: Router,
) -> usize {
    serve(listener, options, shutdown, move |peer| {
        let router = router.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request)
        })
    })
    .await
}

/// Serves nodes: over TLS, where each request carries what the node's certificate says, and the files of the
/// certificates are followed meanwhile; in the clear without.
async fn serve_nodes(
    listener: Box<dyn Listener>,
    tls: Option<Arc<Tls>>,
    options: ServeOptions,
    shutdown: CancellationToken,
    router: Router,
) -> usize {
    let Some(tls) = tls else { return serve_router(listener, options, shutdown, router).await };
    let serving = serve_tls(listener, Arc::clone(&tls), options, shutdown.clone(), move |peer, presented| {
        let router = router.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(Arc::clone(&presented));
            router.clone().oneshot(request)
        })
    });
    tokio::join!(serving, tls.follow(shutdown)).0
}

#[cfg(test)]
mod tests;
