//! One session with a control plane after another: opened, moved, lost, opened anew.

use super::{
    ControlLink, Identity, Observer, Reporter, SyncMetrics,
    connect::{SessionError, Uplink},
    events::Outbox,
    metrics::Moved,
    moving::Ways,
    pace::Backoff,
    subscribe::{Followed, Opened, Subscriber, open},
};
use std::{sync::Arc, time::Duration};

/// A session this long was healthy: the next pause is the first again.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often a node without a control plane saves what it found out.
const SAVE: Duration = Duration::from_secs(1);
/// So many failures in a row are tried again without a pause.
const AT_ONCE: u32 = 1;

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
}

/// How it went lately.
#[derive(Default)]
struct Luck {
    /// Failures in a row.
    failures: u32,
    backoff: Backoff,
    /// Which place is tried next.
    turn: usize,
}

impl Sessions<'_> {
    /// Keeps a session, for as long as it is polled.
    pub(super) async fn keep(&mut self) {
        if self.ways.places.is_empty() {
            self.alone().await;
        }
        self.ways.places.resolve_first().await;
        let mut luck = Luck::default();
        loop {
            let error = match self.reach(&mut luck).await {
                Ok(opened) => self.session(opened, &mut luck).await,
                Err(error) => error,
            };
            self.subscriber.save_news().await;
            self.failed(&mut luck, error).await;
        }
    }

    /// Does what a node does that has nothing to connect to: what rests must outlive a restart all the same.
    async fn alone(&mut self) -> ! {
        loop {
            tokio::time::sleep(SAVE).await;
            self.subscriber.save_news().await;
        }
    }

    /// Opens a stream over the warm connection, else to the next place.
    async fn reach(&self, luck: &mut Luck) -> Result<Opened, SessionError> {
        let uplink = match self.ways.standby.take() {
            Some(warm) => warm,
            None => {
                let places = self.ways.places.all();
                let place = &places[luck.turn % places.len()];
                luck.turn += 1;
                self.ways.dialer.dial(place).await?
            }
        };
        open(uplink, self.subscriber.hello(), self.ways.pace.patience()).await
    }

    /// Follows one stream, and those that the node moves to from there, until one is lost; gives why.
    async fn session(&mut self, mut opened: Opened, luck: &mut Luck) -> SessionError {
        loop {
            let Uplink { endpoint, channel } = opened.uplink.clone();
            let cp_id = opened.welcome.cp_id.clone();
            tracing::info!(endpoint, control_plane = cp_id, "the control plane is connected");
            self.link.connecting(channel.clone());
            self.ways.places.learn(std::mem::take(&mut opened.welcome.other_replicas));
            self.ways.standby.beside(&endpoint, &cp_id);
            let began = self.ways.clock.now();
            let bulk = bulk(&self.ways, &endpoint, &self.reporter, &self.observer, &self.identity);
            let followed = tokio::select! {
                biased;
                followed = self.subscriber.follow(&mut opened, &self.ways) => followed,
                error = self.outbox.run(channel) => Followed::Lost(error),
                () = bulk => continue,
            };
            if self.ways.clock.now().saturating_duration_since(began) >= HEALTHY {
                *luck = Luck { turn: luck.turn, ..Luck::default() };
            }
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
                    self.lost();
                    return error;
                }
            }
        }
    }

    /// Notes that a stream was lost that had been welcomed.
    fn lost(&self) {
        self.link.disconnected();
        self.ways.standby.alone();
        self.metrics.connected.set(0);
        self.metrics.sessions_ended.inc();
        if self.ways.pace.lost() {
            tracing::warn!("connections to control planes come and go; the node is patient for ten minutes");
        }
    }

    /// Tells of a failure, and waits before the next try unless it is the first.
    async fn failed(&self, luck: &mut Luck, error: SessionError) {
        luck.failures += 1;
        self.metrics.patient.set(i64::from(self.ways.pace.is_relaxed()));
        let failures = luck.failures;
        // Once for each loss; the tries that follow only repeat it.
        if failures == 1 {
            tracing::warn!(%error, "the control plane is not connected");
        } else {
            tracing::info!(%error, failures, "the control plane is not connected");
        }
        match error {
            SessionError::Later { after, .. } => tokio::time::sleep(after).await,
            _ if failures > AT_ONCE => tokio::time::sleep(luck.backoff.next(&self.ways.entropy)).await,
            _ => {}
        }
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
