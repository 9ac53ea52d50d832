//! Sends up what probes found and what became of requests: observations, of which one may be lost.

use super::{SyncMetrics, connect::SessionError};
use cliproxy_domain::{NodeId, ProbeReport, RequestRecord};
use cliproxy_host::Clock;
use cliproxy_proto::{
    convert::telemetry::probe_to_wire,
    v1::{ObserveRequest, telemetry_client::TelemetryClient},
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tonic::transport::Channel;

/// Observations that wait at most; more push out the oldest.
const MAX_WAITING: usize = 1_000;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(100);
/// What one call carries at most: below the 4 MiB at which gRPC implementations refuse a message.
const MAX_CALL: usize = 256;
const MAX_CALL_BYTES: usize = 2 << 20;
/// The longest record, as the control plane keeps them.
const MAX_RECORD: usize = 64 << 10;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Observations on their way. It outlives sessions.
pub struct Observer {
    clock: Arc<dyn Clock>,
    metrics: SyncMetrics,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Observation>,
    /// What is on its way and not confirmed.
    sent: Vec<Observation>,
    /// Something in it should go at once.
    urgent: bool,
}

enum Observation {
    Probe(ProbeReport, Instant),
    /// A record as JSON.
    Request(Vec<u8>),
}

impl Observer {
    /// Has nothing to send.
    pub fn new(clock: Arc<dyn Clock>, metrics: SyncMetrics) -> Self {
        Self { clock, metrics, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Takes what a probe found just now. What is `news` goes at once.
    pub fn probe(&self, report: ProbeReport, news: bool) {
        self.push(Observation::Probe(report, self.clock.now()), news);
    }

    /// Takes the record of a request that ended.
    pub fn request(&self, record: &RequestRecord) {
        match serde_json::to_vec(record) {
            Ok(json) if json.len() <= MAX_RECORD => self.push(Observation::Request(json), false),
            _ => {
                self.metrics.observations_dropped.inc();
            }
        }
    }

    fn push(&self, observation: Observation, urgent: bool) {
        let mut waiting = self.waiting.lock();
        if waiting.queue.len() == MAX_WAITING {
            waiting.queue.pop_front();
            self.metrics.observations_dropped.inc();
        }
        waiting.queue.push_back(observation);
        waiting.urgent |= urgent;
        drop(waiting);
        self.changed.notify_one();
    }

    /// Sends what waits and what comes, until a call fails; gives why.
    pub(super) async fn run(&self, channel: Channel, node: &NodeId) -> SessionError {
        let mut client = TelemetryClient::new(channel);
        loop {
            // Of a session that ended in the middle, too.
            self.put_back();
            self.gather().await;
            let sent = tokio::time::timeout(PATIENCE, client.observe(self.take(node))).await;
            match sent {
                Ok(Ok(_)) => self.confirmed(),
                Ok(Err(status)) => return status.into(),
                Err(_) => return SessionError::Silent(PATIENCE),
            }
        }
    }

    /// Waits until something should be sent.
    async fn gather(&self) {
        while self.waiting.lock().queue.is_empty() {
            self.changed.notified().await;
        }
        let gathered = async {
            while {
                let waiting = self.waiting.lock();
                !waiting.urgent && waiting.queue.len() < MAX_CALL
            } {
                self.changed.notified().await;
            }
        };
        // Either way there is something to send.
        let _ = tokio::time::timeout(GATHER, gathered).await;
    }

    fn take(&self, node: &NodeId) -> ObserveRequest {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock();
        let mut request =
            ObserveRequest { node_id: node.to_string(), probes: Vec::new(), requests: Vec::new() };
        let mut bytes = 0;
        while waiting.sent.len() < MAX_CALL && bytes < MAX_CALL_BYTES {
            let Some(observation) = waiting.queue.pop_front() else { break };
            match &observation {
                Observation::Probe(report, at) => {
                    let age = now.saturating_duration_since(*at);
                    request.probes.push(probe_to_wire(&ProbeReport { age, ..report.clone() }));
                }
                Observation::Request(json) => {
                    bytes += json.len();
                    request.requests.push(json.clone());
                }
            }
            waiting.sent.push(observation);
        }
        waiting.urgent &= !waiting.queue.is_empty();
        request
    }

    fn confirmed(&self) {
        self.waiting.lock().sent.clear();
    }

    /// Keeps what was not confirmed, as far as there is room.
    fn put_back(&self) {
        let mut waiting = self.waiting.lock();
        let taken = std::mem::take(&mut waiting.sent);
        let room = MAX_WAITING - waiting.queue.len();
        let lost = taken.len().saturating_sub(room);
        self.metrics.observations_dropped.inc_by(lost as u64);
        for observation in taken.into_iter().skip(lost).rev() {
            waiting.queue.push_front(observation);
        }
    }
}

#[cfg(test)]
mod tests;
