//! What is granted of limits.

use cliproxy_domain::{NodeClaims, NodeGrants};
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

type One = [(&'static str, String); 1];

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

fn of(percent: u8) -> One {
    [("percent", percent.to_string())]
}
