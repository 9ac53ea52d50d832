//! What rows of the ledger take of budgets.

use cliproxy_domain::{BudgetId, LedgerRow, LimitSubject, QuotaUnit, Snapshot};
use std::collections::BTreeMap;

/// Budgets, and what is spent of each, in its unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spending(BTreeMap<BudgetId, u64>);

impl Spending {
    /// Begins with nothing spent of these.
    pub(crate) fn of(ids: impl IntoIterator<Item = BudgetId>) -> Self {
        Self(ids.into_iter().map(|id| (id, 0)).collect())
    }

    /// Adds what a row takes of those budgets that it is charged to.
    pub(crate) fn add(&mut self, row: &LedgerRow, snapshot: &Snapshot) {
        for id in charged(row) {
            if let Some(spent) = self.0.get_mut(&id) {
                *spent = spent.saturating_add(amount(row, id.unit, snapshot));
            }
        }
    }

    /// Gives what is spent of each.
    pub(crate) fn spent(self) -> BTreeMap<BudgetId, u64> {
        self.0
    }
}

/// Names all budgets that a row may be charged to.
pub(crate) fn charged(row: &LedgerRow) -> impl Iterator<Item = BudgetId> {
    let key = &row.key;
    let subjects = [
        Some(LimitSubject::Provider(key.provider.clone())),
        Some(LimitSubject::Credential(key.provider.clone(), key.credential.clone())),
        key.client.clone().map(LimitSubject::Client),
    ];
    subjects.into_iter().flatten().flat_map(|subject| {
        QuotaUnit::ALL.into_iter().map(move |unit| BudgetId { subject: subject.clone(), unit })
    })
}

/// Gives what a row takes of a budget of that unit.
pub(crate) fn amount(row: &LedgerRow, unit: QuotaUnit, snapshot: &Snapshot) -> u64 {
    match unit {
        QuotaUnit::Tokens => row.tokens.total(),
        QuotaUnit::Requests => row.attempts.attempts(),
        QuotaUnit::Usd if row.key.price.is_some() => row.cost_nanos,
        // Of a node of an older program, which reckons no cost: it is reckoned by the price of now.
        QuotaUnit::Usd => {
            let provider = snapshot.providers.get(&row.key.provider);
            let price = provider.and_then(|provider| provider.price_of(row.key.model.as_str()));
            price.map_or(0, |entry| entry.price.cost(&row.tokens))
        }
    }
}
