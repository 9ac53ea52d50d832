//! What was spent of budgets before anything was granted of them in the period that runs.

use crate::state::{ActiveConfig, Spending};
use cliproxy_domain::{BudgetId, WallTime};
use cliproxy_store::{BudgetTerms, Store, StoreError, Terms, WindowLeases};
use std::collections::{BTreeMap, BTreeSet};

/// The periods that were granted of last, as far as this replica saw it.
#[derive(Default)]
pub(super) struct Before(BTreeMap<BudgetId, WallTime>);

impl Before {
    /// Notes that a period is granted of that ends then.
    pub(super) fn runs(&mut self, id: &BudgetId, ends: WallTime) {
        match self.0.get_mut(id) {
            Some(known) => *known = (*known).max(ends),
            None => drop(self.0.insert(id.clone(), ends)),
        }
    }

    /// Forgets budgets that are not configured any more.
    pub(super) fn keep(&mut self, terms: &Terms) {
        self.0.retain(|id, _| terms.budgets.contains_key(id));
    }

    /// Forgets all: the store has another history.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Tells what was spent of each of these budgets before its period is granted of, or is to be taken for spent at
    /// `now`.
    ///
    /// Where the period before was granted of as well, nothing was: what the ledger counts under the new one by then was
    /// begun, and is settled, in the one before.
    pub(super) async fn counted(
        &self,
        store: &dyn Store,
        active: &ActiveConfig,
        terms: &Terms,
        ids: &[BudgetId],
        now: WallTime,
    ) -> Result<BTreeMap<BudgetId, u64>, StoreError> {
        let mut counted = BTreeMap::new();
        let mut by_period = ByPeriod::new();
        for id in ids {
            let Some(BudgetTerms { period, .. }) = terms.budgets.get(id) else { continue };
            if self.0.get(id) == Some(&period.start) {
                counted.insert(id.clone(), 0);
            } else {
                by_period.entry((period.start, period.end)).or_default().push(id.clone());
            }
        }
        if by_period.is_empty() {
            return Ok(counted);
        }
        let others = others(store, active, terms, by_period.values().flatten(), now).await?;
        for ((_, id), spent) in by_ledger(store, active, by_period).await? {
            let other = others.get(&id).copied().unwrap_or_default();
            counted.insert(id, spent.saturating_add(other));
        }
        Ok(counted)
    }
}

/// Periods, from when until when, and the budgets that they are of.
type ByPeriod = BTreeMap<(WallTime, WallTime), Vec<BudgetId>>;

/// Tells what the ledger counts of budgets, by the beginning of the period.
async fn by_ledger(
    store: &dyn Store,
    active: &ActiveConfig,
    periods: ByPeriod,
) -> Result<BTreeMap<(WallTime, BudgetId), u64>, StoreError> {
    let mut counted = BTreeMap::new();
    for ((start, end), ids) in periods {
        let mut spending = Spending::of(ids);
        store.usage(start..end).await?.iter().for_each(|row| spending.add(row, &active.snapshot));
        counted.extend(spending.spent().into_iter().map(|(id, spent)| ((start, id), spent)));
    }
    Ok(counted)
}

/// Tells what nodes may still spend of other periods of these budgets, which go on as the reset was changed: what they
/// hold there, and what they spent there and the ledger has not heard of yet. All of it comes on top of what the ledger
/// counts in the new period, though some of it may be given back: nobody knows yet how much.
async fn others<'a>(
    store: &dyn Store,
    active: &ActiveConfig,
    terms: &Terms,
    ids: impl Iterator<Item = &'a BudgetId>,
    now: WallTime,
) -> Result<BTreeMap<BudgetId, u64>, StoreError> {
    let ids: BTreeSet<&BudgetId> = ids.collect();
    let is_other = |window: &WindowLeases| {
        let runs = terms.budgets.get(&window.id).map(|terms| terms.period.start);
        ids.contains(&window.id) && runs != Some(window.period.start)
    };
    let windows: Vec<_> = store.leases(now).await?.windows.into_iter().filter(is_other).collect();
    let mut periods = ByPeriod::new();
    for window in &windows {
        periods.entry((window.period.start, window.period.end)).or_default().push(window.id.clone());
    }
    let known = by_ledger(store, active, periods).await?;
    let mut others: BTreeMap<BudgetId, u64> = BTreeMap::new();
    for WindowLeases { id, period, settled, outstanding, .. } in windows {
        let known = known.get(&(period.start, id.clone())).copied().unwrap_or_default();
        let other = others.entry(id).or_default();
        *other = other.saturating_add(outstanding).saturating_add(settled.saturating_sub(known));
    }
    Ok(others)
}
