//! A control plane that says what a test has it say, and remembers what it was told.

use crate::{network::MemoryNet, node::PausedClock, quotas::Quotas};
use cliproxy_domain::{Hint, Snapshot, WallTime};
use cliproxy_host::Clock as _;
use cliproxy_proto::{
    RETRY_PUSHBACK,
    convert::{config::EntrySet, hints::to_wire},
    v1::{
        Ack, AskRequest, AskResponse, Change, Delta, Directive, EventAck, Heartbeat, Hello, LeaseUp, Line,
        LookRequest, LookResponse, ObserveRequest, ObserveResponse, ReconnectTo, ReportDown, ReportUp,
        SnapshotChunk, SyncDown, SyncUp, UrgentEvent, Welcome, directive,
        quota_server::QuotaServer,
        relay_server::{Relay, RelayServer},
        report_up, sync_down,
        sync_server::{Sync, SyncServer},
        sync_up,
        telemetry_server::{Telemetry, TelemetryServer},
    },
};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::{
    Stream, StreamExt as _,
    wrappers::{ReceiverStream, UnboundedReceiverStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// Where it is.
pub const ENDPOINT: &str = "http://control:1";
const HOST: &str = "control";
/// Where another replica of it is.
pub const SPARE: &str = "http://spare:1";
const SPARE_HOST: &str = "spare";

/// A control plane. Clones are the same.
#[derive(Clone)]
pub struct Control {
    net: MemoryNet,
    host: &'static str,
    state: Arc<Mutex<State>>,
}

struct State {
    history: &'static str,
    snapshot: Snapshot,
    /// Its number.
    config: u64,
    /// What every node that connects is told after its configuration.
    hints: Vec<Hint>,
    nodes: Vec<mpsc::Sender<Result<SyncDown, Status>>>,
    told: Told,
    /// What is answered to operators; none for nothing at all.
    answer: Option<AskResponse>,
    /// Its name, which two addresses may share.
    name: String,
    mood: Mood,
    /// The last batch of usage that is committed.
    committed: u64,
    quotas: Quotas,
}

/// How it behaves.
#[derive(Clone, Default)]
pub struct Mood {
    /// It says nothing more, and takes no new node in, though its connections stand.
    pub hangs: bool,
    /// Its store does not answer.
    pub storeless: bool,
    /// It asks nodes to come again in so many milliseconds.
    pub later_ms: Option<u64>,
    /// It welcomes nobody yet.
    pub holds: bool,
    /// Where it says that others are.
    pub others: Vec<String>,
    /// It has nodes wait so long between two batches.
    pub slow_down_ms: u32,
    /// What becomes of configurations on their way to nodes.
    pub damages: Option<fn(&mut SnapshotChunk)>,
}

/// What it was told.
#[derive(Clone, Default)]
pub struct Told {
    pub hellos: Vec<Hello>,
    pub acks: Vec<Ack>,
    pub events: Vec<UrgentEvent>,
    pub observed: Vec<ObserveRequest>,
    pub asked: Vec<AskRequest>,
    /// When nodes said hello.
    pub hello_times: Vec<Instant>,
    /// Streams that nodes closed.
    pub closed: usize,
    /// Every batch that was sent, by number, with how many calls it counts.
    pub batches: Vec<(u64, u64)>,
    /// How often it was looked at.
    pub looks: usize,
    /// What nodes claimed of limits.
    pub claims: Vec<LeaseUp>,
}

impl Control {
    /// Configures nodes with `snapshot`, once it is there.
    pub fn new(net: &MemoryNet, snapshot: Snapshot) -> Self {
        Self::at(HOST, net, snapshot)
    }

    /// Another replica.
    pub fn spare(net: &MemoryNet, snapshot: Snapshot) -> Self {
        Self::at(SPARE_HOST, net, snapshot)
    }

    /// A replica on a host of that name.
    pub fn at(host: &'static str, net: &MemoryNet, snapshot: Snapshot) -> Self {
        let state = State {
            history: "first",
            snapshot,
            config: 1,
            hints: Vec::new(),
            nodes: Vec::new(),
            told: Told::default(),
            answer: None,
            name: host.to_owned(),
            mood: Mood::default(),
            committed: 0,
            quotas: Quotas::default(),
        };
        Self { net: net.clone(), host, state: Arc::new(Mutex::new(state)) }
    }

    /// Says nothing more that is heard, and hears nothing, until it speaks again.
    pub fn is_silent(&self, silent: bool) {
        self.net.let_pass(self.host, !silent);
    }

    /// Behaves otherwise from now on.
    pub fn mood(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.state().mood);
    }

    /// Is one replica with another one, at another address.
    pub fn is_named(&self, name: &str) {
        self.state().name = name.to_owned();
    }

    /// Has a next configuration, for nodes that connect from now on.
    pub fn configure_next(&self, snapshot: Snapshot) {
        let mut state = self.state();
        state.snapshot = snapshot;
        state.config += 1;
    }

    /// Asks the nodes to go.
    pub fn ask_to_go(&self, endpoints: &[&str], leaving: bool) {
        let endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
        let word = directive::Directive::ReconnectTo(ReconnectTo { endpoints, within_ms: 0, leaving });
        for node in &self.state().nodes {
            let directive = Directive { directive: Some(word.clone()) };
            // Some are gone.
            let _ = node.try_send(down(sync_down::Message::Directive(directive)));
        }
    }

    /// Loses what was committed after a batch.
    pub fn loses_usage_after(&self, seq: u64) {
        self.state().committed = seq;
    }

    /// Is there from now on.
    pub fn begin(&self) {
        let connections = UnboundedReceiverStream::new(self.net.host(self.host)).map(Ok::<_, io::Error>);
        let server = Server::builder()
            .add_service(SyncServer::new(self.clone()))
            .add_service(TelemetryServer::new(self.clone()))
            .add_service(RelayServer::new(self.clone()))
            .add_service(QuotaServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(connections));
    }

    /// Is away from now on.
    pub fn end(&self) {
        self.net.cut(self.host);
        let mut state = self.state();
        state.nodes.clear();
        state.quotas.end();
    }

    /// Comes back as another one, that knows nothing of the numbers of before.
    pub fn forget_history(&self) {
        let mut state = self.state();
        state.history = "second";
        state.hints.clear();
    }

    /// Says something to all nodes that are connected.
    pub fn say(&self, hint: &Hint) {
        self.send(vec![to_wire(hint, now())], 0);
    }

    /// Says changes under a number.
    pub fn send(&self, changes: Vec<Change>, to: u64) {
        let delta = Delta { line: Line::Hint.into(), to, changes, ..Delta::default() };
        let mut state = self.state();
        // Some have gone.
        state.nodes.retain(|node| !node.is_closed());
        for node in &state.nodes {
            node.try_send(down(sync_down::Message::Delta(delta.clone()))).expect("the node keeps up");
        }
    }

    /// Says something to every node that connects.
    pub fn say_at_first(&self, hint: Hint) {
        self.state().hints.push(hint);
    }

    /// Answers operators so from now on; not at all without an answer.
    pub fn answer(&self, answer: Option<AskResponse>) {
        self.state().answer = answer;
    }

    /// Gives what it was told so far.
    pub fn told(&self) -> Told {
        self.state().told.clone()
    }

    /// Changes what it grants.
    pub fn quotas(&self, change: impl FnOnce(&mut Quotas)) {
        change(&mut self.state().quotas);
    }

    /// Notes what a node claimed.
    pub fn claimed(&self, claims: LeaseUp) {
        self.state().told.claims.push(claims);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

fn now() -> WallTime {
    PausedClock.wall()
}

fn down(message: sync_down::Message) -> Result<SyncDown, Status> {
    Ok(SyncDown { message: Some(message) })
}

fn welcome(state: &State) -> Vec<sync_down::Message> {
    let entries = EntrySet::from_snapshot(&state.snapshot);
    let chunk = |line: Line, version, changes, hash| {
        let (line, count) = (line.into(), 1);
        SnapshotChunk { line, version, count, changes, hash, ..SnapshotChunk::default() }
    };
    let welcome = Welcome {
        cp_id: state.name.clone(),
        history_id: state.history.to_owned(),
        heartbeat_ms: 500,
        other_replicas: state.mood.others.clone(),
        db_ok: !state.mood.storeless,
        ..Welcome::default()
    };
    let hints = state.hints.iter().map(|hint| to_wire(hint, now())).collect();
    let mut config = chunk(Line::Config, state.config, entries.to_changes(), entries.hash());
    if let Some(damage) = state.mood.damages {
        damage(&mut config);
    }
    vec![
        sync_down::Message::Welcome(welcome),
        sync_down::Message::Chunk(config),
        sync_down::Message::Chunk(chunk(Line::Hint, 1, hints, 0)),
    ]
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Sync for Control {
    type SubscribeStream = Answers<SyncDown>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SyncUp>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (node, stream) = mpsc::channel(1_024);
        let mut up = request.into_inner();
        let control = self.clone();
        let later = control.state().mood.later_ms;
        if let Some(ms) = later {
            control.state().told.hello_times.push(PausedClock.now());
            let mut status = Status::resource_exhausted("too many at once");
            status.metadata_mut().insert(RETRY_PUSHBACK, ms.into());
            return Err(status);
        }
        tokio::spawn(async move {
            let mut heartbeat = tokio::time::interval(Duration::from_millis(500));
            // The first word is the welcome.
            heartbeat.reset();
            loop {
                let message = tokio::select! {
                    message = up.next() => message,
                    _ = heartbeat.tick() => {
                        let mood = control.state().mood.clone();
                        if !mood.hangs {
                            let beat = Heartbeat { db_ok: !mood.storeless, ..Heartbeat::default() };
                            // Gone with the node.
                            let _ = node.send(down(sync_down::Message::Heartbeat(beat))).await;
                        }
                        continue;
                    }
                };
                let Some(Ok(message)) = message else {
                    control.state().told.closed += 1;
                    return;
                };
                if matches!(message.message, Some(sync_up::Message::Hello(_))) {
                    while control.state().mood.holds {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                let mut state = control.state();
                match message.message {
                    Some(sync_up::Message::Hello(hello)) => {
                        state.told.hellos.push(hello);
                        state.told.hello_times.push(PausedClock.now());
                        if state.mood.hangs {
                            continue;
                        }
                        for message in welcome(&state) {
                            node.try_send(down(message)).expect("the node keeps up");
                        }
                        state.nodes.push(node.clone());
                    }
                    Some(sync_up::Message::Ack(ack)) => state.told.acks.push(ack),
                    _ => {}
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn look(&self, _: Request<LookRequest>) -> Result<Response<LookResponse>, Status> {
        let mut state = self.state();
        state.told.looks += 1;
        let (cp_id, db_ok) = (state.name.clone(), !state.mood.storeless);
        Ok(Response::new(LookResponse { cp_id, db_ok, ..LookResponse::default() }))
    }
}

#[tonic::async_trait]
impl Telemetry for Control {
    type ReportStream = Answers<ReportDown>;
    type EventsStream = Answers<EventAck>;

    async fn report(
        &self,
        request: Request<Streaming<ReportUp>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let control = self.clone();
        let acked = request.into_inner().filter_map(move |up| {
            let message = up.ok()?.message?;
            let mut state = control.state();
            let mut need_from = 0;
            if let report_up::Message::Batch(batch) = message {
                state.told.batches.push((batch.seq, batch.rows.iter().map(|row| row.ok).sum()));
                match batch.seq {
                    seq if seq == state.committed + 1 => state.committed = seq,
                    seq if seq > state.committed => need_from = state.committed + 1,
                    _ => {}
                }
            }
            let (acked_seq, slow_down_ms) = (state.committed, state.mood.slow_down_ms);
            Some(Ok(ReportDown { acked_seq, need_from, slow_down_ms, ..ReportDown::default() }))
        });
        Ok(Response::new(Box::pin(acked)))
    }

    async fn events(
        &self,
        request: Request<Streaming<UrgentEvent>>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let control = self.clone();
        let acks = request.into_inner().filter_map(move |event| {
            let event = event.ok()?;
            let ack = EventAck { event_id: event.event_id.clone() };
            control.state().told.events.push(event);
            Some(Ok(ack))
        });
        Ok(Response::new(Box::pin(acks)))
    }

    async fn observe(&self, request: Request<ObserveRequest>) -> Result<Response<ObserveResponse>, Status> {
        self.state().told.observed.push(request.into_inner());
        Ok(Response::new(ObserveResponse {}))
    }
}

#[tonic::async_trait]
impl Relay for Control {
    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<AskResponse>, Status> {
        let answer = {
            let mut state = self.state();
            state.told.asked.push(request.into_inner());
            state.answer.clone()
        };
        match answer {
            Some(answer) => Ok(Response::new(answer)),
            None => std::future::pending().await,
        }
    }
}
