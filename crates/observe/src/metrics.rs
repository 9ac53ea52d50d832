//! The metric families of the gateway, behind handles that requests use without a lock.
//!
//! Whoever builds a route takes its [`RouteHandles`] once and keeps them; counting is then an atomic addition.
//! Only building routes and reading `/metrics` take locks.

mod decisions;
mod exposition;
mod handles;
mod histogram;
mod labels;
mod slots;

pub use decisions::{DecisionHandles, DecisionWords};
pub use handles::{InFlight, RouteHandles};
pub use histogram::{AtomicHistogram, BUCKET_BOUNDS_SECONDS};
pub use labels::{ModelLabels, OTHER};
pub use prometheus_client;

use decisions::DecisionFamilies;
use handles::ProviderHandles;
use labels::{
    DialectLabels, ErrorLabels, OutcomeLabels, ProviderLabels, RequestLabels, TargetLabels, TokenLabels,
};
use parking_lot::Mutex;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

/// How many models a provider may have in labels; the rest count as [`OTHER`].
pub const MODELS_PER_PROVIDER: usize = 200;

/// All metrics of one process. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    families: Families,
    registry: Mutex<Registry>,
    providers: Mutex<HashMap<String, Known>>,
}

/// What has been handed out for one provider.
struct Known {
    handles: Arc<ProviderHandles>,
    models: ModelLabels,
    routes: HashMap<Arc<str>, Arc<RouteHandles>>,
}

/// The guide's families and what stands beside them.
#[derive(Clone, Default)]
struct Families {
    requests: Family<RequestLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<TargetLabels, Counter<f64, AtomicU64>>,
    duration: Family<ProviderLabels, AtomicHistogram>,
    first_token: Family<ProviderLabels, AtomicHistogram>,
    attempts: Family<OutcomeLabels, Counter>,
    in_flight: Family<ProviderLabels, Gauge>,
    translated: Family<DialectLabels, Counter>,
    losses: Family<DialectLabels, Counter>,
    decisions: DecisionFamilies,
}

impl Metrics {
    /// Makes the families, without any series yet.
    pub fn new() -> Self {
        let families = Families::default();
        let mut registry = Registry::with_prefix("cliproxy");
        families.register(&mut registry);
        Self(Arc::new(Inner {
            families,
            registry: Mutex::new(registry),
            providers: Mutex::new(HashMap::new()),
        }))
    }

    /// Gives the handles of a route; the same names give the same handles. Takes a lock: keep what it gives.
    ///
    /// A provider's models beyond [`MODELS_PER_PROVIDER`], and overlong names, share the label [`OTHER`].
    pub fn route(&self, provider: &str, model: &str) -> Arc<RouteHandles> {
        let mut providers = self.0.providers.lock();
        let known = providers.entry(provider.to_owned()).or_insert_with(|| Known {
            handles: Arc::new(ProviderHandles::new(&self.0.families, provider)),
            models: ModelLabels::new(MODELS_PER_PROVIDER),
            routes: HashMap::new(),
        });
        let label = known.models.admit(model);
        let Known { handles, routes, .. } = known;
        let new = || Arc::new(RouteHandles::new(&self.0.families, handles.clone(), &label));
        routes.entry(label.clone()).or_insert_with(new).clone()
    }

    /// Gives the counters of one pair of APIs: calls, and fields that were lost in them. Takes a lock: keep them.
    pub fn translation(&self, client: &'static str, upstream: &'static str) -> (Counter, Counter) {
        let labels = DialectLabels { client, upstream };
        let Families { translated, losses, .. } = &self.0.families;
        (translated.get_or_create_owned(&labels), losses.get_or_create_owned(&labels))
    }

    /// Makes handles that count decisions by `words`. Takes locks: keep them.
    pub fn decisions(&self, words: DecisionWords<'_>) -> DecisionHandles {
        DecisionHandles::new(&self.0.families.decisions, words)
    }

    /// Removes the series of all providers that `keep` refuses. Requests that still run on them count into
    /// handles that are no longer shown.
    pub fn retain_providers(&self, mut keep: impl FnMut(&str) -> bool) {
        self.0.providers.lock().retain(|provider, known| {
            let kept = keep(provider);
            if !kept {
                known.handles.remove_from(&self.0.families);
                known.routes.values().for_each(|route| route.remove_from(&self.0.families));
            }
            kept
        });
    }

    /// Lets another crate register families of its own; their names get the prefix `cliproxy_`. Counters are
    /// registered without `_total`, which is added when they are shown.
    pub fn register(&self, families: impl FnOnce(&mut Registry)) {
        families(&mut self.0.registry.lock());
    }

    /// Renders every series in the text format that [`Metrics::content_type`] names.
    pub fn encode(&self) -> String {
        exposition::encode(&self.0.registry.lock())
    }

    /// Gives the `content-type` of [`Metrics::encode`]: Prometheus's text format 0.0.4.
    pub fn content_type(&self) -> &'static str {
        "text/plain; version=0.0.4; charset=utf-8"
    }
}

impl Families {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests by the provider that answered last, and how they ended",
            self.requests.clone(),
        );
        registry.register("errors", "Errors of providers, by type", self.errors.clone());
        registry.register(
            "tokens",
            "Tokens as providers reported them, or as we estimated them",
            self.tokens.clone(),
        );
        registry.register(
            "cost_usd",
            "What providers charge, by the prices that are known, in US dollars",
            self.cost.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Time from a request's first byte to its answer's last, for requests that succeeded",
            self.duration.clone(),
        );
        registry.register(
            "time_to_first_token_seconds",
            "Time from a call to a provider to the first event that carries a part of the answer",
            self.first_token.clone(),
        );
        registry.register("attempts", "Calls to providers, by how they ended", self.attempts.clone());
        registry.register("in_flight", "Calls to providers that are open", self.in_flight.clone());
        registry.register(
            "translated_attempts",
            "Calls to providers that speak another API than the client",
            self.translated.clone(),
        );
        registry.register(
            "translation_losses",
            "Fields that such calls left out or did otherwise",
            self.losses.clone(),
        );
        self.decisions.register(registry);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
