//! The handles that requests count with.

use super::{
    AtomicHistogram, Families,
    labels::{ErrorLabels, OutcomeLabels, ProviderLabels, RequestLabels, TargetLabels, TokenLabels},
    slots::Slots,
};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

const SUCCESS: &str = "success";
const ERROR: &str = "error";
const INPUT: &str = "input";
const OUTPUT: &str = "output";

/// Counts for one provider and one model. Every method is a few atomic additions, but for the first use of an
/// error type or outcome at a provider.
#[derive(Debug)]
pub struct RouteHandles {
    provider: Arc<ProviderHandles>,
    model: Arc<str>,
    succeeded: Counter,
    failed: Counter,
    input_tokens: Counter,
    output_tokens: Counter,
    cost: Counter<f64, AtomicU64>,
}

/// What all models of a provider share.
#[derive(Debug)]
pub(super) struct ProviderHandles {
    name: Arc<str>,
    duration: AtomicHistogram,
    first_token: AtomicHistogram,
    in_flight: Gauge,
    errors: Slots,
    error_family: Family<ErrorLabels, Counter>,
    attempts: Slots,
    attempt_family: Family<OutcomeLabels, Counter>,
}

/// Counts a request as being served until it is dropped.
#[derive(Debug)]
#[must_use = "the request counts as served when this is dropped"]
pub struct InFlight(Gauge);

impl RouteHandles {
    pub(super) fn new(families: &Families, provider: Arc<ProviderHandles>, model: &Arc<str>) -> Self {
        let requests = |status| {
            let (provider, model) = (provider.name.clone(), model.clone());
            families.requests.get_or_create_owned(&RequestLabels { provider, model, status })
        };
        let tokens = |r#type| {
            let (provider, model) = (provider.name.clone(), model.clone());
            families.tokens.get_or_create_owned(&TokenLabels { provider, model, r#type })
        };
        Self {
            succeeded: requests(SUCCESS),
            failed: requests(ERROR),
            input_tokens: tokens(INPUT),
            output_tokens: tokens(OUTPUT),
            cost: families
                .cost
                .get_or_create_owned(&TargetLabels { provider: provider.name.clone(), model: model.clone() }),
            model: model.clone(),
            provider,
        }
    }

    /// Counts a request as being served until the returned value is dropped.
    pub fn enter(&self) -> InFlight {
        self.provider.in_flight.inc();
        InFlight(self.provider.in_flight.clone())
    }

    /// Counts a request that failed and whose errors were counted as they happened.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// Counts a request that succeeded after `duration`.
    pub fn success(&self, duration: Duration) {
        self.succeeded.inc();
        self.provider.duration.observe(duration);
    }

    /// Counts a request that failed, and its error. Its duration is not counted: quick refusals would make the
    /// provider look fast.
    pub fn failure(&self, error_type: &'static str) {
        self.failed.inc();
        self.error(error_type);
    }

    /// Counts an error of the provider that the request outlived, as another attempt followed.
    pub fn error(&self, error_type: &'static str) {
        let ProviderHandles { name, errors, error_family, .. } = &*self.provider;
        errors.count(error_type, |error_type| {
            error_family.get_or_create_owned(&ErrorLabels { provider: name.clone(), error_type })
        });
    }

    /// Counts a call to the provider that ended so: `success`, or an error type.
    pub fn attempt(&self, outcome: &'static str) {
        let ProviderHandles { name, attempts, attempt_family, .. } = &*self.provider;
        attempts.count(outcome, |outcome| {
            attempt_family.get_or_create_owned(&OutcomeLabels { provider: name.clone(), outcome })
        });
    }

    /// Counts the time until the first event that carries a part of the answer.
    pub fn first_token(&self, after: Duration) {
        self.provider.first_token.observe(after);
    }

    /// Counts the tokens of one answer.
    pub fn tokens(&self, input: u64, output: u64) {
        self.input_tokens.inc_by(input);
        self.output_tokens.inc_by(output);
    }

    /// Counts what one call cost, in US dollars. Never less than nothing.
    pub fn cost(&self, dollars: f64) {
        self.cost.inc_by(dollars);
    }

    /// Gives the model's label: its name, or `other`.
    pub fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn remove_from(&self, families: &Families) {
        for status in [SUCCESS, ERROR] {
            let (provider, model) = (self.provider.name.clone(), self.model.clone());
            families.requests.remove(&RequestLabels { provider, model, status });
        }
        for r#type in [INPUT, OUTPUT] {
            let (provider, model) = (self.provider.name.clone(), self.model.clone());
            families.tokens.remove(&TokenLabels { provider, model, r#type });
        }
        let (provider, model) = (self.provider.name.clone(), self.model.clone());
        families.cost.remove(&TargetLabels { provider, model });
    }
}

impl ProviderHandles {
    pub(super) fn new(families: &Families, provider: &str) -> Self {
        let name: Arc<str> = Arc::from(provider);
        let labels = ProviderLabels { provider: name.clone() };
        Self {
            name,
            duration: families.duration.get_or_create_owned(&labels),
            first_token: families.first_token.get_or_create_owned(&labels),
            in_flight: families.in_flight.get_or_create_owned(&labels),
            errors: Slots::new(),
            error_family: families.errors.clone(),
            attempts: Slots::new(),
            attempt_family: families.attempts.clone(),
        }
    }

    pub(super) fn remove_from(&self, families: &Families) {
        let provider = || self.name.clone();
        let labels = ProviderLabels { provider: provider() };
        families.duration.remove(&labels);
        families.first_token.remove(&labels);
        families.in_flight.remove(&labels);
        for error_type in self.errors.names() {
            families.errors.remove(&ErrorLabels { provider: provider(), error_type });
        }
        for outcome in self.attempts.names() {
            families.attempts.remove(&OutcomeLabels { provider: provider(), outcome });
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
