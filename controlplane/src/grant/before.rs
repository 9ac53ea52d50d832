//! What was spent of budgets before anything was granted of them in the period that runs.

use crate::state::{ActiveConfig, Spending};
use cliproxy_domain::{BudgetId, WallTime};
use cliproxy_store::{BudgetTerms, Store, StoreError, Terms};
use std::collections::BTreeMap;

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

    /// Tells what was spent of each of these budgets before its period is granted of.
    ///
    /// Where the period before was granted of as well, nothing was: what the ledger counts under the new one by then was
    /// begun, and is settled, in the one before.
    pub(super) async fn counted(
        &self,
        store: &dyn Store,
        active: &ActiveConfig,
        terms: &Terms,
        ids: &[BudgetId],
    ) -> Result<BTreeMap<BudgetId, u64>, StoreError> {
        let mut counted = BTreeMap::new();
        let mut by_period: BTreeMap<(WallTime, WallTime), Vec<BudgetId>> = BTreeMap::new();
        for id in ids {
            let Some(BudgetTerms { period, .. }) = terms.budgets.get(id) else { continue };
            if self.0.get(id) == Some(&period.start) {
                counted.insert(id.clone(), 0);
            } else {
                by_period.entry((period.start, period.end)).or_default().push(id.clone());
            }
        }
        for ((start, end), ids) in by_period {
            let mut spending = Spending::of(ids);
            store.usage(start..end).await?.iter().for_each(|row| spending.add(row, &active.snapshot));
            counted.extend(spending.spent());
        }
        Ok(counted)
    }
}
