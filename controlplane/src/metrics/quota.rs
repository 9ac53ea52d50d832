//! What is granted of limits.

use cliproxy_domain::{BudgetId, Hint, NodeClaims, NodeGrants, QuotaSignal, QuotaUnit, Snapshot, WallTime};
use cliproxy_observe::metrics::prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use cliproxy_store::THRESHOLDS;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
};

type One = [(&'static str, String); 1];
type Two = [(&'static str, String); 2];
type Amount = Gauge<f64, AtomicU64>;

/// How many budgets are shown, those of providers and credentials first: clients may be many.
const SHOWN: usize = 1_000;

/// Handles of the series of limits.
#[derive(Clone, Debug)]
pub(crate) struct QuotaMetrics {
    /// Claims that were answered.
    pub(crate) answered: Counter,
    /// Claims that were not, as the store gave no answer.
    pub(crate) unanswered: Counter,
    /// Budgets of which a node was not given what one of its requests waits for.
    pub(crate) unmet: Counter,
    /// Nodes that were asked for what they hold and do not need.
    pub(crate) recalls: Counter,
    /// How long a transaction of claims took.
    pub(crate) commit_seconds: Histogram,
    /// 1 while nodes are listened to and nothing new is granted.
    pub(crate) learning: Gauge,
    crossed: Family<One, Counter>,
    limit: Family<Two, Amount>,
    used: Family<Two, Amount>,
    leased: Family<Two, Amount>,
    /// The budgets that are shown.
    shown: Arc<Mutex<BTreeSet<BudgetId>>>,
}

impl QuotaMetrics {
    pub(super) fn new() -> Self {
        let metrics = Self {
            answered: Counter::default(),
            unanswered: Counter::default(),
            unmet: Counter::default(),
            recalls: Counter::default(),
            // From 0.5 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 14)),
            learning: Gauge::default(),
            crossed: Family::default(),
            limit: Family::default(),
            used: Family::default(),
            leased: Family::default(),
            shown: Arc::default(),
        };
        // A series that is not there until something happens hides that nothing did.
        THRESHOLDS.iter().for_each(|percent| drop(metrics.crossed.get_or_create(&of(*percent))));
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let counters = [
            ("quota_claims_answered", "Claims of limits that were answered", &self.answered),
            (
                "quota_claims_unanswered",
                "Claims of limits that were not answered, as the store gave no answer",
                &self.unanswered,
            ),
            (
                "quota_claims_unmet",
                "Budgets of which a node was not given what a request of it waited for",
                &self.unmet,
            ),
            (
                "quota_recalls",
                "Nodes that were asked for what they hold of limits and do not need",
                &self.recalls,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "quota_commit_seconds",
            "Time of a transaction of claims of limits, failed ones left out",
            self.commit_seconds.clone(),
        );
        registry.register(
            "quota_learning",
            "1 while nodes say what they hold of limits, as the store lost commits, and nothing new is granted",
            self.learning.clone(),
        );
        registry.register(
            "quota_thresholds",
            "Parts of budgets that were spent, in percent of the limit",
            self.crossed.clone(),
        );
    }

    /// Shows what the budgets are whose series are named without a plane, as they are the cluster's.
    pub(super) fn register_budgets(&self, registry: &mut Registry) {
        let families = [
            ("quota_limit", "Limit of a budget, in tokens, requests or US dollars", &self.limit),
            ("quota_used", "What is spent of a budget in the period that runs", &self.used),
            ("quota_leased", "What nodes hold of a budget and have not spent", &self.leased),
        ];
        for (name, help, family) in families {
            registry.register(name, help, family.clone());
        }
    }

    /// Sets what is shown of budgets at `now`, by what all nodes are told, and forgets those that are configured no more.
    pub(crate) fn budgets(&self, snapshot: &Snapshot, hints: &[Hint], now: WallTime) {
        let told: BTreeMap<&BudgetId, &QuotaSignal> = hints
            .iter()
            .filter_map(|hint| match hint {
                Hint::Quota(told) if told.resets_at > now => Some((&told.budget, told)),
                _ => None,
            })
            .collect();
        let mut shown = BTreeSet::new();
        for (id, quota) in snapshot.budgets().take(SHOWN) {
            let (used, leased) = told.get(&id).map_or((0, 0), |told| (told.used, told.leased));
            let labels = of_budget(&id);
            for (family, amount) in [(&self.limit, quota.limit), (&self.used, used), (&self.leased, leased)] {
                family.get_or_create(&labels).set(amount_of(amount, id.unit));
            }
            shown.insert(id);
        }
        let before = std::mem::replace(&mut *self.shown.lock(), shown.clone());
        for gone in before.difference(&shown) {
            let labels = of_budget(gone);
            for family in [&self.limit, &self.used, &self.leased] {
                family.remove(&labels);
            }
        }
    }

    /// Counts claims that were answered.
    pub(crate) fn answered(&self, claims: &[NodeClaims], grants: &[NodeGrants]) {
        self.answered.inc_by(claims.len() as u64);
        for (claims, grants) in claims.iter().zip(grants) {
            let waiting = claims.budgets.iter().filter(|claim| claim.least > 0 && !claim.closing);
            let is_unmet = |claim: &&cliproxy_domain::BudgetClaim| {
                let granted = grants.budgets.iter().find(|grant| grant.id == claim.id);
                granted.is_none_or(|grant| {
                    let had = if claim.period == Some(grant.period) { claim.granted } else { 0 };
                    grant.granted < had.saturating_add(claim.least)
                })
            };
            self.unmet.inc_by(waiting.filter(is_unmet).count() as u64);
        }
    }

    /// Counts a part of a limit that was spent.
    pub(crate) fn crossed(&self, percent: u8) {
        self.crossed.get_or_create(&of(percent)).inc();
    }
}

fn of_budget(id: &BudgetId) -> Two {
    [("subject", id.subject.to_string()), ("unit", id.unit.as_str().to_owned())]
}

/// Gives an amount as people reckon it: of money in dollars.
fn amount_of(amount: u64, unit: QuotaUnit) -> f64 {
    match unit {
        QuotaUnit::Usd => amount as f64 / 1e9,
        QuotaUnit::Tokens | QuotaUnit::Requests => amount as f64,
    }
}

fn of(percent: u8) -> One {
    [("percent", percent.to_string())]
}
