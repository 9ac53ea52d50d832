//! Receives configuration and hints. A configuration is put in force whole or not at all.

use super::link::SILENCE;
use super::{
    ControlLink, HealthWords, Identity, SyncMetrics,
    connect::SessionError,
    last_known_good::{LastKnownGood, Saved},
};
use crate::live::Live;
use cliproxy_domain::{ConfigId, Hint, HintVersion, HistoryId};
use cliproxy_host::Clock;
use cliproxy_proto::{
    convert::{config::EntrySet, hints::from_wire},
    v1::{
        Ack, Change, Delta, Heartbeat, Hello, Line, Nack, SnapshotChunk, SyncDown, SyncUp, Welcome,
        sync_client::SyncClient, sync_down, sync_up,
    },
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

const HEARTBEAT: Duration = Duration::from_millis(500);
/// Messages that wait to be sent up.
const QUEUE: usize = 64;

/// The node's end of the `Sync` stream. It outlives sessions.
pub(super) struct Subscriber {
    identity: Identity,
    build: String,
    listen: SocketAddr,
    live: Arc<Live>,
    health: Arc<HealthWords>,
    link: Arc<ControlLink>,
    metrics: SyncMetrics,
    clock: Arc<dyn Clock>,
    files: LastKnownGood,
    have: Have,
    parts: Parts,
    dirty: bool,
    /// The hints that were saved last.
    saved: Vec<Hint>,
}

/// What the node has.
#[derive(Default)]
struct Have {
    history: HistoryId,
    config: ConfigId,
    entries: EntrySet,
    hints: HintVersion,
}

/// The parts of a whole set, until the last has come.
#[derive(Default)]
struct Parts {
    line: i32,
    version: u64,
    chunks: Vec<Option<Vec<Change>>>,
}

impl Subscriber {
    pub(super) fn new(
        identity: Identity,
        build: String,
        listen: SocketAddr,
        live: Arc<Live>,
        health: Arc<HealthWords>,
        link: Arc<ControlLink>,
        metrics: SyncMetrics,
        clock: Arc<dyn Clock>,
        files: LastKnownGood,
    ) -> Self {
        let have = load(&files, &live, &health, &*clock).unwrap_or_default();
        metrics.config_version.set(i64::try_from(have.config.0).unwrap_or(i64::MAX));
        Self {
            identity,
            build,
            listen,
            live,
            health,
            link,
            metrics,
            clock,
            files,
            have,
            parts: Parts::default(),
            dirty: false,
            saved: Vec::new(),
        }
    }

    /// Follows one control plane until the stream ends; gives why.
    pub(super) async fn run(&mut self, channel: Channel) -> SessionError {
        let (up, stream) = mpsc::channel(QUEUE);
        self.parts = Parts::default();
        if up.send(up_message(sync_up::Message::Hello(self.hello()))).await.is_err() {
            return SessionError::Closed;
        }
        let mut client = SyncClient::new(channel);
        let mut down = match client.subscribe(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut last_heard = tokio::time::Instant::from_std(self.clock.now());
        loop {
            let answer = tokio::select! {
                message = down.message() => {
                    let now = self.clock.now();
                    last_heard = tokio::time::Instant::from_std(now);
                    self.link.heard(now);
                    self.metrics.connected.set(1);
                    match message {
                        Ok(Some(message)) => self.received(message),
                        Ok(None) => return SessionError::Closed,
                        Err(status) => return status.into(),
                    }
                }
                () = tokio::time::sleep_until(last_heard + SILENCE) => return SessionError::Silent(SILENCE),
                _ = heartbeat.tick() => {
                    if self.dirty {
                        self.save().await;
                    }
                    Ok(Some(sync_up::Message::Heartbeat(self.heartbeat())))
                }
            };
            match answer {
                Ok(None) => {}
                Ok(Some(message)) => {
                    if up.send(up_message(message)).await.is_err() {
                        return SessionError::Closed;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Saves what the node has, for its next start. Failing to is reported, and costs nothing until then.
    ///
    /// A node that runs alone has its configuration from its file, and saves what rests alone.
    pub(super) async fn save(&mut self) {
        let has_something = self.have.config != ConfigId(0) || self.link.is_alone();
        if !std::mem::take(&mut self.dirty) || !has_something {
            return;
        }
        let now = self.clock.wall();
        let saved_hints = self.hints_to_save();
        self.saved.clone_from(&saved_hints);
        let (files, history, entries) =
            (self.files.clone(), self.have.history.clone(), self.have.entries.clone());
        let (config, hints) = (self.have.config, self.have.hints);
        let saved = tokio::task::spawn_blocking(move || {
            files.save(&history, config, &entries, hints, &saved_hints, now)
        })
        .await;
        if let Err(error) = saved.map_err(std::io::Error::other).flatten() {
            tracing::warn!(%error, "the configuration could not be saved for the next start");
        }
    }

    /// Saves what the node found out by itself since it last saved.
    pub(super) async fn save_news(&mut self) {
        self.dirty |= self.hints_to_save() != self.saved;
        self.save().await;
    }

    /// Gives what is stored of the hints. What this node judged by itself of a provider's health is not saved.
    fn hints_to_save(&self) -> Vec<Hint> {
        let mut hints = self.live.hints();
        hints.retain(|hint| !matches!(hint, Hint::Health(_)));
        hints.extend(self.health.said().into_iter().map(Hint::Health));
        hints
    }

    fn hello(&self) -> Hello {
        Hello {
            node_id: self.identity.node.to_string(),
            incarnation: self.identity.incarnation.0,
            build: self.build.clone(),
            history_id: self.have.history.to_string(),
            have_config: self.have.config.0,
            config_hash: self.have.entries.hash(),
            have_hints: self.have.hints.0,
            listen: self.listen.to_string(),
            crash_looped_config: 0,
            proto_min: cliproxy_proto::VERSION,
            proto_max: cliproxy_proto::VERSION,
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat { config: self.have.config.0, hints: self.have.hints.0, ..Heartbeat::default() }
    }

    fn received(&mut self, message: SyncDown) -> Result<Option<sync_up::Message>, SessionError> {
        match message.message {
            Some(sync_down::Message::Welcome(welcome)) => {
                self.welcomed(welcome);
                Ok(None)
            }
            Some(sync_down::Message::Chunk(chunk)) => self.chunk(chunk),
            Some(sync_down::Message::Delta(delta)) => self.delta(delta),
            // A heartbeat, or something newer than this program.
            Some(sync_down::Message::Heartbeat(_) | sync_down::Message::Directive(_)) | None => Ok(None),
        }
    }

    fn welcomed(&mut self, welcome: Welcome) {
        tracing::info!(control_plane = welcome.cp_id, "the control plane is connected");
        if self.have.history.0 != welcome.history_id {
            // Numbers of another history mean nothing here; what they stand for goes on serving.
            self.have.history = HistoryId(welcome.history_id);
            self.have.hints = HintVersion(0);
            self.health.another_history();
        }
    }

    fn chunk(&mut self, chunk: SnapshotChunk) -> Result<Option<sync_up::Message>, SessionError> {
        let Some((hash, nonce, version, changes)) = self.parts.add(chunk)? else { return Ok(None) };
        if self.parts.line == i32::from(Line::Hint) {
            return Ok(Some(self.hints(&changes, version, nonce)));
        }
        let mut entries = EntrySet::default();
        entries.apply(&changes).map_err(protocol)?;
        self.config(entries, hash, version, nonce)
    }

    fn delta(&mut self, delta: Delta) -> Result<Option<sync_up::Message>, SessionError> {
        if delta.line() == Line::Hint {
            let ack = self.hints(&delta.changes, delta.to, delta.nonce);
            // Not numbered yet: the same value comes again.
            return Ok((delta.to > 0).then_some(ack));
        }
        if delta.from != self.have.config.0 {
            return Err(SessionError::Protocol(format!(
                "a change from configuration {} came while {} is in force",
                delta.from, self.have.config
            )));
        }
        let mut entries = self.have.entries.clone();
        entries.apply(&delta.changes).map_err(protocol)?;
        self.config(entries, delta.hash_after, delta.to, delta.nonce)
    }

    /// Puts a configuration in force, or refuses it and keeps the old one.
    fn config(
        &mut self,
        entries: EntrySet,
        hash: u64,
        version: u64,
        nonce: String,
    ) -> Result<Option<sync_up::Message>, SessionError> {
        if entries.hash() != hash {
            // Not the configuration's fault: what this node builds on is off, so it asks for the whole set.
            self.have.config = ConfigId(0);
            return Err(SessionError::Protocol("the hash of the configuration differs".into()));
        }
        let started = self.clock.now();
        let adopted = match entries.to_snapshot() {
            Err(error) => Err(error.to_string()),
            Ok(snapshot) => self.live.adopt(ConfigId(version), snapshot).map_err(|error| error.to_string()),
        };
        if let Err(reason) = adopted {
            tracing::error!(config = version, reason, "a configuration was refused; the old one goes on");
            self.metrics.configs_refused.inc();
            let still_on = self.have.config.0;
            return Ok(Some(sync_up::Message::Nack(Nack {
                nonce,
                rejected_config: version,
                still_on,
                reason,
            })));
        }
        let took = self.clock.now().saturating_duration_since(started);
        let unsupported = entries.unsupported();
        self.have.entries = entries;
        self.have.config = ConfigId(version);
        self.metrics.config_version.set(i64::try_from(version).unwrap_or(i64::MAX));
        self.dirty = true;
        tracing::info!(config = version, "a configuration is in force");
        Ok(Some(sync_up::Message::Ack(Ack {
            nonce,
            line: Line::Config.into(),
            version,
            apply_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            unsupported,
        })))
    }

    /// Merges hints. What cannot be understood is skipped: the line is never refused.
    fn hints(&mut self, changes: &[Change], version: u64, nonce: String) -> sync_up::Message {
        let now = self.clock.wall();
        let mut unsupported = Vec::new();
        let mut known = Vec::with_capacity(changes.len());
        for change in changes {
            match from_wire(change, now) {
                // Before the others: a probe that is wanted at once must find the connections forgotten.
                Ok(Some(Hint::Health(health))) => self.dirty |= self.health.heard(health, now),
                Ok(Some(hint)) => known.push(hint),
                Ok(None) => unsupported.push(change.kind),
                Err(error) => {
                    self.metrics.hints_skipped.inc();
                    tracing::warn!(key = change.key, %error, "a hint was skipped");
                }
            }
        }
        let is_stored = known.iter().any(Hint::is_stored);
        self.dirty |= self.live.hint_all(known, now) && is_stored;
        self.have.hints = self.have.hints.max(HintVersion(version));
        sync_up::Message::Ack(Ack { nonce, line: Line::Hint.into(), version, apply_us: 0, unsupported })
    }
}

impl Parts {
    /// Adds a part; gives hash, nonce, version and all changes when it was the last.
    fn add(&mut self, chunk: SnapshotChunk) -> Result<Option<(u64, String, u64, Vec<Change>)>, SessionError> {
        const MOST_PARTS: u32 = 1_024;
        if chunk.count == 0 || chunk.count > MOST_PARTS || chunk.index >= chunk.count {
            return Err(SessionError::Protocol(format!("part {} of {}", chunk.index, chunk.count)));
        }
        let count = chunk.count as usize;
        if (self.line, self.version, self.chunks.len()) != (chunk.line, chunk.version, count) {
            *self = Self { line: chunk.line, version: chunk.version, chunks: vec![None; count] };
        }
        self.chunks[chunk.index as usize] = Some(chunk.changes);
        if self.chunks.iter().any(Option::is_none) {
            return Ok(None);
        }
        let changes = std::mem::take(&mut self.chunks).into_iter().flatten().flatten().collect();
        Ok(Some((chunk.hash, chunk.nonce, chunk.version, changes)))
    }
}

fn load(files: &LastKnownGood, live: &Live, health: &HealthWords, clock: &dyn Clock) -> Option<Have> {
    let now = clock.wall();
    let Saved { history, config, entries, snapshot, hints, saved_hints } = files.load(now)?;
    // Configuration 0 is none: a node that ran alone saved it, whose file says what is configured.
    if config != ConfigId(0)
        && let Err(error) = live.adopt(config, snapshot)
    {
        tracing::warn!(%error, "the saved configuration cannot be used");
        return None;
    }
    for hint in saved_hints {
        match hint {
            Hint::Health(word) => health.heard(word, now),
            other => live.hint(other, now),
        };
    }
    if config != ConfigId(0) {
        tracing::info!(%config, "the last known good configuration is in force");
    }
    Some(Have { history, config, entries, hints })
}

fn up_message(message: sync_up::Message) -> SyncUp {
    SyncUp { message: Some(message) }
}

fn protocol(error: impl std::fmt::Display) -> SessionError {
    SessionError::Protocol(error.to_string())
}
