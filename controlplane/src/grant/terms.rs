//! By which limits it is granted now.

use crate::state::ActiveConfig;
use cliproxy_domain::{BudgetId, ConfigId, NodeClaims, Snapshot, WallTime, share};
use cliproxy_engine::quota::period;
use cliproxy_store::{BudgetTerms, Learning, RateTerms, Terms};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// The terms that were used last, made anew when something of them changes.
#[derive(Default)]
pub(super) struct Known {
    last: Option<(Of, Arc<Terms>)>,
    /// Budgets that the terms before did not have, until it is counted what was spent of them meanwhile.
    uncounted: BTreeSet<BudgetId>,
}

/// What terms are made of.
#[derive(Clone, PartialEq, Eq)]
struct Of {
    config: ConfigId,
    /// Through which time all their periods run.
    runs: Range<WallTime>,
    nodes: u32,
    learning: Learning,
}

impl Known {
    /// Gives the terms at `now` among so many nodes.
    pub(super) fn at(
        &mut self,
        now: WallTime,
        active: &ActiveConfig,
        nodes: u32,
        learning: Learning,
    ) -> Arc<Terms> {
        if let Some((of, terms)) = &self.last
            && (of.config, of.nodes, of.learning) == (active.id, nodes, learning)
            && of.runs.contains(&now)
        {
            return Arc::clone(terms);
        }
        let (terms, runs) = terms(&active.snapshot, now, nodes, learning);
        let terms = Arc::new(terms);
        if let Some((_, before)) = &self.last {
            let came = terms.budgets.keys().filter(|id| !before.budgets.contains_key(*id));
            self.uncounted.extend(came.cloned());
            self.uncounted.retain(|id| terms.budgets.contains_key(id));
        }
        self.last = Some((Of { config: active.id, runs, nodes, learning }, Arc::clone(&terms)));
        terms
    }

    /// Gives those of the budgets that are claimed of, and were not limited until lately: one that was limited before
    /// that has a window, which does not know what was spent since.
    pub(super) fn uncounted(&self, claims: &[NodeClaims]) -> Vec<BudgetId> {
        if self.uncounted.is_empty() {
            return Vec::new();
        }
        let claimed: BTreeSet<&BudgetId> =
            claims.iter().flat_map(|claims| &claims.budgets).map(|claim| &claim.id).collect();
        claimed.into_iter().filter(|id| self.uncounted.contains(*id)).cloned().collect()
    }

    /// Notes that it was counted and written what was spent of them.
    pub(super) fn counted(&mut self, ids: &[BudgetId]) {
        self.uncounted.retain(|id| !ids.contains(id));
    }
}

/// Gives the same terms, in which it is known what was spent of some budgets before.
pub(super) fn knowing(terms: &Terms, before: &BTreeMap<BudgetId, u64>) -> Terms {
    let Terms { budgets, .. } = opening(terms, before);
    Terms { budgets: terms.budgets.clone().into_iter().chain(budgets).collect(), ..terms.clone() }
}

/// Gives the terms for those budgets alone, of which it is known by now what was spent before.
pub(super) fn opening(terms: &Terms, before: &BTreeMap<BudgetId, u64>) -> Terms {
    let begun = before.iter().filter_map(|(id, settled)| {
        let terms = BudgetTerms { settled_before: Some(*settled), ..terms.budgets.get(id)?.clone() };
        Some((id.clone(), terms))
    });
    Terms { budgets: begun.collect(), rates: BTreeMap::new(), ..terms.clone() }
}

/// Makes the terms at `now`, and tells through which time they hold.
fn terms(snapshot: &Snapshot, now: WallTime, nodes: u32, learning: Learning) -> (Terms, Range<WallTime>) {
    let mut runs = WallTime(i64::MIN)..WallTime(i64::MAX);
    let mut budgets = BTreeMap::new();
    for (id, quota) in snapshot.budgets() {
        let period = period(quota, now);
        runs = runs.start.max(period.started_at)..runs.end.min(period.ends_at);
        let period = period.started_at..period.ends_at;
        budgets.insert(id, BudgetTerms { limit: quota.limit, period, settled_before: None });
    }
    let rates = snapshot.rates().map(|(id, limit, on_loss)| {
        let safe_share = share::safe_share(limit, on_loss, nodes.into());
        (id, RateTerms { limit, safe_share })
    });
    let terms = Terms { budgets, rates: rates.collect(), nodes: nodes.max(1), ttl: share::TTL, learning };
    (terms, runs)
}
