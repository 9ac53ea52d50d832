//! What is counted by provider: only those that are configured are shown, so that labels are bounded.

use super::PlaneMetrics;
use cliproxy_domain::{CooldownCause, HealthState, ProviderName, Snapshot};
use cliproxy_observe::metrics::prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

type One = [(&'static str, String); 1];
type Two = [(&'static str, String); 2];

const SCOPES: [&str; 3] = ["provider", "credential", "model"];
const RESULTS: [&str; 2] = ["healthy", "unhealthy"];
const RECOVERIES: [&str; 3] = ["succeeded", "failed", "given_up"];
const CAUSES: [CooldownCause; 5] = [
    CooldownCause::RateLimit,
    CooldownCause::QuotaExhausted,
    CooldownCause::CredentialRejected,
    CooldownCause::Error,
    CooldownCause::Manual,
];
const STATES: [HealthState; 4] =
    [HealthState::Unknown, HealthState::Healthy, HealthState::Unhealthy, HealthState::Failed];

/// Families whose labels name providers, causes and results.
#[derive(Clone, Debug)]
pub(super) struct ProviderMetrics {
    resting: Family<Two, Gauge>,
    health: Family<Two, Gauge>,
    probes: Family<Two, Counter>,
    started: Family<One, Counter>,
    recoveries: Family<One, Counter>,
    /// The providers that are shown.
    shown: Arc<Mutex<BTreeSet<String>>>,
}

impl ProviderMetrics {
    pub(super) fn new() -> Self {
        let metrics = Self {
            resting: Family::default(),
            health: Family::default(),
            probes: Family::default(),
            started: Family::default(),
            recoveries: Family::default(),
            shown: Arc::default(),
        };
        // A series that is not there until something happens hides that nothing did.
        CAUSES
            .iter()
            .for_each(|cause| drop(metrics.started.get_or_create(&[("cause", cause.as_str().to_owned())])));
        RECOVERIES
            .iter()
            .for_each(|result| drop(metrics.recoveries.get_or_create(&[("result", (*result).to_owned())])));
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "resting",
            "What rests or is being tried, by provider and by how much of it rests",
            self.resting.clone(),
        );
        registry.register(
            "provider_health",
            "1 for the state of health that a provider is in, else 0",
            self.health.clone(),
        );
        registry.register("probes", "Health checks that ended, by provider and result", self.probes.clone());
        registry.register("rests_started", "Rests that began, by cause", self.started.clone());
        registry.register("recoveries", "Recoveries of providers, by result", self.recoveries.clone());
    }
}

impl PlaneMetrics {
    /// Shows the series of all configured providers, and those of no other.
    pub(crate) fn of_providers(&self, snapshot: &Snapshot) {
        let families = &self.providers;
        let configured: BTreeSet<String> = snapshot.providers.keys().map(ToString::to_string).collect();
        let before = std::mem::replace(&mut *families.shown.lock(), configured.clone());
        for provider in before.difference(&configured) {
            for scope in SCOPES {
                families.resting.remove(&of("scope", scope, provider));
            }
            for state in STATES {
                families.health.remove(&of("state", state.as_str(), provider));
            }
            for result in RESULTS {
                families.probes.remove(&of("result", result, provider));
            }
        }
        for provider in configured.difference(&before) {
            for scope in SCOPES {
                drop(families.resting.get_or_create(&of("scope", scope, provider)));
            }
            for result in RESULTS {
                drop(families.probes.get_or_create(&of("result", result, provider)));
            }
            self.health(&provider.as_str().into(), HealthState::Unknown);
        }
    }

    /// Shows what rests: how many, by provider and scope.
    pub(crate) fn resting(&self, snapshot: &Snapshot, counts: &BTreeMap<(ProviderName, &'static str), i64>) {
        for provider in snapshot.providers.keys() {
            for scope in SCOPES {
                let count = counts.get(&(provider.clone(), scope)).copied().unwrap_or(0);
                self.providers.resting.get_or_create(&of("scope", scope, provider.as_str())).set(count);
            }
        }
    }

    /// Shows a provider's health.
    pub(crate) fn health(&self, provider: &ProviderName, state: HealthState) {
        if !self.providers.shown.lock().contains(provider.as_str()) {
            return;
        }
        for known in STATES {
            let labels = of("state", known.as_str(), provider.as_str());
            self.providers.health.get_or_create(&labels).set(i64::from(known == state));
        }
    }

    /// Counts a health check.
    pub(crate) fn probed(&self, provider: &ProviderName, healthy: bool) {
        let result = if healthy { "healthy" } else { "unhealthy" };
        self.providers.probes.get_or_create(&of("result", result, provider.as_str())).inc();
    }

    /// Counts a rest that began.
    pub(crate) fn cooldown_started(&self, cause: CooldownCause) {
        self.providers.started.get_or_create(&[("cause", cause.as_str().to_owned())]).inc();
    }

    /// Counts a recovery by its result: `succeeded`, `failed`, or `given_up` for a whole round.
    pub(crate) fn recovered(&self, result: &'static str) {
        self.providers.recoveries.get_or_create(&[("result", result.to_owned())]).inc();
    }
}

fn of(label: &'static str, value: &str, provider: &str) -> Two {
    [("provider", provider.to_owned()), (label, value.to_owned())]
}
