//! One session with a control plane after another: opened, moved, lost, opened anew.

use super::{
    ControlLink, Identity, Observer, Reporter, SyncMetrics,
    connect::{SessionError, Uplink},
    events::Outbox,
    leases::Leases,
    metrics::Moved,
    moving::Ways,
    pace::Backoff,
    subscribe::{Followed, Opened, Subscriber},
    tries::Tries,
    trying::{Tried, Trying},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A connection for bulk this long was healthy: the next pause is the first again.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often a node without a control plane saves what it found out.
const SAVE: Duration = Duration::from_secs(1);

/// What sessions need of the rest of the node's side.
pub(super) struct Sessions<'a> {
    pub(super) identity: Identity,
    pub(super) subscriber: Subscriber,
    pub(super) ways: Arc<Ways>,
    pub(super) link: Arc<ControlLink>,
    pub(super) metrics: SyncMetrics,
    pub(super) reporter: Arc<Reporter>,
    pub(super) observer: Arc<Observer>,
    pub(super) outbox: &'a Outbox,
    pub(super) leases: Arc<Leases>,
}

/// How a session was lost.
struct Loss {
    endpoint: String,
    /// How long the node had followed that replica.
    lived: Duration,
    error: SessionError,
}

impl Sessions<'_> {
    /// Keeps a session, for as long as it is polled.
    pub(super) async fn keep(&mut self) {
        if self.ways.places.is_empty() {
            self.alone().await;
        }
        self.ways.places.resolve_first().await;
        let mut tries = Tries::default();
        loop {
            let opened = self.reach(&mut tries).await;
            let Loss { endpoint, lived, error } = self.session(opened).await;
            tracing::warn!(endpoint, %error, "the control plane is not connected");
            tries.lost(&endpoint, &error, lived, &self.ways.entropy, self.ways.clock.now());
        }
    }

    /// Does what a node does that has nothing to connect to: what rests must outlive a restart all the same.
    async fn alone(&mut self) -> ! {
        loop {
            tokio::time::sleep(SAVE).await;
            self.subscriber.save_news().await;
        }
    }

    /// Opens a stream over the warm connection, else to one place after another; who says nothing keeps nobody waiting.
    /// Gives the first that is welcomed.
    async fn reach(&mut self, tries: &mut Tries) -> Opened {
        let mut trying = Trying::new(Arc::clone(&self.ways));
        if let Some(warm) = self.ways.standby.take() {
            trying.over(warm, self.subscriber.hello());
        }
        let mut is_told = false;
        let mut save = tokio::time::interval_at(Instant::from_std(self.ways.clock.now()) + SAVE, SAVE);
        save.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = tries.next(&self.ways.places.all(), trying.places(), self.ways.clock.now());
            let begin = trying.may_begin(next);
            tokio::select! {
                biased;
                tried = trying.tried() => match tried {
                    Tried::Welcome(opened) => return *opened,
                    Tried::InVain(place, error) => {
                        // Once; the tries that follow only repeat it.
                        if std::mem::replace(&mut is_told, true) {
                            tracing::info!(endpoint = place, %error, "no control plane takes the node in");
                        } else {
                            tracing::warn!(endpoint = place, %error, "no control plane takes the node in");
                        }
                        tries.failed(&place, &error, &self.ways.entropy, self.ways.clock.now());
                    }
                    Tried::Cold(place, error) => {
                        tracing::info!(endpoint = place, %error, "the connection to the replica that stood by is lost");
                    }
                },
                place = begin => trying.begin(place, self.subscriber.hello()),
                _ = save.tick() => self.subscriber.save_news().await,
            }
        }
    }

    /// Follows one stream, and those that the node moves to from there, until one is lost; gives why.
    async fn session(&mut self, mut opened: Opened) -> Loss {
        loop {
            let Uplink { endpoint, channel } = opened.uplink.clone();
            let cp_id = opened.welcome.cp_id.clone();
            tracing::info!(endpoint, control_plane = cp_id, "the control plane is connected");
            self.ways.pace.answers(&endpoint);
            self.link.connecting(channel.clone());
            self.ways.places.learn(std::mem::take(&mut opened.welcome.other_replicas));
            self.ways.standby.beside(&endpoint, &cp_id);
            let began = self.ways.clock.now();
            let bulk = bulk(&self.ways, &endpoint, &self.reporter, &self.observer, &self.identity);
            let followed = tokio::select! {
                biased;
                followed = self.subscriber.follow(&mut opened, &self.ways) => followed,
                error = self.outbox.run(channel.clone()) => Followed::Lost(error),
                error = self.leases.keep(channel, &self.identity) => Followed::Lost(error),
                () = bulk => continue,
            };
            match followed {
                Followed::Moved(reason, next) => {
                    self.metrics.moves.get_or_create(&Moved { reason: reason.as_str() }).inc();
                    tracing::info!(
                        from = endpoint,
                        to = next.uplink.endpoint,
                        reason = reason.as_str(),
                        "the node follows another control plane"
                    );
                    opened = *next;
                }
                Followed::Lost(error) => {
                    self.lost(&endpoint);
                    let lived = self.ways.clock.now().saturating_duration_since(began);
                    return Loss { endpoint, lived, error };
                }
            }
        }
    }

    /// Notes that a stream was lost that had been welcomed.
    fn lost(&self, endpoint: &str) {
        self.link.disconnected();
        self.ways.standby.alone();
        self.ways.pace.lost(endpoint);
        self.metrics.connected.set(0);
        self.metrics.sessions_ended.inc();
    }
}

/// Keeps a connection for bulk, so that it never sits before a cooldown in one socket's buffer. Failing costs nothing but
/// time: what is not confirmed is sent again.
async fn bulk(ways: &Ways, endpoint: &str, reporter: &Reporter, observer: &Observer, identity: &Identity) {
    let mut backoff = Backoff::default();
    loop {
        let began = ways.clock.now();
        let error = match ways.dialer.dial(endpoint).await {
            Ok(Uplink { channel, .. }) => tokio::select! {
                biased;
                error = reporter.run(channel.clone(), identity) => error,
                error = observer.run(channel, &identity.node) => error,
            },
            Err(error) => error,
        };
        if ways.clock.now().saturating_duration_since(began) >= HEALTHY {
            backoff.reset();
        }
        let pause = match error {
            SessionError::Later { after, .. } => after,
            _ => backoff.next(&ways.entropy),
        };
        tracing::info!(endpoint, %error, "reports wait for the control plane");
        tokio::time::sleep(pause).await;
    }
}
