//! The other nodes, and what is known of each.

use super::metrics::FailoverMetrics;
use cliproxy_engine::{neighbour::Neighbour, role};
use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use std::{net::IpAddr, time::Duration};
use tokio::sync::Notify;

/// How long a connection to another node may take to open.
pub const CONNECT: Duration = Duration::from_secs(1);

/// Another node.
pub(super) struct Other {
    /// Its address as the configuration has it.
    pub(super) url: String,
    scheme: Scheme,
    authority: Authority,
    up: Gauge,
    known: Mutex<Known>,
    /// Told when it should be checked at once.
    pub(super) check_now: Notify,
    /// Told when it has been found well.
    pub(super) well: Notify,
}

/// What is known of another node.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) neighbour: Neighbour,
    /// Its name, as it says itself.
    pub(super) node: Option<String>,
    /// What it said of itself when it was last checked; none before.
    pub(super) said: Option<role::Other>,
    /// Whether it named a role then.
    pub(super) has_role: bool,
    /// When it was last checked, and what went wrong then.
    pub(super) checked: Option<Duration>,
    pub(super) error: Option<String>,
    /// How often it was not reached: each time it may have missed what it was to be told.
    pub(super) failures: u64,
    /// The addresses that its name stands for.
    pub(super) addresses: Vec<IpAddr>,
    /// It is this very node.
    pub(super) is_self: bool,
}

impl Other {
    /// Takes an address that the configuration has checked; none when it is not one.
    pub(super) fn new(url: String, metrics: &FailoverMetrics) -> Option<Self> {
        let parts = url.parse::<Uri>().ok()?.into_parts();
        let up = metrics.peer(&url);
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let (known, check_now, well) = (Mutex::default(), Notify::new(), Notify::new());
        Some(Self { url, scheme, authority, up, known, check_now, well })
    }

    /// Gives the address of something there.
    pub(super) fn uri(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        let (scheme, authority) = (self.scheme.clone(), self.authority.clone());
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()
    }

    /// Gives its name or address, without brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Tells whether it counts.
    pub(super) fn is_up(&self) -> bool {
        self.known.lock().neighbour.is_up()
    }

    /// Tells whether it was well when it was last checked, and is another node at all.
    pub(super) fn was_well(&self) -> bool {
        let known = self.known.lock();
        known.neighbour.was_well() && !known.is_self
    }

    /// Gives what is known of it.
    pub(super) fn known(&self) -> Known {
        self.known.lock().clone()
    }

    /// Changes what is known of it. Tells, and shows, whether it counts otherwise than before.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Known) -> T) -> (T, Option<bool>) {
        let mut known = self.known.lock();
        let before = known.neighbour.is_up();
        let changed = change(&mut known);
        let up = known.neighbour.is_up();
        self.up.set(i64::from(up));
        (changed, (up != before).then_some(up))
    }

    /// Notes that a request to it failed: nothing goes there until a check finds it well.
    pub(super) fn missed(&self, now: Duration, timeout: Duration) {
        let (_, turn) = self.update(|known| {
            known.failures += 1;
            known.neighbour.checked(false, now, timeout)
        });
        if turn.is_some() {
            tracing::warn!(peer = self.url, "another node is out: requests to it fail");
        }
        self.check_now.notify_one();
    }
}
