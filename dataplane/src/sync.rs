//! The node's side of the control plane: receives configuration and rests, reports usage and urgent events.
//!
//! Nothing here is on the request path. While every control plane is away the node goes on with what it has, keeps
//! counting, and reports it all when one is back.

mod connect;
mod events;
mod identity;
mod last_known_good;
mod link;
mod metrics;
mod report;
mod subscribe;

pub use identity::{Identity, IdentityError};
pub use link::ControlLink;
pub use metrics::SyncMetrics;
pub use report::Reporter;

use crate::{live::Live, ops::Recent};
use cliproxy_domain::{NodeId, UrgentEvent};
use cliproxy_host::{Clock, Disk, Entropy, Net};
use last_known_good::LastKnownGood;
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
    urgent: events::Outbox,
}

/// The first pause of a reconnect, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A session this long was healthy: the next pause is the first again.
const HEALTHY: Duration = Duration::from_secs(10);
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
            Arc::clone(&link),
            metrics.clone(),
            Arc::clone(&clock),
            LastKnownGood::new(disk),
        );
        Self {
            endpoints,
            net,
            clock,
            entropy,
            link,
            metrics,
            reporter,
            live,
            identity,
            subscriber,
            urgent: events::Outbox::new(urgent),
        }
    }

    /// Gives the node's name.
    pub fn node(&self) -> &NodeId {
        &self.identity.node
    }

    /// Counts windows and keeps a session with one control plane after another until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken, recent: Arc<Recent>) {
        let counting = count_windows(
            Arc::clone(&self.reporter),
            Arc::clone(&self.clock),
            recent,
            Arc::clone(&self.live),
        );
        tokio::select! {
            () = counting => {}
            () = self.keep_session() => {}
            () = shutdown.cancelled() => {}
        }
        self.subscriber.save().await;
    }

    async fn keep_session(&mut self) {
        if self.endpoints.is_empty() {
            // Alone: nothing to connect to, and nothing to wait for.
            std::future::pending::<()>().await;
        }
        let mut failures = 0;
        for turn in 0.. {
            let endpoint = self.endpoints[turn % self.endpoints.len()].clone();
            let started = self.clock.now();
            let error = self.session(&endpoint).await;
            self.link.disconnected();
            self.live.set_cut_off(true);
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
            error = self.urgent.run(quick, &self.identity.node) => error,
            error = self.reporter.run(bulk, &self.identity) => error,
        }
    }
}

/// Closes a window each second, for as long as it is polled.
async fn count_windows(reporter: Arc<Reporter>, clock: Arc<dyn Clock>, recent: Arc<Recent>, live: Arc<Live>) {
    let mut ticks = tokio::time::interval(report::WINDOW);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = clock.wall();
        let rows = reporter.close_window(now, &recent);
        live.tick(&rows, now);
    }
}
