//! A node as the control plane sees one: it keeps the hints that it is sent, acknowledges them, and reports.

use super::harness::*;
use cliproxy_domain::{
    AttemptCounts, Batch, Cooldown, CooldownKey, Health, Hint, HintKey, Incarnation, LedgerRow, NodeId,
    ProbeAssignment, ProbeReport, ProviderName, Seq, UrgentEvent,
};
use cliproxy_host::Clock;
use cliproxy_proto::{
    convert::{
        hints,
        telemetry::{batch_to_wire, event_to_wire, probe_to_wire},
    },
    v1::{self, sync_down::Message},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tonic::transport::Channel;

type Board = Arc<Mutex<BTreeMap<HintKey, Hint>>>;

/// A connected node. Dropping it ends its streams.
pub(super) struct TestNode {
    name: NodeId,
    clock: Arc<TestClock>,
    board: Board,
    channel: Channel,
    subscription: JoinHandle<()>,
    events: Talk<v1::UrgentEvent, v1::EventAck>,
    ledger: Option<(Talk<v1::ReportUp, v1::ReportDown>, u64)>,
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.subscription.abort();
    }
}

impl TestNode {
    /// Connects, and waits until the control plane counts it.
    pub(super) async fn connect(plane: &Plane, name: &str) -> Self {
        Self::connect_as(plane, name, true).await
    }

    /// Connects a node that stays when it is asked to go, for as long as it may.
    pub(super) async fn that_stays(plane: &Plane, name: &str) -> Self {
        Self::connect_as(plane, name, false).await
    }

    async fn connect_as(plane: &Plane, name: &str, goes: bool) -> Self {
        let channel = plane.as_node().await;
        let board = Board::default();
        let talk = open_sync(channel.clone()).await;
        let hello = v1::Hello { node_id: name.into(), history_id: "history-1".into(), ..Default::default() };
        talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
        let subscription = tokio::spawn(listen(talk, Arc::clone(&board), Arc::clone(&plane.clock), goes));
        let events = open_events(channel.clone()).await;
        let (clock, name) = (Arc::clone(&plane.clock), NodeId::from(name));
        eventually(async || plane.state.nodes.is_connected(&name)).await;
        Self { name, clock, board, channel, subscription, events, ledger: None }
    }

    /// Reports a failure, and waits until that is stored.
    pub(super) async fn tells(&mut self, event: UrgentEvent) {
        let event = UrgentEvent { node: self.name.clone(), ..event };
        self.events.say(event_to_wire(&event)).await;
        assert_eq!(self.events.next().await.event_id, event.id);
    }

    /// Reports a probe that has just ended.
    pub(super) async fn probes(&self, provider: &str, http_status: u16) {
        let report = ProbeReport {
            node: self.name.clone(),
            provider: provider.into(),
            healthy: cliproxy_engine::probes::is_healthy((http_status > 0).then_some(http_status)),
            http_status,
            error_type: if http_status > 0 { String::new() } else { "connect_timeout".into() },
            took: Duration::ZERO,
            age: Duration::ZERO,
        };
        self.observes(vec![probe_to_wire(&report)], Vec::new()).await.unwrap();
    }

    /// Waits until what was heard before was judged and what was due then was done: a probe that is reported after
    /// another was counted is taken in a later round of the judge.
    pub(super) async fn settles(&self, plane: &Plane) {
        let openai = r#"cliproxy_controlplane_probes_total{provider="openai",result="healthy"}"#;
        for _ in 0..2 {
            let counted = plane.metric(openai);
            self.probes("openai", 200).await;
            plane.metric_reaches(openai, counted + 1.0).await;
        }
    }

    /// Sends observations as they are.
    pub(super) async fn observes(
        &self,
        probes: Vec<v1::ProbeReport>,
        requests: Vec<Vec<u8>>,
    ) -> Result<(), tonic::Status> {
        let request = v1::ObserveRequest { node_id: self.name.to_string(), probes, requests };
        let mut client = v1::telemetry_client::TelemetryClient::new(self.channel.clone());
        within(client.observe(request)).await.map(drop)
    }

    /// Reports the calls of the second that has just ended, and waits until they are committed.
    pub(super) async fn calls(&mut self, rows: Vec<LedgerRow>) {
        let (talk, seq) = match &mut self.ledger {
            Some(open) => open,
            closed => {
                let talk = open_report(self.channel.clone()).await;
                let hello = v1::ReportHello {
                    node_id: self.name.to_string(),
                    incarnation: u64::try_from(self.clock.wall().0).unwrap(),
                    oldest_unacked: 1,
                };
                talk.say(v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }).await;
                closed.insert((talk, 0))
            }
        };
        *seq += 1;
        let window = Duration::from_secs(1);
        let batch = Batch {
            incarnation: Incarnation(1),
            seq: Seq(*seq),
            window_start: self.clock.wall().minus(window),
            window,
            rows,
        };
        let message = Some(v1::report_up::Message::Batch(batch_to_wire(&batch)));
        talk.say(v1::ReportUp { message }).await;
        while talk.next().await.acked_seq < *seq {}
    }

    /// Gives the word that this node has on a rest.
    pub(super) fn rest(&self, key: &CooldownKey) -> Option<Cooldown> {
        match self.board.lock().get(&HintKey::Cooldown(key.clone())) {
            Some(Hint::Cooldown(rest)) => Some(rest.clone()),
            _ => None,
        }
    }

    /// Gives the word that this node has on a provider's health.
    pub(super) fn health(&self, provider: &str) -> Option<Health> {
        match self.board.lock().get(&HintKey::Health(provider.into())) {
            Some(Hint::Health(health)) => Some(health.clone()),
            _ => None,
        }
    }

    /// Gives who probes a provider as this node knows it.
    pub(super) fn assignment(&self, provider: &str) -> Option<ProbeAssignment> {
        match self.board.lock().get(&HintKey::Probe(ProviderName::from(provider))) {
            Some(Hint::Probe(assignment)) => Some(assignment.clone()),
            _ => None,
        }
    }

    /// Gives everything that this node has, sorted by key.
    pub(super) fn board(&self) -> Vec<Hint> {
        self.board.lock().values().cloned().collect()
    }

    /// Waits until this node has a word that `wanted` holds of.
    pub(super) async fn learns(&self, wanted: impl Fn(&Self) -> bool) {
        eventually(async || wanted(self)).await;
    }
}

async fn listen(mut talk: Talk<v1::SyncUp, v1::SyncDown>, board: Board, clock: Arc<TestClock>, goes: bool) {
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    loop {
        let message = tokio::select! {
            _ = beat.tick() => {
                let beat = v1::sync_up::Message::Heartbeat(v1::Heartbeat::default());
                talk.say(v1::SyncUp { message: Some(beat) }).await;
                continue;
            }
            message = talk.down.message() => message,
        };
        let Ok(Some(message)) = message else { return };
        let (line, version, changes, nonce) = match message.message {
            Some(Message::Delta(delta)) => (delta.line(), delta.to, delta.changes, delta.nonce),
            Some(Message::Chunk(chunk)) => (chunk.line(), chunk.version, chunk.changes, chunk.nonce),
            // It has nowhere to go to.
            Some(Message::Directive(_)) if goes => return,
            _ => continue,
        };
        if line == v1::Line::Hint {
            let mut board = board.lock();
            for change in &changes {
                let hint = hints::from_wire(change, clock.wall()).unwrap().unwrap();
                let merged = match board.remove(&hint.key()) {
                    Some(known) => known.merge(hint),
                    None => hint,
                };
                board.insert(merged.key(), merged);
            }
        }
        if version > 0 {
            let ack = v1::Ack { nonce, line: line.into(), version, ..Default::default() };
            talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Ack(ack)) }).await;
        }
    }
}

/// Calls that all ended one way.
pub(super) fn calls(provider: &str, attempts: AttemptCounts) -> Vec<LedgerRow> {
    vec![row(provider, attempts)]
}
