//! A session of a node with the control plane, over two connections as a real node's.

use super::node::{Node, WINDOW};
use crate::now;
use cliproxy_proto::{
    VERSION,
    v1::{
        Ack, Change, Heartbeat, Hello, Kind, Line, ReportDown, ReportHello, ReportUp, SyncDown, SyncUp,
        UrgentEvent, UrgentKind, report_up, sync_client::SyncClient, sync_down, sync_up,
        telemetry_client::TelemetryClient,
    },
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint},
};

const HEARTBEAT: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(2);
/// As a node's pings.
const PINGS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(750));
/// How a control plane names the wait before a node may come again.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The streams of a session.
struct Streams {
    sync: mpsc::Sender<SyncUp>,
    events: mpsc::Sender<UrgentEvent>,
    report: mpsc::Sender<ReportUp>,
}

/// Runs a session to its end; gives how long the control plane asked to wait, when it did.
pub(super) async fn run(node: &mut Node, trips: &mut mpsc::Receiver<String>) -> Option<Duration> {
    match talk(node, trips).await {
        Ok(()) => None,
        Err(status) => {
            node.book.broke(format!("{}: {status}", node.name));
            let pushback = status.metadata().get(PUSHBACK)?;
            pushback.to_str().ok()?.parse().ok().map(Duration::from_millis)
        }
    }
}

async fn talk(node: &mut Node, trips: &mut mpsc::Receiver<String>) -> Result<(), Status> {
    let (quick, bulk) = tokio::try_join!(connect(&node.endpoint), connect(&node.endpoint))?;
    let (sync, up) = mpsc::channel(64);
    send(&sync, SyncUp { message: Some(sync_up::Message::Hello(hello(node))) }).await?;
    let mut down = SyncClient::new(quick.clone()).subscribe(ReceiverStream::new(up)).await?.into_inner();
    let (events, up) = mpsc::channel(16);
    let mut acks = TelemetryClient::new(quick).events(ReceiverStream::new(up)).await?.into_inner();
    let (report, up) = mpsc::channel(64);
    let hello = ReportHello { node_id: node.name.clone(), incarnation: 1, oldest_unacked: node.oldest() };
    send(&report, ReportUp { message: Some(report_up::Message::Hello(hello)) }).await?;
    let mut answers = TelemetryClient::new(bulk).report(ReceiverStream::new(up)).await?.into_inner();
    let streams = Streams { sync, events, report };
    for batch in node.unacked.clone() {
        send(&streams.report, ReportUp { message: Some(report_up::Message::Batch(batch)) }).await?;
    }
    follow(node, trips, &streams, &mut down, &mut acks, &mut answers).await
}

async fn follow(
    node: &mut Node,
    trips: &mut mpsc::Receiver<String>,
    streams: &Streams,
    down: &mut Streaming<SyncDown>,
    acks: &mut Streaming<cliproxy_proto::v1::EventAck>,
    answers: &mut Streaming<ReportDown>,
) -> Result<(), Status> {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    // Nodes begin their seconds at their own times.
    let phase = WINDOW.mul_f64(node.number as f64 * 0.618 % 1.0);
    let mut windows = tokio::time::interval_at(tokio::time::Instant::from_std(now() + phase), WINDOW);
    loop {
        tokio::select! {
            message = down.message() => match message? {
                Some(message) => received(node, streams, message).await?,
                None => return Ok(()),
            },
            answer = answers.message() => match answer? {
                Some(answer) => node.acknowledged(answer.acked_seq),
                None => return Ok(()),
            },
            ack = acks.message() => if ack?.is_none() { return Ok(()) },
            Some(credential) = trips.recv() => send(&streams.events, refused(node, &credential)).await?,
            _ = heartbeat.tick() => {
                let (config, hints) = (node.have.config, node.have.hints);
                let heartbeat = Heartbeat { config, hints, ..Heartbeat::default() };
                send(&streams.sync, SyncUp { message: Some(sync_up::Message::Heartbeat(heartbeat)) }).await?;
            }
            _ = windows.tick() => {
                let known = node.unacked.back().map_or(0, |batch| batch.seq);
                node.count(wall_ms());
                if let Some(batch) = node.unacked.back().filter(|batch| batch.seq > known).cloned() {
                    send(&streams.report, ReportUp { message: Some(report_up::Message::Batch(batch)) }).await?;
                }
            }
        }
    }
}

async fn received(node: &mut Node, streams: &Streams, message: SyncDown) -> Result<(), Status> {
    let ack = match message.message {
        Some(sync_down::Message::Welcome(welcome)) => {
            node.have.history = welcome.history_id;
            None
        }
        Some(sync_down::Message::Chunk(chunk)) => {
            let whole = chunk.index + 1 == chunk.count;
            heard(node, chunk.line(), &chunk.changes, chunk.version, chunk.hash);
            whole.then_some((chunk.nonce, chunk.line, chunk.version))
        }
        Some(sync_down::Message::Delta(delta)) => {
            heard(node, delta.line(), &delta.changes, delta.to, delta.hash_after);
            (delta.to > 0).then_some((delta.nonce, delta.line, delta.to))
        }
        // Whoever hears the first has been sent all that it missed.
        Some(sync_down::Message::Heartbeat(_)) => {
            node.book.is_ready(node.number, now());
            None
        }
        _ => None,
    };
    let Some((nonce, line, version)) = ack else { return Ok(()) };
    let ack = Ack { nonce, line, version, ..Ack::default() };
    send(&streams.sync, SyncUp { message: Some(sync_up::Message::Ack(ack)) }).await
}

fn heard(node: &mut Node, line: Line, changes: &[Change], version: u64, hash: u64) {
    if line == Line::Config {
        (node.have.config, node.have.hash) = (version, hash);
        return;
    }
    node.have.hints = node.have.hints.max(version);
    let now = now();
    for change in changes.iter().filter(|change| change.kind() == Kind::Cooldown) {
        node.book.rested(node.number, &change.key, now);
    }
}

fn hello(node: &Node) -> Hello {
    Hello {
        node_id: node.name.clone(),
        incarnation: 1,
        build: "light".to_owned(),
        history_id: node.have.history.clone(),
        have_config: node.have.config,
        config_hash: node.have.hash,
        have_hints: node.have.hints,
        listen: "127.0.0.1:1".to_owned(),
        proto_min: VERSION,
        proto_max: VERSION,
        ..Hello::default()
    }
}

/// A 429 with a wait of a minute.
fn refused(node: &Node, credential: &str) -> UrgentEvent {
    UrgentEvent {
        event_id: format!("{}-{credential}", node.name),
        node_id: node.name.clone(),
        kind: UrgentKind::RateLimited.into(),
        provider: "up".to_owned(),
        credential: credential.to_owned(),
        model: "m".to_owned(),
        http_status: 429,
        error_type: "rate_limit".to_owned(),
        hint_ms: Some(60_000),
        ..UrgentEvent::default()
    }
}

async fn connect(endpoint: &str) -> Result<Channel, Status> {
    let target =
        Endpoint::from_shared(endpoint.to_owned()).map_err(|error| Status::internal(error.to_string()))?;
    let target = target
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PINGS.0)
        .keep_alive_timeout(PINGS.1)
        .keep_alive_while_idle(true);
    target.connect().await.map_err(|error| Status::unavailable(error.to_string()))
}

async fn send<T>(to: &mpsc::Sender<T>, message: T) -> Result<(), Status> {
    to.send(message).await.map_err(|_| Status::unavailable("the stream is over"))
}

#[expect(clippy::disallowed_methods, reason = "a harness reads the real clock")]
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
