//! The node under test and a client of it.

use crate::network::MemoryNet;
use cliproxy_dataplane::{
    DataPlane, FailoverSettings, Seams, Settings, authenticate::Admission, decode::BodyLimits, live::Live,
};
use cliproxy_domain::{
    Alias, AliasTarget, BudgetId, ConfigId, Cooldown, CooldownDurations, Credential, HealthCheck, Hint,
    ModelName, Provider, ProviderKind, RateId, Secret, Snapshot, Target, Timeouts, WallTime,
};
use cliproxy_host::{Clock, Entropy, MemoryDisk, ServeOptions, SystemClock};
use cliproxy_observe::{access_log::AccessLog, metrics::Metrics};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A clock whose wall time passes with the paused one.
struct StoryClock {
    started: Instant,
}

impl Default for StoryClock {
    fn default() -> Self {
        Self { started: SystemClock.now() }
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        // 2026-11-01T12:00:00Z
        WallTime(1_793_534_400_000).plus(self.now() - self.started)
    }
}

/// A running node.
pub struct Node {
    net: MemoryNet,
    metrics: Metrics,
    live: Arc<Live>,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<usize>,
}

/// A provider on the host of its own name, that takes every model.
pub fn provider(name: &str, kind: ProviderKind) -> Provider {
    Provider {
        name: name.into(),
        kind,
        base_url: format!("http://{name}"),
        credentials: vec![Credential::new("main", Secret::new("upstream-key"))],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    }
}

/// A provider with these credentials, whose names are their keys.
pub fn with_keys(name: &str, keys: &[&str]) -> Provider {
    let credential = |key: &&str| Credential::new(*key, Secret::new(*key));
    Provider { credentials: keys.iter().map(credential).collect(), ..provider(name, ProviderKind::OpenAi) }
}

/// A configuration in which the alias `m` takes turns among `providers`.
pub fn equals(providers: Vec<Provider>) -> Snapshot {
    let mut snapshot = in_turn(providers);
    let alias = snapshot.models.get_mut("m").expect("the alias");
    alias.targets.iter_mut().for_each(|target| target.priority = Some(1));
    snapshot
}

/// A configuration in which the alias `m` goes to each of `providers`, the first first.
pub fn in_turn(providers: Vec<Provider>) -> Snapshot {
    let targets = providers.iter().zip(1..).map(|(provider, priority)| AliasTarget {
        target: Target { provider: provider.name.clone(), model: "up".into() },
        priority: Some(priority),
        weight: None,
    });
    let alias = Alias { name: ModelName::from("m"), targets: targets.collect(), strategy: None };
    let mut snapshot = Snapshot::default();
    snapshot.models.insert(alias.name.clone(), alias);
    snapshot.providers = providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect();
    snapshot
}

impl Node {
    /// Starts a node without a control plane.
    pub async fn start(net: &MemoryNet, snapshot: Snapshot) -> Self {
        Self::start_among(net, snapshot, None).await
    }

    /// Starts a node without a control plane that stands in for others.
    pub async fn start_among(
        net: &MemoryNet,
        snapshot: Snapshot,
        failover: Option<FailoverSettings>,
    ) -> Self {
        Self::start_with(net, snapshot, failover, &[]).await
    }

    /// Starts a node that stands in for others, and whose control planes are at `endpoints`, or nowhere.
    pub async fn start_with(
        net: &MemoryNet,
        snapshot: Snapshot,
        failover: Option<FailoverSettings>,
        endpoints: &[&str],
    ) -> Self {
        let metrics = Metrics::new();
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            metrics: None,
            admission: Admission { allow_anonymous: false },
            body_limits: BodyLimits { max_body: 1 << 20, idle: Duration::from_secs(30) },
            serve: ServeOptions::default(),
            admin_tokens: Vec::new(),
            endpoints: endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect(),
            tls: None,
            name: Some("node-1".into()),
            build: "test".into(),
            initial: Some(snapshot),
            failover,
        };
        let seams = Seams {
            clock: Arc::new(StoryClock::default()),
            net: Arc::new(net.clone()),
            disk: Arc::new(MemoryDisk::default()),
            entropy: Entropy::seeded(1),
        };
        let plane = DataPlane::build(settings, seams, metrics.clone(), AccessLog::discarding());
        let plane = plane.await.expect("the node can be built");
        let (live, shutdown) = (plane.live(), CancellationToken::new());
        let running = tokio::spawn(plane.run(shutdown.clone()));
        Self { net: net.clone(), metrics, live, shutdown, running }
    }

    /// Puts another configuration in force.
    pub fn adopt(&self, snapshot: Snapshot) {
        self.live.adopt(ConfigId(0), snapshot).expect("the providers can be called");
    }

    /// Begins a request on a connection of its own.
    pub async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(self.net.dial()));
        let (mut sender, connection) = handshake.await.expect("a connection");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("an answer")
    }

    /// Makes a request and reads all of its answer.
    pub async fn ask(&self, path: &str, body: &str) -> Answer {
        Answer::read(self.open(post(path, body)).await).await
    }

    /// Asks for a document of the node's own.
    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", "gateway").body(Full::default());
        Answer::read(self.open(request.expect("a request")).await).await
    }

    /// Has the node hear that something rests.
    pub fn hears(&self, rest: Cooldown) {
        let now = rest.started_at;
        self.live.hint(Hint::Cooldown(rest), now);
    }

    /// Gives the word on what is named as `provider`, `provider/credential` or `provider/credential/model`.
    pub fn rest(&self, subject: &str) -> Option<Cooldown> {
        self.live.hints().into_iter().find_map(|hint| match hint {
            Hint::Cooldown(rest) if rest.key.to_string() == subject => Some(rest),
            _ => None,
        })
    }

    /// Gives the value of one series of `/metrics`, 0 when it is not there.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// Gives what is spent of a budget, and what of it is left in hand.
    pub fn spent(&self, id: &BudgetId) -> (u64, i64) {
        let limits = self.live.limits();
        let purse = limits.budget(id).expect("the budget is configured");
        purse.state(SystemClock.passed()).map_or((0, 0), |state| (state.spent, state.balance))
    }

    /// Gives how much of a rate the node may use now.
    pub fn share(&self, id: &RateId) -> u64 {
        let limits = self.live.limits();
        limits.rate(id).expect("the rate is configured").state(SystemClock.passed()).share
    }

    /// Gives all metrics as they are shown.
    pub fn metrics(&self) -> String {
        self.metrics.encode()
    }

    /// Stops the node; gives how many connections were cut.
    pub async fn stop(self) -> usize {
        self.shutdown.cancel();
        self.running.await.expect("no panic")
    }
}

/// A request as a client of any API sends it.
pub fn post(path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "gateway")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("a request")
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// What came of the body.
    pub body: String,
    /// Whether the body ended as HTTP says that it must.
    pub complete: bool,
}

impl Answer {
    pub async fn read(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut text, mut complete) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => text.extend_from_slice(frame.data_ref().expect("no trailers")),
                Err(_) => {
                    complete = false;
                    break;
                }
            }
        }
        let body = String::from_utf8(text).expect("UTF-8");
        Self { status: head.status, headers: head.headers, body, complete }
    }
}
