//! By which limits it is granted now.

use crate::state::ActiveConfig;
use cliproxy_domain::{BudgetId, ConfigId, Snapshot, WallTime, share};
use cliproxy_engine::quota::period;
use cliproxy_store::{BudgetTerms, Learning, RateTerms, Terms};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// The terms that were used last, made anew when something of them changes.
#[derive(Default)]
pub(super) struct Known {
    last: Option<(Of, Arc<Terms>)>,
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
        self.last = Some((Of { config: active.id, runs, nodes, learning }, Arc::clone(&terms)));
        terms
    }
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
