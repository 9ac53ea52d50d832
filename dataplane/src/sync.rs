//! The node's side of the control plane: receives configuration and hints, reports usage, urgent events and what was
//! observed, and hands operators' calls on.
//!
//! Nothing here is on the request path. While every control plane is away the node goes on with what it has, keeps
//! counting, and reports it all when one is back.

mod connect;
mod events;
mod health;
mod identity;
mod last_known_good;
mod link;
mod metrics;
mod observe;
mod report;
mod subscribe;

pub use health::{HealthWords, Judgement};
pub use identity::{Identity, IdentityError};
pub use link::{ControlLink, Relayed};
pub use metrics::SyncMetrics;
pub use observe::Observer;
pub use report::Reporter;

use crate::{live::Live, ops::Recent, probe::Judge};
use cliproxy_domain::{NodeId, RequestRecord, UrgentEvent};
use cliproxy_host::{Clock, Disk, Entropy, Net};
use last_known_good::LastKnownGood;
use link::SILENCE;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use subscribe::Subscriber;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the node's side needs.
pub struct SyncParts {
    /// Where control planes are, in order of preference.
    pub endpoints: Vec<String>,
    /// Who this node is.
    pub identity: Identity,
    /// The version of its program.
    pub build: String,
    /// Where it listens for clients.
    pub listen: SocketAddr,
    /// What it knows.
    pub live: Arc<Live>,
    /// What it counts.
    pub reporter: Arc<Reporter>,
    /// What cannot wait.
    pub urgent: mpsc::Receiver<UrgentEvent>,
    /// Requests that are kept for explaining.
    pub records: mpsc::Receiver<RequestRecord>,
    /// What was observed, on its way up.
    pub observer: Arc<Observer>,
    /// The words on the health of providers.
    pub health: Arc<HealthWords>,
    /// What operators see of the connection.
    pub link: Arc<ControlLink>,
    /// What metrics show of it.
    pub metrics: SyncMetrics,
    /// The seams.
    pub net: Arc<dyn Net>,
    /// The seams.
    pub clock: Arc<dyn Clock>,
    /// The seams.
    pub disk: Arc<dyn Disk>,
    /// The seams.
    pub entropy: Entropy,
}

/// The node's side of the control plane.
pub struct Sync {
    endpoints: Vec<String>,
    net: Arc<dyn Net>,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    link: Arc<ControlLink>,
    metrics: SyncMetrics,
    reporter: Arc<Reporter>,
    live: Arc<Live>,
    identity: Identity,
    subscriber: Subscriber,
    outbox: events::Outbox,
    urgent: mpsc::Receiver<UrgentEvent>,
    records: mpsc::Receiver<RequestRecord>,
    observer: Arc<Observer>,
    health: Arc<HealthWords>,
}

/// The first pause of a reconnect, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A session this long was healthy: the next pause is the first again.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often a node without a control plane saves what it found out.
const SAVE: Duration = Duration::from_secs(1);
/// How often a control plane that just went away is tried without a pause.
const AT_ONCE: u32 = 1;

impl Sync {
    /// Prepares the node's side, and puts the last known good configuration in force when the disk holds one.
    pub fn build(parts: SyncParts) -> Self {
        let SyncParts {
            endpoints,
            identity,
            build,
            listen,
            live,
            reporter,
            urgent,
            records,
            observer,
            health,
            link,
            metrics,
            net,
            clock,
            disk,
            entropy,
        } = parts;
        let subscriber = Subscriber::new(
            identity.clone(),
            build,
            listen,
            Arc::clone(&live),
            Arc::clone(&health),
            Arc::clone(&link),
            metrics.clone(),
            Arc::clone(&clock),
            LastKnownGood::new(disk),
        );
        Self {
            endpoints,
            net,
            entropy,
            link,
            metrics,
            reporter,
            live,
            identity,
            subscriber,
            outbox: events::Outbox::new(Arc::clone(&clock)),
            urgent,
            records,
            observer,
            health,
            clock,
        }
    }

    /// Gives the node's name.
    pub fn node(&self) -> &NodeId {
        &self.identity.node
    }

    /// Counts windows and keeps a session with one control plane after another until `shutdown`. `judge` sees each
    /// window as well.
    pub async fn run(self, shutdown: CancellationToken, recent: Arc<Recent>, judge: Arc<Judge>) {
        let Self { reporter, clock, live, link, metrics, observer, health, urgent, records, .. } = self;
        let outbox = self.outbox;
        let mut sessions = Sessions {
            endpoints: self.endpoints,
            net: self.net,
            entropy: self.entropy,
            identity: self.identity,
            subscriber: self.subscriber,
            clock: Arc::clone(&clock),
            link: Arc::clone(&link),
            metrics: metrics.clone(),
            reporter: Arc::clone(&reporter),
            observer: Arc::clone(&observer),
            outbox: &outbox,
        };
        tokio::select! {
            () = count_windows(&reporter, &*clock, &recent, &live, &judge) => {}
            () = outbox.collect(urgent) => {}
            () = collect_records(records, &observer) => {}
            () = follow_silence(&link, &live, &health, &metrics, &*clock) => {}
            () = sessions.keep() => {}
            () = shutdown.cancelled() => {}
        }
        sessions.subscriber.save_news().await;
    }
}

/// One session with a control plane after another.
struct Sessions<'a> {
    endpoints: Vec<String>,
    net: Arc<dyn Net>,
    entropy: Entropy,
    identity: Identity,
    subscriber: Subscriber,
    clock: Arc<dyn Clock>,
    link: Arc<ControlLink>,
    metrics: SyncMetrics,
    reporter: Arc<Reporter>,
    observer: Arc<Observer>,
    outbox: &'a events::Outbox,
}

impl Sessions<'_> {
    async fn keep(&mut self) {
        if self.endpoints.is_empty() {
            // Alone: nothing to connect to. What rests must outlive a restart all the same.
            loop {
                tokio::time::sleep(SAVE).await;
                self.subscriber.save_news().await;
            }
        }
        let mut failures = 0;
        for turn in 0.. {
            let endpoint = self.endpoints[turn % self.endpoints.len()].clone();
            let started = self.clock.now();
            let error = self.session(&endpoint).await;
            self.link.disconnected();
            self.subscriber.save_news().await;
            if self.metrics.connected.set(0) == 1 {
                self.metrics.sessions_ended.inc();
            }
            if self.clock.now().saturating_duration_since(started) >= HEALTHY {
                failures = 0;
            }
            failures += 1;
            // Once for each loss; the tries that follow only repeat it.
            if failures == 1 {
                tracing::warn!(endpoint, %error, "the control plane is not connected");
            } else {
                tracing::info!(endpoint, %error, failures, "the control plane is not connected");
            }
            if failures > AT_ONCE {
                tokio::time::sleep(self.pause(failures)).await;
            }
        }
    }

    /// Gives the pause before the next try: full jitter below a ceiling that doubles.
    fn pause(&self, failures: u32) -> Duration {
        let ceiling =
            FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(AT_ONCE + 1).min(10)).min(LONGEST_PAUSE);
        ceiling.mul_f64(self.entropy.fraction())
    }

    /// Runs one session; gives why it ended.
    async fn session(&mut self, endpoint: &str) -> connect::SessionError {
        // Two connections, so that bulk never sits before a cooldown in one socket's buffer.
        let connected =
            tokio::try_join!(connect::connect(&self.net, endpoint), connect::connect(&self.net, endpoint));
        let (quick, bulk) = match connected {
            Ok(channels) => channels,
            Err(error) => return error,
        };
        self.link.connecting(quick.clone());
        tokio::select! {
            error = self.subscriber.run(quick.clone()) => error,
            error = self.outbox.run(quick) => error,
            error = self.reporter.run(bulk.clone(), &self.identity) => error,
            error = self.observer.run(bulk, &self.identity.node) => error,
        }
    }
}

/// Closes a window each second, for as long as it is polled.
async fn count_windows(reporter: &Reporter, clock: &dyn Clock, recent: &Recent, live: &Live, judge: &Judge) {
    let mut ticks = tokio::time::interval(report::WINDOW);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = clock.wall();
        let rows = reporter.close_window(now, recent);
        live.tick(&rows, now);
        judge.traffic(&rows, now);
    }
}

async fn collect_records(mut records: mpsc::Receiver<RequestRecord>, observer: &Observer) {
    while let Some(record) = records.recv().await {
        observer.request(&record);
    }
    std::future::pending().await
}

/// Follows whether the control plane is heard: cut off is who has not heard it for [`SILENCE`].
async fn follow_silence(
    link: &ControlLink,
    live: &Live,
    health: &HealthWords,
    metrics: &SyncMetrics,
    clock: &dyn Clock,
) {
    loop {
        let heard_until = link.last_heard().map(|heard| heard + SILENCE);
        let Some(until) = heard_until.filter(|until| *until > clock.now()) else {
            live.set_cut_off(true);
            metrics.cut_off.set(1);
            link.heard_again().await;
            continue;
        };
        if live.is_cut_off() {
            live.set_cut_off(false);
            metrics.cut_off.set(0);
            health.reconnected(clock.wall());
        }
        tokio::time::sleep_until(tokio::time::Instant::from_std(until)).await;
    }
}
