//! The node's side of the control plane: receives configuration and hints, reports usage, urgent events and what was
//! observed, and hands operators' calls on.
//!
//! The node follows one replica at a time, over two connections: one for what must come quickly, one for bulk. A third
//! leads to another replica, open and idle, for when the first is lost or asks the node to go.
//!
//! Nothing here is on the request path. While every control plane is away the node goes on with what it has, keeps
//! counting, and reports it all when one is back.

mod connect;
mod events;
mod guard;
mod health;
mod identity;
mod last_known_good;
mod leases;
mod link;
mod metrics;
mod moving;
mod observe;
mod pace;
mod places;
mod report;
mod role;
mod session;
mod standby;
mod subscribe;
mod tries;
mod trying;
mod way;

pub use health::{HealthWords, Judgement};
pub use identity::{Identity, IdentityError};
pub use leases::{LeaseParts, Leases};
pub use link::{ControlLink, Relayed};
pub use metrics::SyncMetrics;
pub use observe::Observer;
pub use report::Reporter;
pub use role::Held;
pub use subscribe::Offered;

use crate::{live::Live, ops::Recent, probe::Judge};
use cliproxy_domain::{NodeId, RequestRecord, UrgentEvent};
use cliproxy_host::{Clock, Disk, Entropy, Net, Tls};
use connect::Dialer;
use link::SILENCE;
use moving::Ways;
use pace::Pace;
use places::Places;
use session::Sessions;
use standby::Standby;
use std::{net::SocketAddr, sync::Arc};
use subscribe::{Subscriber, SubscriberParts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use way::Way;

/// What the node's side needs.
pub struct SyncParts {
    /// Where control planes are. Each node tries them in an order of its own.
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
    /// What is claimed of limits.
    pub leases: Arc<Leases>,
    /// What operators see of the connection.
    pub link: Arc<ControlLink>,
    /// What metrics show of it.
    pub metrics: SyncMetrics,
    /// What it proves itself to control planes by.
    pub tls: Option<Arc<Tls>>,
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
    clock: Arc<dyn Clock>,
    link: Arc<ControlLink>,
    metrics: SyncMetrics,
    reporter: Arc<Reporter>,
    live: Arc<Live>,
    identity: Identity,
    subscriber: Subscriber,
    ways: Arc<Ways>,
    outbox: events::Outbox,
    urgent: mpsc::Receiver<UrgentEvent>,
    records: mpsc::Receiver<RequestRecord>,
    observer: Arc<Observer>,
    health: Arc<HealthWords>,
    leases: Arc<Leases>,
}

impl Sync {
    /// Prepares the node's side, and puts the last known good configuration in force when the disk holds one.
    pub fn build(parts: SyncParts) -> Self {
        let SyncParts { endpoints, identity, live, reporter, urgent, records, observer, .. } = parts;
        let SyncParts { health, leases, link, metrics, tls, net, clock, entropy, .. } = parts;
        let pace = Arc::new(Pace::new(Arc::clone(&clock), metrics.patient.clone()));
        let ways = Ways {
            standby: Standby::new(metrics.clone()),
            places: Places::new(identity.node.clone(), endpoints, Arc::clone(&net)),
            dialer: Arc::new(Dialer::new(Way::new(net, tls), Arc::clone(&pace))),
            pace,
            entropy,
            clock: Arc::clone(&clock),
        };
        let subscriber = Subscriber::new(SubscriberParts {
            identity: identity.clone(),
            build: parts.build,
            listen: parts.listen,
            live: Arc::clone(&live),
            health: Arc::clone(&health),
            link: Arc::clone(&link),
            metrics: metrics.clone(),
            clock: Arc::clone(&clock),
            disk: parts.disk,
        });
        Self {
            link,
            metrics,
            reporter,
            live,
            identity,
            subscriber,
            ways: Arc::new(ways),
            outbox: events::Outbox::new(Arc::clone(&clock)),
            urgent,
            records,
            observer,
            health,
            leases,
            clock,
        }
    }

    /// Puts in force what a control plane offers that is yet to be heard, unless the disk held it.
    pub fn begin_with(&mut self, offered: Offered) {
        self.subscriber.begin_with(offered);
    }

    /// Gives the node's name.
    pub fn node(&self) -> &NodeId {
        &self.identity.node
    }

    /// Counts windows and keeps a session with one control plane after another until `shutdown`. `judge` sees each
    /// window as well.
    pub async fn run(self, shutdown: CancellationToken, recent: Arc<Recent>, judge: Arc<Judge>) {
        let Self { reporter, clock, live, link, metrics, observer, health, urgent, records, .. } = self;
        let (outbox, ways, leases) = (self.outbox, self.ways, self.leases);
        let mut sessions = Sessions {
            identity: self.identity,
            subscriber: self.subscriber,
            ways: Arc::clone(&ways),
            link: Arc::clone(&link),
            metrics: metrics.clone(),
            reporter: Arc::clone(&reporter),
            observer: Arc::clone(&observer),
            outbox: &outbox,
            leases: Arc::clone(&leases),
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = count_windows(&reporter, &*clock, &recent, &live, &judge) => {}
            () = outbox.collect(urgent) => {}
            () = collect_records(records, &observer) => {}
            () = sessions.keep() => {}
            () = ways.standby.keep(&ways) => {}
            () = ways.places.follow() => {}
            () = leases.look_after() => {}
            () = follow_silence(&link, &live, &health, &metrics, &*clock) => {}
        }
        sessions.subscriber.end().await;
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
