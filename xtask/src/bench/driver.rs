//! Sends requests: as many as the target takes for its cost, on a fixed schedule for its delay.

use super::scenario::Scenario;
use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::Semaphore, task::JoinSet};

/// Connections of the closed loop, each with one request at a time.
const CONCURRENCY: usize = 32;
/// Requests of the open loop that may be unanswered; a target that lets it come to that is broken.
const MAX_OUTSTANDING: usize = 512;
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back for one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// In how many parts the body came: one for each event that was passed on by itself.
    pub(super) parts: u64,
    /// From sending to the first part of the body.
    pub(super) first: Duration,
    /// From sending to the end of the body.
    pub(super) whole: Duration,
}

/// A keep-alive connection.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(target: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(target).await.with_context(|| format!("cannot connect to {target}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end is seen by the sender as well.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host: target.to_string() })
    }

    async fn ask(&mut self, scenario: &Scenario) -> anyhow::Result<Reply> {
        self.listen(scenario, |_| {}).await
    }

    /// Asks, and hands each part of the body to `each`.
    async fn listen(&mut self, scenario: &Scenario, each: impl FnMut(&[u8])) -> anyhow::Result<Reply> {
        tokio::time::timeout(PATIENCE, self.exchange(scenario, each))
            .await
            .context("no answer within 30 s")?
    }

    async fn exchange(&mut self, scenario: &Scenario, mut each: impl FnMut(&[u8])) -> anyhow::Result<Reply> {
        self.sender.ready().await?;
        let mut request = Request::post(scenario.client.path())
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json");
        for &(name, value) in scenario.client.headers() {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(scenario.body.clone()))?;
        let sent = Instant::now();
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let (mut bytes, mut parts, mut first, mut shown) = (0, 0, None, Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            first.get_or_insert_with(|| sent.elapsed());
            bytes += data.len() as u64;
            parts += 1;
            each(&data);
            if status != StatusCode::OK {
                shown.extend_from_slice(&data[..data.len().min(400)]);
            }
        }
        ensure!(status == StatusCode::OK, "status {status}: {}", String::from_utf8_lossy(&shown));
        let whole = sent.elapsed();
        Ok(Reply { bytes, parts, first: first.unwrap_or(whole), whole })
    }
}

/// Asks once, on a connection of its own, and gives the body of the answer.
pub(super) async fn body_of(target: SocketAddr, scenario: &Scenario) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    Connection::open(target).await?.listen(scenario, |part| body.extend_from_slice(part)).await?;
    Ok(body)
}

/// What a closed loop found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    /// How long all requests took together.
    pub(super) took: Duration,
    /// In how many parts all bodies came.
    pub(super) parts: u64,
}

/// Sends `requests` requests as fast as they are answered. Every answer must have `expected_bytes` bytes.
pub(super) async fn closed_loop(
    target: SocketAddr,
    scenario: &Arc<Scenario>,
    expected_bytes: u64,
    requests: u64,
) -> anyhow::Result<Closed> {
    let left = Arc::new(AtomicU64::new(requests));
    let mut workers = JoinSet::new();
    let started = Instant::now();
    for _ in 0..CONCURRENCY {
        let (left, scenario) = (left.clone(), scenario.clone());
        workers.spawn(async move {
            let mut connection = Connection::open(target).await?;
            let mut parts = 0;
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let reply = connection.ask(&scenario).await?;
                ensure!(reply.bytes == expected_bytes, "{} bytes instead of {expected_bytes}", reply.bytes);
                parts += reply.parts;
            }
            anyhow::Ok(parts)
        });
    }
    let mut parts = 0;
    while let Some(worker) = workers.join_next().await {
        parts += worker??;
    }
    Ok(Closed { took: started.elapsed(), parts })
}

/// Sends requests for `lasting` on a schedule of `per_second` that waits for no answer, and gives their delays
/// in nanoseconds: to the end of the answer, or to its first part when it is a stream.
///
/// A delay counts from the sending, not from the schedule's moment: the timer's milliseconds would drown the
/// microseconds that are looked for. As sending waits for no answer, a slow answer still delays no other.
pub(super) async fn open_loop(
    target: SocketAddr,
    scenario: &Arc<Scenario>,
    per_second: u32,
    lasting: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let idle = Arc::new(Mutex::new(warm_connections(target, scenario).await?));
    let outstanding = Arc::new(Semaphore::new(MAX_OUTSTANDING));
    let mut sent = JoinSet::new();
    let mut delays = Histogram::<u64>::new_with_bounds(1_000, 60_000_000_000, 3)?;
    let period = Duration::from_secs(1) / per_second;
    let started = tokio::time::Instant::now();
    for number in 0..(lasting.as_secs_f64() * f64::from(per_second)) as u32 {
        tokio::time::sleep_until(started + period * number).await;
        let Ok(permit) = outstanding.clone().try_acquire_owned() else {
            bail!("more than {MAX_OUTSTANDING} requests are unanswered at {per_second} a second");
        };
        let (idle, scenario) = (idle.clone(), scenario.clone());
        sent.spawn(async move {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Connection::open(target).await?,
            };
            let reply = connection.ask(&scenario).await?;
            put_back(&idle, connection);
            drop(permit);
            anyhow::Ok(if scenario.streams() { reply.first } else { reply.whole })
        });
        while let Some(done) = sent.try_join_next() {
            record(&mut delays, done??);
        }
    }
    while let Some(done) = sent.join_next().await {
        record(&mut delays, done??);
    }
    Ok(delays)
}

/// Opens connections that have each been used once, at the same time.
async fn warm_connections(target: SocketAddr, scenario: &Arc<Scenario>) -> anyhow::Result<Vec<Connection>> {
    let mut opening = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let scenario = scenario.clone();
        opening.spawn(async move {
            let mut connection = Connection::open(target).await?;
            connection.ask(&scenario).await?;
            anyhow::Ok(connection)
        });
    }
    opening.join_all().await.into_iter().collect()
}

fn put_back(idle: &Mutex<Vec<Connection>>, connection: Connection) {
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
}

fn record(delays: &mut Histogram<u64>, delay: Duration) {
    delays.saturating_record(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
}
