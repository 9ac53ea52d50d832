//! The node under test.

use crate::network::MemoryNet;
use bytes::Bytes;
use cliproxy_dataplane::{
    DataPlane, Offered, Seams, Settings, authenticate::Admission, decode::BodyLimits, live::Live,
};
use cliproxy_domain::{
    Credential, HealthState, ModelPattern, Provider, ProviderKind, Secret, Snapshot, Timeouts, WallTime,
};
use cliproxy_host::{Clock, Entropy, MemoryDisk, ServeOptions, SystemClock};
use cliproxy_observe::{access_log::AccessLog, metrics::Metrics};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The longest that anything here takes, on the paused clock.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A clock whose calendar stands still with the rest of it.
#[derive(Clone, Copy)]
pub struct PausedClock;

impl Clock for PausedClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        static START: LazyLock<Instant> = LazyLock::new(|| SystemClock.now());
        // Each test is a process of its own, or begins a little later.
        WallTime(1_800_000_000_000).plus(SystemClock.now().saturating_duration_since(*START))
    }
}

/// A configuration with a provider on the host of each name, all of whose health is checked every ten seconds.
pub fn configuration(names: &[&str]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let check = &mut snapshot.policy.health_check;
    (check.enabled, check.interval, check.timeout) = (true, Duration::from_secs(10), Duration::from_secs(2));
    for name in names {
        let provider = Provider {
            name: (*name).into(),
            kind: ProviderKind::OpenAi,
            base_url: format!("http://{name}"),
            credentials: vec![Credential::new("main", Secret::new(format!("sk-{name}")))],
            models: vec![ModelPattern::new("*")],
            weight: 1,
            priority: 1,
            timeouts: Timeouts::default(),
            profile: None,
            traits: Vec::new(),
            cooldown: Default::default(),
            health_check: Default::default(),
            quota: None,
            prices: Vec::new(),
        };
        snapshot.providers.insert(provider.name.clone(), provider);
    }
    snapshot
}

/// A running node named `me`.
pub struct Node {
    net: MemoryNet,
    metrics: Metrics,
    pub live: Arc<Live>,
    pub reload_wanted: Arc<Notify>,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<usize>,
}

impl Node {
    /// Starts a node that is configured by the control planes at `endpoints`, or, where there is none, by `initial`.
    pub async fn start(
        net: &MemoryNet,
        disk: &MemoryDisk,
        endpoints: &[&str],
        initial: Option<Snapshot>,
    ) -> Self {
        Self::start_with(net, disk, endpoints, initial, None).await
    }

    /// Starts a node likewise, that begins with what the control plane of its own process offers.
    pub async fn start_with(
        net: &MemoryNet,
        disk: &MemoryDisk,
        endpoints: &[&str],
        initial: Option<Snapshot>,
        offered: Option<Offered>,
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
            name: Some("me".into()),
            build: "test".into(),
            initial,
            failover: None,
        };
        let seams = Seams {
            clock: Arc::new(PausedClock),
            net: Arc::new(net.clone()),
            disk: Arc::new(disk.clone()),
            entropy: Entropy::seeded(1),
        };
        let plane = DataPlane::build(settings, seams, metrics.clone(), AccessLog::discarding());
        let mut plane = plane.await.expect("the node can be built");
        if let Some(offered) = offered {
            plane.begin_with(offered);
        }
        let (live, reload_wanted) = (plane.live(), plane.reload_wanted());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(plane.run(shutdown.clone()));
        Self { net: net.clone(), metrics, live, reload_wanted, shutdown, running }
    }

    /// Asks for an operation; gives the status and the answer.
    pub async fn operate(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let path = format!("/v0/operations/{path}");
        let (status, text) = self.request(method, &path, body).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn open(&self, method: &str, path: &str, body: &str) -> Response<Incoming> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(self.net.dial()));
        let (mut sender, connection) = handshake.await.expect("a connection");
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "gateway");
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
        sender.send_request(request).await.expect("an answer")
    }

    /// Makes a request on a connection of its own; gives the status and the body.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.open(method, path, body).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("the answer's end").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    /// Has a client ask `model` for an answer; gives the status.
    pub async fn chat(&self, model: &str) -> u16 {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        self.request("POST", "/v1/chat/completions", &body).await.0
    }

    /// Asks for the list of models; gives what the answer says of the configuration, and of the control plane.
    pub async fn signed(&self) -> (Option<String>, Option<String>) {
        let answer = self.open("GET", "/v1/models", "").await;
        let header = |name: &str| Some(answer.headers().get(name)?.to_str().expect("ASCII").to_owned());
        (header("x-cliproxy-config"), header("x-cliproxy-control-plane"))
    }

    /// Has a client ask `model` in vain; gives the request's id.
    pub async fn failed_chat(&self, model: &str) -> String {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let answer = self.open("POST", "/v1/chat/completions", &body).await;
        assert!(answer.status().is_server_error(), "{}", answer.status());
        let id = answer.headers().get("x-request-id").expect("every answer has one").to_str().expect("ASCII");
        let id = id.to_owned();
        answer.into_body().collect().await.expect("the answer's end");
        id
    }

    /// Gives the node's word on a provider's health.
    pub fn health(&self, provider: &str) -> HealthState {
        let healths = self.live.healths();
        let known = healths.iter().find(|health| health.provider.as_str() == provider);
        known.map_or(HealthState::Unknown, |health| health.state)
    }

    /// Gives the value of one series of `/metrics`, 0 when it is not there.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// Kills the node in the middle of what it does.
    pub fn die(self) {
        self.running.abort();
    }

    /// Stops the node in order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("no panic");
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "in vain waited for: {what}");
}

/// Lets time pass in which nothing is to happen.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
