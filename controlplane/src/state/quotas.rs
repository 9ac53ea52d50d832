//! What is used of budgets in the periods that run, as the ledger counts it: of those that nothing is granted of yet, and of
//! which the books say nothing.

use super::spending::{amount, charged};
use cliproxy_domain::{BudgetId, LedgerRow, Quota, Snapshot, WallTime};
use cliproxy_engine::quota::{Period, period};
use parking_lot::Mutex;
use std::{collections::BTreeMap, ops::Range};

/// The budgets that are followed.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<BudgetId, Running>>);

/// A budget's period that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Running {
    quota: Quota,
    period: Period,
    /// In the unit.
    used: u64,
}

/// What is used of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) budget: BudgetId,
    /// In the unit; of US dollars in billionths.
    pub(crate) used: u64,
    /// What nodes hold and have not spent, likewise.
    pub(crate) leased: u64,
    pub(crate) resets_at: WallTime,
}

impl Quotas {
    /// Gives the minutes over which usage is to be read anew at `now`, each with the budgets for which it is: they are
    /// `wanted` and not followed yet, or changed, or another period of theirs runs.
    pub(crate) fn stale(
        &self,
        snapshot: &Snapshot,
        now: WallTime,
        wanted: impl Fn(&BudgetId) -> bool,
    ) -> Vec<(Range<WallTime>, Vec<BudgetId>)> {
        let known = self.0.lock();
        let mut stale: BTreeMap<(WallTime, WallTime), Vec<BudgetId>> = BTreeMap::new();
        for (id, quota) in snapshot.budgets().filter(|(id, _)| wanted(id)) {
            let period = period(quota, now);
            let holds = known.get(&id).is_some_and(|known| known.quota == *quota && known.period == period);
            if !holds {
                stale.entry((period.started_at, period.ends_at)).or_default().push(id);
            }
        }
        stale.into_iter().map(|((start, end), ids)| (start..end, ids)).collect()
    }

    /// Follows budgets from what the store says of the period that runs at `now`.
    pub(crate) fn follow(&self, ids: Vec<BudgetId>, rows: &[LedgerRow], snapshot: &Snapshot, now: WallTime) {
        let begun = ids.into_iter().filter_map(|id| {
            let quota = snapshot.budget(&id)?;
            Some((id, Running { quota: quota.clone(), period: period(quota, now), used: 0 }))
        });
        let mut begun: BTreeMap<BudgetId, Running> = begun.collect();
        rows.iter().for_each(|row| add(&mut begun, row, snapshot, |_| true));
        self.0.lock().extend(begun);
    }

    /// Adds rows that the store counts under `minute`.
    pub(crate) fn fold(&self, rows: &[LedgerRow], minute: WallTime, snapshot: &Snapshot) {
        let mut known = self.0.lock();
        if known.is_empty() {
            return;
        }
        let runs = |running: &Running| (running.period.started_at..running.period.ends_at).contains(&minute);
        rows.iter().for_each(|row| add(&mut known, row, snapshot, runs));
    }

    /// Forgets budgets that are not `wanted` any more.
    pub(crate) fn keep(&self, wanted: impl Fn(&BudgetId) -> bool) {
        self.0.lock().retain(|id, _| wanted(id));
    }

    /// Forgets all: what is used is read anew.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Tells what is used of every budget that is followed, sorted.
    pub(crate) fn used(&self) -> Vec<Used> {
        let used = |(budget, running): (&BudgetId, &Running)| Used {
            budget: budget.clone(),
            used: running.used,
            leased: 0,
            resets_at: running.period.ends_at,
        };
        self.0.lock().iter().map(used).collect()
    }
}

/// Adds what a row takes of those budgets that it is charged to.
fn add(
    budgets: &mut BTreeMap<BudgetId, Running>,
    row: &LedgerRow,
    snapshot: &Snapshot,
    counts: impl Fn(&Running) -> bool,
) {
    for id in charged(row) {
        if let Some(running) = budgets.get_mut(&id).filter(|running| counts(running)) {
            running.used = running.used.saturating_add(amount(row, id.unit, snapshot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{
        AttemptCounts, Client, LedgerKey, LimitSubject, Price, PriceEntry, Priority, QuotaReset, QuotaUnit,
        RateLimits, TokenUsage, UsageKey,
    };
    use std::time::Duration;

    const NOW: WallTime = WallTime(1_771_541_430_500);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn snapshot(unit: QuotaUnit, price: Option<Price>) -> Snapshot {
        let quota = Quota::new(1_000, unit, QuotaReset::Hourly);
        let prices = price.map(|price| PriceEntry::for_all(price, "config-0"));
        let claude = crate::state::sample::provider("claude", |provider| {
            (provider.quota, provider.prices) = (Some(quota), prices.into_iter().collect());
        });
        Snapshot { providers: [(claude.name.clone(), claude)].into(), ..Snapshot::default() }
    }

    fn row(provider: &str) -> LedgerRow {
        LedgerRow {
            key: LedgerKey { provider: provider.into(), credential: "main".into(), model: "m".into() }.into(),
            attempts: AttemptCounts { ok: 2, err_5xx: 1, ..Default::default() },
            tokens: TokenUsage { input: 70, output: 30, ..Default::default() },
            cost_nanos: 0,
        }
    }

    fn follow(quotas: &Quotas, snapshot: &Snapshot, rows: &[LedgerRow]) {
        for (_, ids) in quotas.stale(snapshot, NOW, |_| true) {
            quotas.follow(ids, rows, snapshot, NOW);
        }
    }

    fn used(unit: QuotaUnit, price: Option<Price>, row: impl Fn(&str) -> LedgerRow) -> u64 {
        let (quotas, snapshot) = (Quotas::default(), snapshot(unit, price));
        follow(&quotas, &snapshot, &[row("claude"), row("openai")]);
        quotas.fold(&[row("claude"), row("openai")], NOW, &snapshot);
        quotas.used()[0].used
    }

    #[test]
    fn each_unit_counts_what_it_says() {
        let price = Some(Price::new(3_000_000, 15_000_000));
        assert_eq!(used(QuotaUnit::Tokens, None, row), 200);
        assert_eq!(used(QuotaUnit::Requests, None, row), 6);
        // 140 prompt tokens at 0.003 and 60 generated ones at 0.015 US dollars for 1,000.
        assert_eq!(used(QuotaUnit::Usd, price, row), 420_000 + 900_000);
        assert_eq!(used(QuotaUnit::Usd, None, row), 0);
    }

    #[test]
    fn what_a_call_cost_when_it_was_made_counts_whatever_the_price_is_now() {
        let priced = |provider: &str| LedgerRow {
            key: UsageKey { price: Some("config-0".into()), ..row(provider).key },
            cost_nanos: 77,
            ..row(provider)
        };
        assert_eq!(used(QuotaUnit::Usd, Some(Price::new(3_000_000, 15_000_000)), priced), 154);
    }

    #[test]
    fn a_call_counts_for_the_provider_its_credential_and_its_client() {
        let mut snapshot = snapshot(QuotaUnit::Tokens, None);
        let requests = Quota::new(9, QuotaUnit::Requests, QuotaReset::Daily);
        snapshot.providers.get_mut("claude").unwrap().credentials[0].quota = Some(requests.clone());
        let ci = Client {
            name: "ci".into(),
            keys: Vec::new(),
            models: Vec::new(),
            providers: Vec::new(),
            tags: BTreeMap::new(),
            rate_limit: RateLimits::default(),
            budgets: vec![requests],
            priority: Priority::default(),
        };
        snapshot.clients.insert(ci.name.clone(), ci);
        let (quotas, mut by_ci) = (Quotas::default(), row("claude"));
        by_ci.key.client = Some("ci".into());
        follow(&quotas, &snapshot, &[row("claude"), by_ci]);
        let used: Vec<_> = quotas.used().into_iter().map(|used| (used.budget.subject, used.used)).collect();
        let main = LimitSubject::Credential("claude".into(), "main".into());
        let (claude, ci) = (LimitSubject::Provider("claude".into()), LimitSubject::Client("ci".into()));
        assert_eq!(used, [(claude, 200), (main, 6), (ci, 3)]);
    }

    #[test]
    fn another_period_begins_with_what_the_store_says_of_it() {
        let (quotas, snapshot) = (Quotas::default(), snapshot(QuotaUnit::Tokens, None));
        let (hour, ids) = quotas.stale(&snapshot, NOW, |_| true).remove(0);
        quotas.follow(ids.clone(), &[row("claude")], &snapshot, NOW);
        assert_eq!(quotas.stale(&snapshot, NOW, |_| true), []);
        quotas.fold(&[row("claude")], hour.start.minus(Duration::from_secs(60)), &snapshot);
        assert_eq!(quotas.used()[0].used, 100, "usage of the hour before");
        assert_eq!(quotas.used()[0].resets_at, hour.end);
        let next = hour.end..hour.end.plus(HOUR);
        assert_eq!(quotas.stale(&snapshot, NOW.plus(HOUR), |_| true), [(next, ids)]);
    }

    #[test]
    fn a_quota_that_changed_is_read_anew_and_one_that_the_books_have_is_not_followed() {
        let quotas = Quotas::default();
        let tokens = snapshot(QuotaUnit::Tokens, None);
        follow(&quotas, &tokens, &[]);
        assert_eq!(quotas.stale(&snapshot(QuotaUnit::Requests, None), NOW, |_| true).len(), 1);
        assert!(quotas.stale(&tokens, NOW.plus(HOUR), |_| false).is_empty());
        quotas.keep(|_| false);
        assert!(quotas.used().is_empty());
    }
}
