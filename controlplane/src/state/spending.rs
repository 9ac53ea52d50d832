//! What rows of the ledger take of budgets.

use cliproxy_domain::{BudgetId, LedgerRow, LimitSubject, QuotaUnit, Snapshot};
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
