//! A control plane that says what a test has it say, and remembers what it was told.

use crate::{network::MemoryNet, node::PausedClock};
use cliproxy_domain::{Hint, Snapshot, WallTime};
use cliproxy_host::Clock as _;
use cliproxy_proto::{
    convert::{config::EntrySet, hints::to_wire},
    v1::{
        Ack, AskRequest, AskResponse, Change, Delta, EventAck, Heartbeat, Hello, Line, LookRequest,
        LookResponse, ObserveRequest, ObserveResponse, ReportDown, ReportUp, SnapshotChunk, SyncDown, SyncUp,
        UrgentEvent, Welcome,
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
    time::Duration,
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

/// A control plane. Clones are the same.
#[derive(Clone)]
pub struct Control {
    net: MemoryNet,
    state: Arc<Mutex<State>>,
}

struct State {
    history: &'static str,
    snapshot: Snapshot,
    /// What every node that connects is told after its configuration.
    hints: Vec<Hint>,
    nodes: Vec<mpsc::Sender<Result<SyncDown, Status>>>,
    told: Told,
    /// What is answered to operators; none for nothing at all.
    answer: Option<AskResponse>,
}

/// What it was told.
#[derive(Clone, Default)]
pub struct Told {
    pub hellos: Vec<Hello>,
    pub acks: Vec<Ack>,
    pub events: Vec<UrgentEvent>,
    pub observed: Vec<ObserveRequest>,
    pub asked: Vec<AskRequest>,
}

impl Control {
    /// Configures nodes with `snapshot`, once it is there.
    pub fn new(net: &MemoryNet, snapshot: Snapshot) -> Self {
        let state = State {
            history: "first",
            snapshot,
            hints: Vec::new(),
            nodes: Vec::new(),
            told: Told::default(),
            answer: None,
        };
        Self { net: net.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// Is there from now on.
    pub fn begin(&self) {
        let connections = UnboundedReceiverStream::new(self.net.host(HOST)).map(Ok::<_, io::Error>);
        let server = Server::builder()
            .add_service(SyncServer::new(self.clone()))
            .add_service(TelemetryServer::new(self.clone()))
            .add_service(RelayServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(connections));
    }

    /// Is away from now on.
    pub fn end(&self) {
        self.net.cut(HOST);
        self.state().nodes.clear();
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
        let state = self.state();
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
        sync_down::Message::Chunk(SnapshotChunk {
            line,
            version,
            count,
            changes,
            hash,
            ..SnapshotChunk::default()
        })
    };
    let welcome = Welcome {
        cp_id: "cp".to_owned(),
        history_id: state.history.to_owned(),
        heartbeat_ms: 500,
        ..Welcome::default()
    };
    let hints = state.hints.iter().map(|hint| to_wire(hint, now())).collect();
    vec![
        sync_down::Message::Welcome(welcome),
        chunk(Line::Config, 1, entries.to_changes(), entries.hash()),
        chunk(Line::Hint, 1, hints, 0),
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
        tokio::spawn(async move {
            let mut heartbeat = tokio::time::interval(Duration::from_millis(500));
            // The first word is the welcome.
            heartbeat.reset();
            loop {
                let message = tokio::select! {
                    message = up.next() => message,
                    _ = heartbeat.tick() => {
                        // Gone with the node.
                        let _ = node.send(down(sync_down::Message::Heartbeat(Heartbeat::default()))).await;
                        continue;
                    }
                };
                let Some(Ok(message)) = message else { return };
                let mut state = control.state();
                match message.message {
                    Some(sync_up::Message::Hello(hello)) => {
                        state.told.hellos.push(hello);
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
        Ok(Response::new(LookResponse { cp_id: "cp".to_owned(), ..LookResponse::default() }))
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
        let acked = request.into_inner().filter_map(|up| match up.ok()?.message? {
            report_up::Message::Batch(batch) => {
                Some(Ok(ReportDown { acked_seq: batch.seq, ..ReportDown::default() }))
            }
            report_up::Message::Hello(_) => None,
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
