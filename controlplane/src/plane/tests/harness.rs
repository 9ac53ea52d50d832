//! The verbs of the stories.

pub(super) use super::things::*;

use super::texts::Texts;
use crate::{
    ControlPlane, Handle, Settings, decide::Decide, metrics::PlaneMetrics, plane::Addresses, state::State,
};
use cliproxy_domain::{AuditQuery, ConfigId, Cooldown, Hint, HistoryId, Snapshot, WallTime};
use cliproxy_host::{Clock, Net, SystemClock, SystemNet};
use cliproxy_observe::Metrics;
use cliproxy_proto::v1;
use cliproxy_store::{Change, MemoryStore, Store};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};

/// How long anything may take before a story fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// 2026-02-19T22:50:30Z: far from the ends of its minute.
pub(super) const START: WallTime = WallTime(1_771_541_430_000);

/// A clock whose wall time stands still until the test moves it; the monotonic one runs, and moves along unless the
/// test says otherwise.
#[derive(Default)]
pub(super) struct TestClock {
    both: AtomicI64,
    wall: AtomicI64,
}

impl TestClock {
    pub(super) fn advance(&self, by: Duration) {
        self.both.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Moves the wall time alone: what is decided on grows old, and no stream falls silent.
    pub(super) fn advance_wall(&self, by: Duration) {
        self.wall.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn moved(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.both.load(Ordering::SeqCst)).unwrap())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        SystemClock.now() + self.moved()
    }

    fn wall(&self) -> WallTime {
        WallTime(START.plus(self.moved()).0 + self.wall.load(Ordering::SeqCst))
    }
}

/// A running control plane.
pub(super) struct Plane {
    pub(super) at: Addresses,
    pub(super) handle: Handle,
    pub(super) store: MemoryStore,
    pub(super) state: Arc<State>,
    pub(super) clock: Arc<TestClock>,
    pub(super) metrics: Metrics,
    pub(super) decide: Decide,
    pub(super) reload: Arc<Notify>,
    pub(super) texts: Arc<Texts>,
    counts: PlaneMetrics,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

pub(super) fn settings() -> Settings {
    let any = "127.0.0.1:0".parse().unwrap();
    // A busy machine answers a ping late; what these stories tell does not depend on it.
    Settings { node_keep_alive: (DEADLINE, DEADLINE), ..Settings::new(any, any, "cp-1") }
}

pub(super) fn memory() -> MemoryStore {
    shared().of_one_process()
}

/// A database that several replicas may use.
pub(super) fn shared() -> MemoryStore {
    MemoryStore::new(HistoryId("history-1".into()))
}

impl Plane {
    /// Starts on an empty store, without a configuration.
    pub(super) async fn start() -> Self {
        Self::start_on(memory()).await
    }

    /// Starts on a store that may hold something.
    pub(super) async fn start_on(store: MemoryStore) -> Self {
        Self::start_with(settings(), store, Arc::new(SystemNet)).await
    }

    pub(super) async fn start_with(settings: Settings, store: MemoryStore, net: Arc<dyn Net>) -> Self {
        Self::start_by(Arc::new(TestClock::default()), settings, store, net).await
    }

    /// Starts a replica on a connection to a database that others use too, all going by the same clock.
    pub(super) async fn replica(name: &str, store: MemoryStore, clock: &Arc<TestClock>) -> Self {
        let settings = Settings { cp_id: name.to_owned(), ..settings() };
        Self::start_by(Arc::clone(clock), settings, store, Arc::new(SystemNet)).await
    }

    async fn start_by(
        clock: Arc<TestClock>,
        settings: Settings,
        store: MemoryStore,
        net: Arc<dyn Net>,
    ) -> Self {
        let metrics = Metrics::new();
        let plane = ControlPlane::build(settings, Arc::new(store.clone()), clock.clone(), net, &metrics)
            .await
            .unwrap();
        let (at, handle, state) = (plane.addresses(), plane.handle(), Arc::clone(&plane.state));
        let (decide, reload) = (plane.decide.clone(), plane.reload_wanted());
        let counts = plane.metrics.clone();
        let texts = Arc::new(Texts::new(plane.handle(), store.doorbell().is_some()));
        let plane = plane.with_configurations(texts.clone());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(plane.run(shutdown.clone()));
        Self { at, handle, store, state, clock, metrics, decide, reload, texts, counts, shutdown, task }
    }

    /// Starts with configuration 1: [`snapshot`].
    pub(super) async fn configured() -> Self {
        Self::configured_with(snapshot()).await
    }

    /// Starts with another configuration 1.
    pub(super) async fn configured_with(snapshot: Snapshot) -> Self {
        let plane = Self::start().await;
        assert_eq!(plane.handle.apply(snapshot, "file", "start").await.unwrap(), ConfigId(1));
        plane
    }

    /// Stops and starts anew on the same store and configuration.
    pub(super) async fn restarted(self) -> Self {
        let (store, active) = (self.store.clone(), self.state.active().unwrap());
        let wall = self.clock.wall();
        self.stop().await;
        let plane = Self::start_on(store).await;
        plane.clock.advance_wall(wall.since(START));
        plane.handle.apply(active.snapshot.clone(), "file", "start").await.unwrap();
        plane
    }

    /// Gives the actions of the audit log about a provider, the oldest first.
    pub(super) async fn audited(&self, provider: &str) -> Vec<String> {
        let query = AuditQuery { provider: Some(provider.into()), limit: 1_000, ..AuditQuery::default() };
        let entries = self.store.audit(query).await.unwrap();
        entries.into_iter().rev().map(|entry| entry.action).collect()
    }

    /// Ends as a process that is killed does: nothing is said any more.
    pub(super) async fn kill(self) {
        self.store.connection_faults().set_unavailable(true);
        self.task.abort();
        let _ = self.task.await;
    }

    /// Shuts down and waits for the end.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        // Its sender would keep open what is waited for.
        drop(self.decide);
        within(self.task).await.unwrap();
    }

    /// Gives for how many nodes at once it ever was found out what they miss.
    pub(super) fn most_at_once(&self) -> usize {
        self.counts.sync.most_ever_at_once()
    }

    pub(super) async fn as_node(&self) -> Channel {
        channel(self.at.nodes).await
    }

    pub(super) async fn as_operator(&self) -> Channel {
        channel(self.at.operators).await
    }

    /// Reads one series of `/metrics`.
    pub(super) fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.encode();
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(series, _)| series == name));
        let line = line.unwrap_or_else(|| panic!("no series {name} in:\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a series has at least that value.
    pub(super) async fn metric_reaches(&self, name: &str, value: f64) {
        eventually(async || self.metric(name) >= value).await;
    }

    /// Asks REST.
    pub(super) async fn rest(&self, method: Method, path: &str, token: Option<&str>) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.at.operators));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = within(client.request(request.body(Empty::<Bytes>::new()).unwrap())).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null);
        Answer { status, headers, json }
    }

    /// Asks REST with a body.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
        content_type: Option<&str>,
    ) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.at.operators));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = within(client.request(request)).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = within(response.into_body().collect()).await.unwrap().to_bytes();
        let json = serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null);
        Answer { status, headers, json }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.rest(Method::GET, path, None).await
    }

    /// Counts the answered calls that the ledger holds.
    pub(super) async fn committed_ok(&self) -> u64 {
        let all = WallTime(0)..WallTime(i64::MAX);
        self.store.usage(all).await.unwrap().iter().map(|row| row.attempts.ok).sum()
    }
}

/// What REST answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: hyper::HeaderMap,
    pub(super) json: serde_json::Value,
}

async fn channel(at: std::net::SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{at}")).unwrap();
    within(endpoint.connect()).await.unwrap()
}

/// Fails when `future` takes too long.
pub(super) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("it took too long")
}

/// Waits until something holds.
pub(super) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    within(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A message stream to the control plane and the one back.
pub(super) struct Talk<U, D> {
    up: mpsc::Sender<U>,
    pub(super) down: Streaming<D>,
}

impl<U, D> Talk<U, D> {
    pub(super) async fn say(&self, message: U) {
        within(self.up.send(message)).await.expect("the stream is over");
    }

    /// Gives the next message.
    pub(super) async fn next(&mut self) -> D {
        self.result().await.unwrap().expect("the stream is over")
    }

    /// Gives the next message, the stream's error, or its end.
    pub(super) async fn result(&mut self) -> Result<Option<D>, Status> {
        within(self.down.message()).await
    }
}

pub(super) fn pipe<U>() -> (mpsc::Sender<U>, ReceiverStream<U>) {
    let (up, messages) = mpsc::channel(1_024);
    (up, ReceiverStream::new(messages))
}

/// Opens a report stream without saying hello.
pub(super) async fn open_report(channel: Channel) -> Talk<v1::ReportUp, v1::ReportDown> {
    let (up, messages) = pipe();
    let mut client = v1::telemetry_client::TelemetryClient::new(channel);
    let down = within(client.report(messages)).await.unwrap().into_inner();
    Talk { up, down }
}

/// Opens a stream of urgent events.
pub(super) async fn open_events(channel: Channel) -> Talk<v1::UrgentEvent, v1::EventAck> {
    let (up, messages) = pipe();
    let mut client = v1::telemetry_client::TelemetryClient::new(channel);
    let down = within(client.events(messages)).await.unwrap().into_inner();
    Talk { up, down }
}

/// Opens a stream for claims.
pub(super) async fn open_lease(channel: Channel) -> Talk<v1::LeaseUp, v1::LeaseDown> {
    let (up, messages) = pipe();
    let mut client = v1::quota_client::QuotaClient::new(channel);
    let down = within(client.lease(messages)).await.unwrap().into_inner();
    Talk { up, down }
}

/// Opens a subscription without saying hello.
pub(super) async fn open_sync(channel: Channel) -> Talk<v1::SyncUp, v1::SyncDown> {
    let (up, messages) = pipe();
    let mut client = v1::sync_client::SyncClient::new(channel);
    let down = within(client.subscribe(messages)).await.unwrap().into_inner();
    Talk { up, down }
}

/// All rests that the store holds, with the newest number.
pub(super) async fn stored_rests(store: &MemoryStore) -> (u64, Vec<Cooldown>) {
    let (version, hints) = store.hints().await.unwrap();
    let rests = hints.into_iter().filter_map(|hint| match hint {
        Hint::Cooldown(rest) => Some(rest),
        _ => None,
    });
    (version.0, rests.collect())
}

/// Writes hints into a store as another process would have.
pub(super) async fn store_hints(store: &MemoryStore, hints: Vec<Hint>) {
    store.change(Change { hints, ..Change::default() }).await.unwrap();
}
