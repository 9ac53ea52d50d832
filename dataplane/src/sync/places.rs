//! Where control planes are: those that are configured, the addresses that their names stand for, and those that they
//! tell of.

use cliproxy_domain::NodeId;
use cliproxy_host::Net;
use http::Uri;
use parking_lot::Mutex;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

/// How often names are resolved anew, and how long that may take.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);
/// How long the first connection waits for names.
const FIRST_WITHIN: Duration = Duration::from_millis(500);
/// How many replicas are learnt of at most.
const MAX_LEARNT: usize = 16;

/// Where control planes are.
pub(super) struct Places {
    node: NodeId,
    configured: Vec<String>,
    net: Arc<dyn Net>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Of configured ones whose name stands for several addresses: these.
    resolved: BTreeMap<String, Vec<String>>,
    learnt: Vec<String>,
}

impl Places {
    pub(super) fn new(node: NodeId, configured: Vec<String>, net: Arc<dyn Net>) -> Self {
        Self { node, configured, net, state: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// Gives all places, in the order in which this node tries them: the configured ones, then those that were learnt.
    /// Each node has another order, so that the nodes spread over the replicas.
    pub(super) fn all(&self) -> Vec<String> {
        let state = self.state.lock();
        let resolved = |endpoint: &String| {
            state.resolved.get(endpoint).cloned().unwrap_or_else(|| vec![endpoint.clone()])
        };
        let mut all: Vec<String> = self.configured.iter().flat_map(resolved).collect();
        let mut learnt = state.learnt.clone();
        drop(state);
        for places in [&mut all, &mut learnt] {
            places.sort_by_cached_key(|place| (self.rank(place), place.clone()));
            places.dedup();
        }
        learnt.retain(|place| !all.contains(place));
        all.extend(learnt);
        all
    }

    fn rank(&self, place: &str) -> u64 {
        xxh3_64(format!("{}\0{place}", self.node).as_bytes())
    }

    /// Takes what a control plane tells of the others, as far as the node may go there.
    pub(super) fn learn(&self, told: Vec<String>) {
        let mut told: Vec<String> = told.into_iter().filter(|place| self.accepts(place)).collect();
        told.truncate(MAX_LEARNT);
        let mut state = self.state.lock();
        if state.learnt != told {
            state.learnt = told;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Tells whether the node may connect to a place that it was told of: no less safely than to those that its operator
    /// named.
    pub(super) fn accepts(&self, place: &str) -> bool {
        let Some((scheme, host)) = parts(place) else { return false };
        self.configured.iter().filter_map(|configured| parts(configured)).any(|(allowed, named)| {
            scheme == allowed && (scheme == "https" || is_here(&host) || !is_here(&named))
        })
    }

    /// Waits until there may be other places than before.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Resolves the names for the first time, within the little time that a start can wait.
    pub(super) async fn resolve_first(&self) {
        // Without them a name is connected to as it is.
        let _ = tokio::time::timeout(FIRST_WITHIN, self.resolve()).await;
    }

    /// Resolves the names again and again, for as long as it is polled.
    pub(super) async fn follow(&self) {
        loop {
            tokio::time::sleep(RESOLVE_EVERY).await;
            self.resolve().await;
        }
    }

    async fn resolve(&self) {
        for endpoint in &self.configured {
            let Some(uri) = endpoint.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(is_name)) else {
                continue;
            };
            let looked_up =
                tokio::time::timeout(RESOLVE_WITHIN, self.net.resolve(uri.host().unwrap_or_default()));
            match looked_up.await {
                Ok(Ok(addresses)) => self.resolved(endpoint, &uri, &addresses),
                // What was found before goes on.
                Ok(Err(error)) => {
                    tracing::debug!(endpoint, %error, "the name of a control plane does not resolve")
                }
                Err(_) => tracing::debug!(endpoint, "the name of a control plane did not resolve in time"),
            }
        }
    }

    fn resolved(&self, endpoint: &str, uri: &Uri, addresses: &[IpAddr]) {
        // One address is the name itself, and says nothing when the name moves on.
        let places = (addresses.len() > 1)
            .then(|| addresses.iter().map(|address| at(uri, address)).collect::<Vec<_>>());
        let mut state = self.state.lock();
        let before = state.resolved.get(endpoint);
        if before == places.as_ref() {
            return;
        }
        tracing::info!(
            endpoint,
            addresses = addresses.len(),
            "the name of a control plane stands for other addresses"
        );
        match places {
            Some(places) => state.resolved.insert(endpoint.to_owned(), places),
            None => state.resolved.remove(endpoint),
        };
        drop(state);
        self.changed.notify_one();
    }
}

/// Writes an endpoint with an address in the place of its name.
fn at(uri: &Uri, address: &IpAddr) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    match address {
        IpAddr::V4(address) => format!("{scheme}://{address}{port}"),
        IpAddr::V6(address) => format!("{scheme}://[{address}]{port}"),
    }
}

fn parts(place: &str) -> Option<(String, String)> {
    let uri = place.parse::<Uri>().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.host()?.to_owned()))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_name(host: &str) -> bool {
    bare(host).parse::<IpAddr>().is_err() && host != "localhost"
}

fn is_here(host: &str) -> bool {
    host == "localhost"
        || bare(host).parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
