//! One node's session: what it has, what it was sent, what it answered.

mod resume;

use super::{
    Context, Down,
    hello::{Presented, again},
    outbox,
    sessions::Seat,
};
use crate::{
    publish::Subscription,
    state::{ActiveConfig, Refusal},
};
use cliproxy_domain::{ConfigId, Hint, HintVersion, WallTime};
use cliproxy_proto::{
    convert::config::Hashes,
    v1::{
        Ack, Directive, Heartbeat, Line, Nack, ReconnectTo, SyncDown, SyncUp, Welcome, directive, sync_down,
        sync_up,
    },
};
use cliproxy_store::NodeRecord;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tonic::{Status, Streaming};

/// How often each side sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long a node may be silent, heartbeats included, before its stream is ended.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a node may take to acknowledge hints.
const HINT_LAG: Duration = Duration::from_secs(5);
/// How long a node may take to acknowledge or refuse a configuration.
const CONFIG_LAG: Duration = Duration::from_secs(60);
/// How long a node that was asked to connect anew, as its stream is old, may stay all the same.
const GRACE: Duration = Duration::from_secs(30);
/// How long the store may take to write a node down.
const WRITE_DOWN: Duration = Duration::from_secs(5);

/// One node's session.
pub(super) struct Session {
    context: Context,
    node: Presented,
    seat: Seat,
    hints: Subscription,
    config: watch::Receiver<Option<Arc<ActiveConfig>>>,
    /// The configuration that the node runs; `None` when it has none that the store knows.
    on: Option<(u64, Hashes)>,
    /// What the node has is newer than what this replica knows and nothing is known of it: no older one is offered.
    ahead: ConfigId,
    /// The configuration that was sent and not answered. The next one waits for the answer.
    in_flight: Option<(Arc<ActiveConfig>, Instant)>,
    hints_sent: HintVersion,
    hints_unacked_since: Option<Instant>,
    last_heard: Instant,
    /// When the node is asked to connect anew, and whether it was.
    grows_old: Instant,
    asked_for_age: bool,
    outbox: VecDeque<SyncDown>,
    nonces: u64,
}

impl Session {
    /// Welcomes a node. From here on every change reaches it.
    pub(super) fn open(context: &Context, node: Presented) -> Self {
        let now = context.state.clock.now();
        let age = context.max_connection_age.mul_f64(0.9 + 0.2 * context.entropy.fraction());
        let mut session = Self {
            seat: context.sessions.open(node.node.clone()),
            // Before the state is read, so that nothing falls between the two.
            hints: context.publish.subscribe(),
            config: context.state.config.subscribe(),
            context: context.clone(),
            on: None,
            ahead: ConfigId(0),
            in_flight: None,
            hints_sent: HintVersion(0),
            hints_unacked_since: None,
            last_heard: now,
            grows_old: now + age,
            asked_for_age: false,
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
        if !session.node.history.0.is_empty() && !session.same_history() {
            context.state.learning.met_a_stranger(now);
        }
        session.register();
        session
    }

    fn register(&self) {
        let node = &self.node;
        let record = self.record();
        // Numbers of another history say nothing here.
        let has = if self.same_history() { (node.have_config, node.have_hints) } else { Default::default() };
        let nodes = &self.context.state.nodes;
        nodes.started_anew(&node.node, node.incarnation, node.died_of);
        nodes.connected(record.clone(), has.0, has.1);
        self.context.metrics.connected_nodes.inc();
        tracing::info!(
            node = %node.node, incarnation = %node.incarnation, build = node.build,
            config = %node.have_config, hints = %node.have_hints, "a node connected"
        );
        self.note_death();
        self.remember(record);
    }

    /// Takes a node's word that it died of a configuration as its refusal: it is not sent that one again.
    fn note_death(&self) {
        let node = &self.node;
        let known = self.context.state.nodes.has_refused(&node.node, node.died_of);
        if node.died_of == ConfigId(0) || !self.same_history() {
            return;
        }
        if known {
            return self.context.state.nodes.takes_at(&node.node, self.again_at(node.again_in));
        }
        tracing::error!(
            node = %node.node, config = %node.died_of, still_on = %node.have_config,
            "a node died three times within a minute of putting a configuration in force, and runs an older one"
        );
        self.context.metrics.sync.crash_loops.inc();
        let refusal = Refusal {
            config: node.died_of,
            still_on: node.have_config,
            reason: "it died three times within a minute of putting it in force".to_owned(),
            at: self.context.state.clock.wall(),
            again_at: self.again_at(node.again_in),
        };
        self.context.state.nodes.refused(&node.node, refusal);
    }

    fn again_at(&self, again_in: Option<Duration>) -> Option<WallTime> {
        again_in.map(|again_in| self.context.state.clock.wall().plus(again_in))
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
    fn remember(&self, record: NodeRecord) {
        let (store, metrics) = (Arc::clone(&self.context.state.store), self.context.metrics.clone());
        self.context.streams.spawn(async move {
            let node = record.node.clone();
            let failed = match tokio::time::timeout(WRITE_DOWN, store.see_node(record)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {WRITE_DOWN:?}"),
            };
            metrics.store_errors.inc();
            tracing::warn!(error = failed, %node, "a node could not be written down");
        });
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
        // Whoever comes from another replica may have what this one has not read yet: nobody is sent back.
        let has_it = self.on.as_ref().is_some_and(|(id, _)| *id >= newest.id.0);
        if has_it
            || self.ahead > newest.id
            || self.context.state.nodes.has_refused(&self.node.node, newest.id)
        {
            return;
        }
        let nonce = self.nonce();
        let messages = outbox::config(&newest, self.on.as_ref(), &nonce);
        if !matches!(messages.first(), Some(SyncDown { message: Some(sync_down::Message::Delta(_)) })) {
            self.context.metrics.sync.whole_configs.inc();
        }
        self.outbox.extend(messages);
        self.in_flight = Some((newest, self.context.state.clock.now()));
    }

    /// Runs until the node goes or does not keep up. May be dropped in the middle.
    pub(super) async fn run(&mut self, up: &mut Streaming<SyncUp>, down: &Down) -> Result<(), Status> {
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
                word = self.seat.asked() => self.ask_to_go(word),
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
            again_at: self.again_at(again(nack.again_in_ms)),
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
                still_on => self.stored(ConfigId(still_on)).await.ok().flatten().map(resume::known),
            };
        }
        self.offer_config();
    }

    /// Sends a heartbeat, unless the last one still waits, and ends the stream of a node that does not keep up.
    fn on_tick(&mut self) -> Result<(), Status> {
        let state = Arc::clone(&self.context.state);
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
        if over(self.grows_old, GRACE) {
            return Err(Status::unavailable("this stream is old; connect again and resume"));
        }
        if state.nodes.takes_again(&self.node.node, state.clock.wall()) {
            self.offer_config();
        }
        if now >= self.grows_old && !self.asked_for_age {
            self.asked_for_age = true;
            self.context.metrics.sync.asked_to_go("age");
            self.ask_to_go(ReconnectTo::default());
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

    /// Queues the word that the node should connect elsewhere, or anew.
    fn ask_to_go(&mut self, word: ReconnectTo) {
        let directive = Directive { directive: Some(directive::Directive::ReconnectTo(word)) };
        self.outbox.push_back(outbox::down(sync_down::Message::Directive(directive)));
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
    pub(super) fn close(self) {
        let record = self.record();
        self.context.metrics.connected_nodes.dec();
        self.context.state.nodes.disconnected(&self.node.node, record.incarnation, record.last_seen);
        tracing::info!(node = %self.node.node, "a node's stream ended");
        self.remember(record);
    }
}
