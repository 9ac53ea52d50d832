//! Finds the metric handles of a target without a lock.

use cliproxy_domain::{Dialect, ProviderName, Snapshot};
use cliproxy_observe::metrics::{Metrics, OTHER, RouteHandles, prometheus_client::metrics::counter::Counter};
use parking_lot::Mutex;
use std::{
    borrow::Borrow,
    collections::HashSet,
    sync::{Arc, OnceLock},
};

/// The label of requests that no provider answered.
pub(super) const NONE: &str = "none";

/// Handles by (provider, model), each made once, of the providers in force.
pub(super) struct Handles {
    metrics: Metrics,
    known: papaya::HashMap<Name, Arc<RouteHandles>>,
    /// Locked while handles are made or dropped, so that none are made for a provider that has just gone.
    in_force: Mutex<HashSet<ProviderName>>,
    /// Counts what ends after its provider has gone. Nobody reads it: counted by name, it would bring back the
    /// provider's series, which then stay for ever.
    late: Arc<RouteHandles>,
    /// Calls and losses of each pair of dialects, made with the first call.
    translations: [[OnceLock<(Counter, Counter)>; 4]; 4],
}

fn place(dialect: Dialect) -> usize {
    match dialect {
        Dialect::OpenAiChat => 0,
        Dialect::OpenAiResponses => 1,
        Dialect::Anthropic => 2,
        Dialect::Gemini => 3,
    }
}

/// Names looked up at most; beyond it every look-up goes to the registry, which folds the model into `other`.
const MAX_KNOWN: usize = 4_096;

/// A provider and a model in one text, so that a look-up needs no allocation of its own kind.
#[derive(PartialEq, Eq, Hash)]
struct Name(Box<str>);

/// Neither part can hold a NUL: both come from configuration or JSON names that HTTP headers carry.
const BETWEEN: &str = "\0";

impl Name {
    fn provider(&self) -> &str {
        self.0.split_once(BETWEEN).map_or(&*self.0, |(provider, _)| provider)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Handles {
    pub(super) fn new(metrics: Metrics) -> Self {
        let late = Metrics::new().route(NONE, OTHER);
        let translations = Default::default();
        Self { metrics, known: papaya::HashMap::new(), in_force: Mutex::default(), late, translations }
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Arc<RouteHandles> {
        let name = [provider, BETWEEN, model].concat();
        let known = self.known.pin();
        if let Some(handles) = known.get(name.as_str()) {
            return Arc::clone(handles);
        }
        let in_force = self.in_force.lock();
        if !is_shown(&in_force, provider) {
            return Arc::clone(&self.late);
        }
        let handles = self.metrics.route(provider, model);
        if known.len() >= MAX_KNOWN {
            return handles;
        }
        Arc::clone(known.get_or_insert(Name(name.into()), handles))
    }

    /// Counts a call to a provider of another dialect than the client's, and the fields that it lost.
    pub(super) fn translated(&self, client: Dialect, upstream: Dialect, lost: usize) {
        let (calls, losses) = self.translations[place(client)][place(upstream)]
            .get_or_init(|| self.metrics.translation(client.as_str(), upstream.as_str()));
        calls.inc();
        losses.inc_by(lost as u64);
    }

    /// Drops the handles and the series of providers that `snapshot` does not have.
    pub(super) fn adopt(&self, snapshot: &Snapshot) {
        let mut in_force = self.in_force.lock();
        *in_force = snapshot.providers.keys().cloned().collect();
        self.known.pin().retain(|name, _| is_shown(&in_force, name.provider()));
        self.metrics.retain_providers(|provider| is_shown(&in_force, provider));
    }
}

fn is_shown(in_force: &HashSet<ProviderName>, provider: &str) -> bool {
    provider == NONE || in_force.contains(provider)
}
