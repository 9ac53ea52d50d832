//! One node's session: what it has, what it was sent, what it answered.

use super::{Context, hello::Presented, outbox};
use crate::{
    publish::Subscription,
    state::{ActiveConfig, Refusal},
};
use cliproxy_domain::{ConfigId, Hint, HintVersion};
use cliproxy_proto::{
    convert::config::Hashes,
    v1::{Ack, Heartbeat, Line, Nack, SyncDown, SyncUp, Welcome, sync_down, sync_up},
};
use cliproxy_store::{HintChange, NodeRecord, StoredConfig};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

/// How often each side sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long a node may be silent, heartbeats included, before its stream is ended.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a node may take to acknowledge hints.
const HINT_LAG: Duration = Duration::from_secs(5);
/// How long a node may take to acknowledge or refuse a configuration.
const CONFIG_LAG: Duration = Duration::from_secs(60);
/// How many changes of the hint log are read for a node that resumes; one that misses more gets all hints.
const RESUME_LIMIT: u32 = 1_000;

/// One node's session.
pub(super) struct Session {
    context: Context,
    node: Presented,
    hints: Subscription,
    config: watch::Receiver<Option<Arc<ActiveConfig>>>,
    /// The configuration that the node runs; `None` when it has none that the store knows.
    on: Option<(u64, Hashes)>,
    /// The configuration that was sent and not answered. The next one waits for the answer.
    in_flight: Option<(Arc<ActiveConfig>, Instant)>,
    hints_sent: HintVersion,
    hints_unacked_since: Option<Instant>,
    last_heard: Instant,
    outbox: VecDeque<SyncDown>,
    nonces: u64,
}

impl Session {
    /// Welcomes a node and queues what it misses. From here on every change reaches it.
    pub(super) async fn open(context: &Context, node: Presented) -> Self {
        let now = context.state.clock.now();
        let mut session = Self {
            // Before the state is read, so that nothing falls between the two.
            hints: context.publish.subscribe(),
            config: context.state.config.subscribe(),
            context: context.clone(),
            on: None,
            in_flight: None,
            hints_sent: HintVersion(0),
            hints_unacked_since: None,
            last_heard: now,
            outbox: VecDeque::new(),
            nonces: 0,
            node,
        };
        session.outbox.push_back(outbox::down(sync_down::Message::Welcome(Welcome {
            cp_id: context.cp_id.to_string(),
            history_id: context.state.history().0,
            heartbeat_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
            other_replicas: context.state.fleet.places(),
            leader_epoch: context.state.fleet.leader_epoch(),
            db_ok: *context.state.database.borrow(),
            proto: cliproxy_proto::VERSION,
        })));
        session.register().await;
        session.resume_hints().await;
        session.resume_config().await;
        session
    }

    async fn register(&self) {
        let node = &self.node;
        let record = self.record();
        // Numbers of another history say nothing here.
        let has = if self.same_history() { (node.have_config, node.have_hints) } else { Default::default() };
        self.context.state.nodes.connected(record.clone(), has.0, has.1);
        self.context.metrics.connected_nodes.inc();
        tracing::info!(
            node = %node.node, incarnation = %node.incarnation, build = node.build,
            config = %node.have_config, hints = %node.have_hints, "a node connected"
        );
        self.remember(record).await;
    }

    fn record(&self) -> NodeRecord {
        NodeRecord {
            node: self.node.node.clone(),
            incarnation: self.node.incarnation,
            build: self.node.build.clone(),
            listen: self.node.listen.clone(),
            last_seen: self.context.state.clock.wall(),
        }
    }

    /// Writes the node down, for people: a store that is away does not keep a node from its state.
    async fn remember(&self, record: NodeRecord) {
        if let Err(error) = self.context.state.store.see_node(record).await {
            self.context.metrics.store_errors.inc();
            tracing::warn!(%error, node = %self.node.node, "a node could not be written down");
        }
    }

    /// Queues the hints that the node misses: by the log since the ones it has, else all that are stored; and those
    /// that are not.
    async fn resume_hints(&mut self) {
        let state = Arc::clone(&self.context.state);
        let have = self.node.have_hints;
        let now = state.clock.wall();
        if self.same_history() && have == state.hints.version() {
            self.hints_sent = have;
        } else if let Some((changes, to)) = self.missed_hints().await {
            let nonce = self.nonce();
            let values = changes.iter().map(|change| &change.hint);
            let delta = outbox::hints_delta(values, have, to, now, &nonce);
            self.sent_hints(to);
            self.outbox.push_back(delta);
        } else {
            let (version, values) = state.hints.stored();
            let nonce = self.nonce();
            self.sent_hints(version);
            self.outbox.extend(outbox::hints_whole(&values, version, now, &nonce));
        }
        let passing = state.hints.passing();
        if !passing.is_empty() {
            self.queue_unnumbered(&passing);
        }
    }

    /// Gives the changes that the node missed and the newest number, where the log has them and they are few.
    async fn missed_hints(&self) -> Option<(Vec<HintChange>, HintVersion)> {
        if !self.same_history() {
            return None;
        }
        let missed = self.context.state.store.changes_since(self.node.have_hints, RESUME_LIMIT).await;
        let changes = missed.ok().flatten().filter(|changes| changes.len() < RESUME_LIMIT as usize)?;
        let to = changes.last()?.version;
        Some((changes, to))
    }

    /// Finds out what the node runs and queues what it misses.
    async fn resume_config(&mut self) {
        if self.same_history() && self.node.have_config != ConfigId(0) {
            let stored = self.stored(self.node.have_config).await;
            self.on = stored.filter(|stored| stored.hash == self.node.config_hash).map(known);
        }
        self.offer_config();
    }

    async fn stored(&self, id: ConfigId) -> Option<StoredConfig> {
        let stored = self.context.state.store.config(id).await;
        stored.unwrap_or_else(|error| {
            tracing::warn!(%error, config = %id, "a configuration could not be read; sending the whole set");
            None
        })
    }

    fn same_history(&self) -> bool {
        self.node.history == self.context.state.history()
    }

    /// Queues the newest configuration, unless the node has it, refused it, or still owes an answer.
    fn offer_config(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        let Some(newest) = self.config.borrow_and_update().clone() else { return };
        let has_it = self.on.as_ref().is_some_and(|(id, _)| *id == newest.id.0);
        if has_it || self.context.state.nodes.has_refused(&self.node.node, newest.id) {
            return;
        }
        let nonce = self.nonce();
        self.outbox.extend(outbox::config(&newest, self.on.as_ref(), &nonce));
        self.in_flight = Some((newest, self.context.state.clock.now()));
    }

    /// Runs until the node goes or does not keep up. May be dropped in the middle.
    pub(super) async fn run(
        &mut self,
        up: &mut Streaming<SyncUp>,
        down: &mpsc::Sender<Result<SyncDown, Status>>,
    ) -> Result<(), Status> {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = down.closed() => return Ok(()),
                () = self.hints.overflowed() => return Err(self.too_slow("more hints wait than it may leave")),
                message = up.message() => match message? {
                    Some(message) => self.on_message(message).await,
                    None => return Ok(()),
                },
                permit = down.reserve(), if !self.outbox.is_empty() => {
                    if let (Ok(permit), Some(message)) = (permit, self.outbox.pop_front()) {
                        permit.send(Ok(message));
                    }
                }
                _ = heartbeat.tick() => self.on_tick()?,
                // Hints wait in their queue, merged, until what was said before is gone.
                () = self.hints.ready(), if self.outbox.is_empty() => self.queue_hints(),
                Ok(()) = self.config.changed(), if self.in_flight.is_none() => self.offer_config(),
            }
        }
    }

    async fn on_message(&mut self, message: SyncUp) {
        self.last_heard = self.context.state.clock.now();
        match message.message {
            Some(sync_up::Message::Ack(ack)) => self.on_ack(ack),
            Some(sync_up::Message::Nack(nack)) => self.on_nack(nack).await,
            Some(sync_up::Message::Hello(_) | sync_up::Message::Heartbeat(_)) | None => {}
        }
    }

    fn on_ack(&mut self, ack: Ack) {
        let state = &self.context.state;
        match ack.line() {
            Line::Config => {
                let answered = self.in_flight.take_if(|(config, _)| config.id.0 == ack.version);
                if let Some((config, _)) = answered {
                    state.nodes.acked_config(&self.node.node, config.id);
                    tracing::info!(
                        node = %self.node.node, config = %config.id, apply_us = ack.apply_us,
                        unsupported = ?ack.unsupported, "a node took a configuration"
                    );
                    self.on = Some((config.id.0, config.entries.hashes()));
                    self.offer_config();
                }
            }
            Line::Hint => {
                state.nodes.acked_hints(&self.node.node, HintVersion(ack.version));
                let behind = ack.version < self.hints_sent.0;
                self.hints_unacked_since = behind.then(|| state.clock.now());
            }
            Line::Unspecified => {}
        }
    }

    /// Notes a refusal. The refused configuration is not sent to this node again; the next one is told as a
    /// difference from what the node says it runs.
    async fn on_nack(&mut self, nack: Nack) {
        let refused = self.in_flight.take_if(|(config, _)| config.id.0 == nack.rejected_config);
        let Some((config, _)) = refused else { return };
        let refusal = Refusal {
            config: config.id,
            still_on: ConfigId(nack.still_on),
            reason: nack.reason.chars().take(1_000).collect(),
            at: self.context.state.clock.wall(),
        };
        tracing::error!(
            node = %self.node.node, config = %refusal.config, still_on = %refusal.still_on,
            reason = refusal.reason, "a node refused a configuration"
        );
        self.context.metrics.nacks.inc();
        self.context.state.nodes.refused(&self.node.node, refusal);
        if self.on.as_ref().is_none_or(|(id, _)| *id != nack.still_on) {
            self.on = match nack.still_on {
                0 => None,
                still_on => self.stored(ConfigId(still_on)).await.map(known),
            };
        }
        self.offer_config();
    }

    /// Sends a heartbeat, unless the last one still waits, and ends the stream of a node that does not keep up.
    fn on_tick(&mut self) -> Result<(), Status> {
        let state = &self.context.state;
        let now = state.clock.now();
        let over = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        if over(self.last_heard, SILENCE) {
            return Err(self.too_slow("it was silent for 5 s"));
        }
        if self.hints_unacked_since.is_some_and(|since| over(since, HINT_LAG)) {
            return Err(self.too_slow("it left hints unacknowledged for 5 s"));
        }
        if self.in_flight.as_ref().is_some_and(|(_, since)| over(*since, CONFIG_LAG)) {
            return Err(self.too_slow("it left a configuration unanswered for 60 s"));
        }
        if self.outbox.is_empty() {
            let config = state.active().map_or(0, |active| active.id.0);
            self.outbox.push_back(outbox::down(sync_down::Message::Heartbeat(Heartbeat {
                db_ok: *state.database.borrow(),
                config,
                hints: state.hints.version().0,
                leader_epoch: state.fleet.leader_epoch(),
            })));
        }
        Ok(())
    }

    fn queue_hints(&mut self) {
        let pending = self.hints.take();
        let now = self.context.state.clock.wall();
        // What keeps requests away from a provider goes first.
        if !pending.urgent.is_empty() {
            self.queue_unnumbered(pending.urgent.values());
        }
        if !pending.numbered.is_empty() {
            let (nonce, from) = (self.nonce(), self.hints_sent);
            self.sent_hints(pending.version);
            let values = pending.numbered.values();
            self.outbox.push_back(outbox::hints_delta(values, from, self.hints_sent, now, &nonce));
        }
        if !pending.passing.is_empty() {
            self.queue_unnumbered(pending.passing.values());
        }
    }

    /// Queues hints that have no number, or none yet.
    fn queue_unnumbered<'a>(&mut self, hints: impl IntoIterator<Item = &'a Hint>) {
        let (nonce, none) = (self.nonce(), HintVersion(0));
        let now = self.context.state.clock.wall();
        self.outbox.push_back(outbox::hints_delta(hints, none, none, now, &nonce));
    }

    /// Notes that hints up to `version` are on their way. What the node resumed from may already be past them. An
    /// empty line has no number to acknowledge.
    fn sent_hints(&mut self, version: HintVersion) {
        self.hints_sent = self.hints_sent.max(version);
        if version > HintVersion(0) {
            self.hints_unacked_since.get_or_insert_with(|| self.context.state.clock.now());
        }
    }

    fn nonce(&mut self) -> String {
        self.nonces += 1;
        self.nonces.to_string()
    }

    fn too_slow(&self, how: &'static str) -> Status {
        self.context.metrics.slow_nodes.inc();
        tracing::warn!(node = %self.node.node, how, "a node does not keep up and is disconnected");
        Status::resource_exhausted(format!("the node does not keep up: {how}; connect again and resume"))
    }

    /// Notes that the stream is over.
    pub(super) async fn close(self) {
        let record = self.record();
        self.context.metrics.connected_nodes.dec();
        self.context.state.nodes.disconnected(&self.node.node, record.last_seen);
        tracing::info!(node = %self.node.node, "a node's stream ended");
        self.remember(record).await;
    }
}

/// Gives the hashes of a stored configuration.
fn known(stored: StoredConfig) -> (u64, Hashes) {
    let hashes: Hashes = stored
        .entries
        .into_iter()
        .map(|entry| ((entry.kind, entry.key), entry.hash))
        .collect::<BTreeMap<_, _>>();
    (stored.id.0, hashes)
}
