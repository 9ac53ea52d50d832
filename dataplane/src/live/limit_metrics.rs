//! What metrics show of limits.

use super::Limits;
use cliproxy_domain::{BudgetId, ProviderName, QuotaUnit, RateId, Snapshot};
use cliproxy_observe::metrics::{AtomicHistogram, Metrics};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reserved {
    /// It was there.
    Granted,
    /// It came while the request waited.
    Waited,
    /// The budget is used up.
    Exhausted,
    /// It could not be had in time.
    Unavailable,
    /// The rate's limit is reached.
    RateLimited,
    /// The control plane is away, and the limit does not hold without it.
    Unlimited,
}

impl Reserved {
    const ALL: [Reserved; 6] = [
        Reserved::Granted,
        Reserved::Waited,
        Reserved::Exhausted,
        Reserved::Unavailable,
        Reserved::RateLimited,
        Reserved::Unlimited,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Reserved::Granted => "granted",
            Reserved::Waited => "waited",
            Reserved::Exhausted => "exhausted",
            Reserved::Unavailable => "unavailable",
            Reserved::RateLimited => "rate_limited",
            Reserved::Unlimited => "unlimited",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnitLabels {
    unit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabels {
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    subject: String,
    unit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RateLabels {
    subject: String,
    kind: &'static str,
}

/// The bounds of waits and of round trips, in seconds.
const WAITS: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.25, 1.0];
/// The bounds of what was used as a part of what was reserved.
const RATIOS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.0];
/// Budgets, and rates, that have gauges; the others are seen at the control plane.
const MOST_SHOWN: usize = 500;

/// Shown as `cliproxy_quota_…`. Clones share the values.
#[derive(Clone)]
pub struct LimitMetrics {
    reservations: BTreeMap<Reserved, Counter>,
    wait: AtomicHistogram,
    overdraft: BTreeMap<QuotaUnit, Counter>,
    ended_early: Counter,
    ratio: Family<ProviderLabels, AtomicHistogram, fn() -> AtomicHistogram>,
    ratios: Arc<papaya::HashMap<ProviderName, AtomicHistogram>>,
    held: Family<BudgetLabels, Gauge>,
    share: Family<RateLabels, Gauge>,
    round_trip: AtomicHistogram,
    claims_lost: Counter,
}

impl Default for LimitMetrics {
    fn default() -> Self {
        let ratio: fn() -> AtomicHistogram = || AtomicHistogram::with_bounds(&RATIOS);
        Self {
            reservations: Reserved::ALL.into_iter().map(|result| (result, Counter::default())).collect(),
            wait: AtomicHistogram::with_bounds(&WAITS),
            overdraft: QuotaUnit::ALL.into_iter().map(|unit| (unit, Counter::default())).collect(),
            ended_early: Counter::default(),
            ratio: Family::new_with_constructor(ratio),
            ratios: Arc::default(),
            held: Family::default(),
            share: Family::default(),
            round_trip: AtomicHistogram::with_bounds(&WAITS),
            claims_lost: Counter::default(),
        }
    }
}

impl LimitMetrics {
    /// Makes the metrics and registers them.
    pub fn registered(metrics: &Metrics) -> Self {
        let mut this = Self::default();
        let (reservations, overdraft) =
            (Family::<ResultLabels, Counter>::default(), Family::<UnitLabels, Counter>::default());
        for (result, counter) in &mut this.reservations {
            *counter = reservations.get_or_create_owned(&ResultLabels { result: result.as_str() });
        }
        for (unit, counter) in &mut this.overdraft {
            *counter = overdraft.get_or_create_owned(&UnitLabels { unit: unit.as_str() });
        }
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("quota");
            registry.register("reservations", "Reservations of limits by what became of them", reservations);
            registry.register(
                "wait_seconds",
                "How long requests waited for a part of a limit",
                this.wait.clone(),
            );
            registry.register(
                "overdraft",
                "What answers took beyond what was reserved for them, in the unit (usd: billionths)",
                overdraft,
            );
            registry.register(
                "answers_ended_early",
                "Streams that were ended as no more of a budget was to be had",
                this.ended_early.clone(),
            );
            registry.register(
                "estimate_ratio",
                "Tokens that answered calls took, as a part of what was reserved for them",
                this.ratio.clone(),
            );
            registry.register(
                "held",
                "What this node holds of a budget and has not spent, in the unit (usd: billionths)",
                this.held.clone(),
            );
            registry.register("share", "What this node may use of a rate", this.share.clone());
            registry.register(
                "claim_seconds",
                "How long the control plane took to answer a claim",
                this.round_trip.clone(),
            );
            registry.register(
                "claims_unanswered",
                "Claims that the control plane did not answer in time",
                this.claims_lost.clone(),
            );
        });
        this
    }

    /// Counts a reservation.
    pub fn reserved(&self, result: Reserved) {
        if let Some(counter) = self.reservations.get(&result) {
            counter.inc();
        }
    }

    /// Counts how long a request waited.
    pub fn waited(&self, wait: Duration) {
        self.wait.observe(wait);
    }

    /// Counts what an answer took beyond its reservation.
    pub fn overdrawn(&self, unit: QuotaUnit, amount: u64) {
        if let Some(counter) = self.overdraft.get(&unit).filter(|_| amount > 0) {
            counter.inc_by(amount);
        }
    }

    /// Counts a stream that was ended.
    pub fn ended_early(&self) {
        self.ended_early.inc();
    }

    /// Counts the tokens that a call took against those that were reserved for it.
    pub fn estimated(&self, provider: &ProviderName, reserved: u64, taken: u64) {
        if reserved == 0 {
            return;
        }
        let ratio = taken as f64 / reserved as f64;
        let ratios = self.ratios.pin();
        match ratios.get(provider) {
            Some(histogram) => histogram.observe_number(ratio),
            None => {
                let labels = ProviderLabels { provider: provider.to_string() };
                let histogram = self.ratio.get_or_create_owned(&labels);
                histogram.observe_number(ratio);
                ratios.insert(provider.clone(), histogram);
            }
        }
    }

    /// Counts the answer to a claim.
    pub fn answered(&self, after: Duration) {
        self.round_trip.observe(after);
    }

    /// Counts a claim that was not answered.
    pub fn unanswered(&self) {
        self.claims_lost.inc();
    }

    /// Shows what is held of budgets, and what may be used of rates.
    pub fn show(&self, limits: &Limits, now: Instant) {
        for purse in limits.budgets().take(MOST_SHOWN) {
            self.held(purse.id(), purse.state(now).map_or(0, |state| state.balance));
        }
        for rate in limits.rates().take(MOST_SHOWN) {
            self.share(rate.id(), rate.state(now).share);
        }
    }

    /// Shows what is held of a budget.
    fn held(&self, id: &BudgetId, balance: i64) {
        let labels = BudgetLabels { subject: id.subject.to_string(), unit: id.unit.as_str() };
        self.held.get_or_create(&labels).set(balance);
    }

    /// Shows what may be used of a rate.
    fn share(&self, id: &RateId, share: u64) {
        let labels = RateLabels { subject: id.subject.to_string(), kind: id.kind.as_str() };
        self.share.get_or_create(&labels).set(i64::try_from(share).unwrap_or(i64::MAX));
    }

    /// Drops the series of what the configuration does not have.
    pub fn retain(&self, snapshot: &Snapshot) {
        let ratios = self.ratios.pin();
        let gone: BTreeSet<ProviderName> =
            ratios.keys().filter(|name| !snapshot.providers.contains_key(*name)).cloned().collect();
        for provider in gone {
            self.ratio.remove(&ProviderLabels { provider: provider.to_string() });
            ratios.remove(&provider);
        }
        self.held.clear();
        self.share.clear();
    }
}
