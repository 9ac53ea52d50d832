//! The node's end of the `Sync` stream: it says hello with what it has, follows what comes, and tells how it is.

mod apply;
mod parts;
mod saving;

use super::{
    ControlLink, HealthWords, Identity, SyncMetrics,
    connect::{SessionError, Uplink},
    guard::Guard,
    last_known_good::LastKnownGood,
    moving::{Moving, Reason, Step, Ways},
};
use crate::live::Live;
use cliproxy_domain::{ConfigId, Hint, HintVersion, HistoryId, Snapshot};
use cliproxy_host::{Clock, Disk};
use cliproxy_proto::{
    VERSION,
    convert::config::EntrySet,
    v1::{
        Heartbeat, Hello, SyncDown, SyncUp, Welcome, directive, sync_client::SyncClient, sync_down, sync_up,
    },
};
use parts::Parts;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

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
    disk: Arc<dyn Disk>,
    files: LastKnownGood,
    guard: Guard,
    have: Have,
    parts: Parts,
    dirty: bool,
    /// Until when nothing is saved, as the disk did not take it.
    save_again: Option<std::time::Instant>,
    /// The hints that were saved last.
    saved: Vec<Hint>,
}

/// What a subscriber needs of the rest of the node.
pub(super) struct SubscriberParts {
    pub(super) identity: Identity,
    pub(super) build: String,
    pub(super) listen: SocketAddr,
    pub(super) live: Arc<Live>,
    pub(super) health: Arc<HealthWords>,
    pub(super) link: Arc<ControlLink>,
    pub(super) metrics: SyncMetrics,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) disk: Arc<dyn Disk>,
}

/// A configuration that a control plane offers, and the number that those of its history know it by.
pub struct Offered {
    /// The history.
    pub history: HistoryId,
    /// Its number.
    pub config: ConfigId,
    /// What it says.
    pub snapshot: Snapshot,
}

/// What the node has.
#[derive(Default)]
struct Have {
    history: HistoryId,
    /// 0 while the node has none that the control planes of this history know.
    config: ConfigId,
    entries: EntrySet,
    hints: HintVersion,
}

/// A stream that is open and welcomed.
pub(super) struct Opened {
    pub(super) uplink: Uplink,
    pub(super) welcome: Welcome,
    up: mpsc::Sender<SyncUp>,
    down: Streaming<SyncDown>,
}

/// How following a stream ended.
pub(super) enum Followed {
    /// The node follows another from now on; this one still stands.
    Moved(Reason, Box<Opened>),
    /// The stream is lost.
    Lost(SessionError),
}

/// Opens a stream and waits until it is welcomed.
pub(super) async fn open(uplink: Uplink, hello: Hello, patience: Duration) -> Result<Opened, SessionError> {
    let opening = async {
        let (up, stream) = mpsc::channel(QUEUE);
        let hello = up_message(sync_up::Message::Hello(hello));
        up.send(hello).await.map_err(|_| SessionError::Closed)?;
        let mut client = SyncClient::new(uplink.channel.clone());
        let mut down = client.subscribe(ReceiverStream::new(stream)).await?.into_inner();
        match down.message().await?.map(|first| first.message) {
            Some(Some(sync_down::Message::Welcome(welcome))) => Ok(Opened { uplink, welcome, up, down }),
            Some(_) => Err(SessionError::Protocol("something before the welcome".to_owned())),
            None => Err(SessionError::Closed),
        }
    };
    tokio::time::timeout(patience, opening).await.unwrap_or(Err(SessionError::Silent(patience)))
}

impl Subscriber {
    /// Puts the last known good configuration in force, when the disk holds one.
    pub(super) fn new(parts: SubscriberParts) -> Self {
        let SubscriberParts { identity, build, listen, live, health, link, metrics, clock, disk } = parts;
        let mut this = Self {
            guard: Guard::load(Arc::clone(&disk), Arc::clone(&clock), &build),
            files: LastKnownGood::new(Arc::clone(&disk)),
            identity,
            build,
            listen,
            live,
            health,
            link,
            metrics,
            clock,
            disk,
            have: Have::default(),
            parts: Parts::default(),
            dirty: false,
            save_again: None,
            saved: Vec::new(),
        };
        this.load();
        this.show_config();
        this
    }

    fn show_config(&self) {
        self.metrics.config_version.set(i64::try_from(self.have.config.0).unwrap_or(i64::MAX));
    }

    /// Says what the node has.
    pub(super) fn hello(&self) -> Hello {
        let died_of = self.guard.died_of(&self.have.history);
        Hello {
            node_id: self.identity.node.to_string(),
            incarnation: self.identity.incarnation.0,
            build: self.build.clone(),
            history_id: self.have.history.to_string(),
            have_config: self.have.config.0,
            config_hash: self.have.entries.hash(),
            have_hints: self.have.hints.0,
            listen: self.listen.to_string(),
            crash_looped_config: died_of.map_or(0, |died_of| died_of.config.0),
            crash_looped_again_ms: died_of.map_or(0, |died_of| millis(died_of.again_in)),
            proto_min: VERSION,
            proto_max: VERSION,
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat { config: self.have.config.0, hints: self.have.hints.0, ..Heartbeat::default() }
    }

    /// Takes a welcome: from here on the stream that it came on counts.
    fn welcomed(&mut self, welcome: &Welcome) {
        self.parts = Parts::default();
        if self.have.history.0 != welcome.history_id {
            // Numbers of another history mean nothing here; what they stand for goes on serving.
            if !self.have.history.0.is_empty() {
                tracing::warn!(
                    before = %self.have.history, now = welcome.history_id,
                    "the control planes have another history: what they have is taken anew"
                );
            }
            self.have.history = HistoryId(welcome.history_id.clone());
            (self.have.config, self.have.hints) = (ConfigId(0), HintVersion(0));
            self.health.another_history();
        }
        self.heard();
    }

    fn heard(&self) {
        self.link.heard(self.clock.now());
        self.metrics.connected.set(1);
    }

    /// Follows a stream until it is lost, or another is followed in its place.
    pub(super) async fn follow(&mut self, stream: &mut Opened, ways: &Arc<Ways>) -> Followed {
        self.welcomed(&stream.welcome);
        let mut moving = Moving::from(Arc::clone(ways), stream.uplink.endpoint.clone());
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_heard = Instant::from_std(self.clock.now());
        loop {
            let patience = ways.pace.patience();
            let answer = tokio::select! {
                biased;
                _ = heartbeat.tick() => {
                    self.keep().await;
                    Ok(Some(sync_up::Message::Heartbeat(self.heartbeat())))
                }
                // Before the silence is looked at: this process may have stood still itself.
                message = stream.down.message() => {
                    last_heard = Instant::from_std(self.clock.now());
                    match message {
                        Ok(Some(message)) => {
                            self.heard();
                            self.received(message, &mut moving).await
                        }
                        Ok(None) => return Followed::Lost(SessionError::Closed),
                        Err(status) => return Followed::Lost(status.into()),
                    }
                }
                step = moving.step() => {
                    match step {
                        Step::Due => moving.begin(self.hello()),
                        Step::Arrived(reason, opened) => return Followed::Moved(reason, opened),
                        Step::Stays => {}
                    }
                    Ok(None)
                }
                () = tokio::time::sleep_until(last_heard + patience) => {
                    return Followed::Lost(SessionError::Silent(patience));
                }
            };
            let answer = match answer {
                Ok(None) => continue,
                Ok(Some(answer)) => up_message(answer),
                Err(error) => return Followed::Lost(error),
            };
            match tokio::time::timeout(patience, stream.up.send(answer)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Followed::Lost(SessionError::Closed),
                Err(_) => return Followed::Lost(SessionError::Silent(patience)),
            }
        }
    }

    async fn received(
        &mut self,
        message: SyncDown,
        moving: &mut Moving,
    ) -> Result<Option<sync_up::Message>, SessionError> {
        match message.message {
            Some(sync_down::Message::Chunk(chunk)) => self.chunk(chunk).await,
            Some(sync_down::Message::Delta(delta)) => self.delta(delta).await,
            Some(sync_down::Message::Heartbeat(beat)) => {
                moving.heartbeat(beat.db_ok);
                Ok(None)
            }
            Some(sync_down::Message::Directive(directive)) => {
                if let Some(directive::Directive::ReconnectTo(word)) = directive.directive {
                    moving.told(word);
                }
                Ok(None)
            }
            // A second welcome, or something newer than this program.
            Some(sync_down::Message::Welcome(_)) | None => Ok(None),
        }
    }
}

/// Whole milliseconds, rounded up: whoever waits for so long does not come too early.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn up_message(message: sync_up::Message) -> SyncUp {
    SyncUp { message: Some(message) }
}
