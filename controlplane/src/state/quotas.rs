//! How much of each provider's quota is used in the period that runs.

use cliproxy_domain::{
    LedgerRow, PriceEntry, Provider, ProviderName, Quota, QuotaUnit, WallTime, price::price_of,
};
use cliproxy_engine::quota::{Period, period};
use parking_lot::Mutex;
use std::{collections::BTreeMap, ops::Range};

/// The quotas of all providers that have one.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<ProviderName, Running>>);

/// A quota's period that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Running {
    quota: Quota,
    prices: Vec<PriceEntry>,
    period: Period,
    /// In the unit; of US dollars in trillionths, as prices are for 1,000 tokens.
    used: u128,
}

/// What is used of a provider's quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) provider: ProviderName,
    /// In the unit; of US dollars in billionths.
    pub(crate) used: u64,
    pub(crate) resets_at: WallTime,
}

impl Quotas {
    /// Gives the minutes over which a provider's usage is to be read anew at `now`: its quota is not followed yet, or
    /// changed, or another period runs. `None` when what is known holds, or when it has no quota.
    pub(crate) fn stale(&self, provider: &Provider, now: WallTime) -> Option<Range<WallTime>> {
        let quota = provider.quota.as_ref()?;
        let period = period(quota, now);
        let holds = self.0.lock().get(&provider.name).is_some_and(|known| {
            known.quota == *quota && known.prices == provider.prices && known.period == period
        });
        (!holds).then_some(period.started_at..period.ends_at)
    }

    /// Follows a provider's quota from what the store says of the period that runs at `now`.
    pub(crate) fn follow(&self, provider: &Provider, rows: &[LedgerRow], now: WallTime) {
        let Some(quota) = provider.quota.clone() else { return };
        let period = period(&quota, now);
        let mut running = Running { quota, prices: provider.prices.clone(), period, used: 0 };
        rows.iter().filter(|row| row.key.provider == provider.name).for_each(|row| running.add(row));
        self.0.lock().insert(provider.name.clone(), running);
    }

    /// Adds rows that the store counts under `minute`.
    pub(crate) fn fold(&self, rows: &[LedgerRow], minute: WallTime) {
        let mut quotas = self.0.lock();
        if quotas.is_empty() {
            return;
        }
        for row in rows {
            if let Some(running) = quotas.get_mut(&row.key.provider)
                && (running.period.started_at..running.period.ends_at).contains(&minute)
            {
                running.add(row);
            }
        }
    }

    /// Forgets quotas that `has_quota` does not hold of.
    pub(crate) fn keep(&self, has_quota: impl Fn(&ProviderName) -> bool) {
        self.0.lock().retain(|provider, _| has_quota(provider));
    }

    /// Forgets all: what is used is read anew.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Tells what is used of every quota, sorted by provider.
    pub(crate) fn used(&self) -> Vec<Used> {
        let quotas = self.0.lock();
        let used = |(provider, running): (&ProviderName, &Running)| Used {
            provider: provider.clone(),
            used: running.used(),
            resets_at: running.period.ends_at,
        };
        quotas.iter().map(used).collect()
    }
}

impl Running {
    fn add(&mut self, row: &LedgerRow) {
        let amount = match self.quota.unit {
            QuotaUnit::Tokens => u128::from(row.tokens.total()),
            QuotaUnit::Requests => u128::from(row.attempts.attempts()),
            QuotaUnit::Usd => price_of(&self.prices, row.key.model.as_str())
                .map_or(0, |entry| entry.price.picodollars(&row.tokens)),
        };
        self.used = self.used.saturating_add(amount);
    }

    fn used(&self) -> u64 {
        let used = if self.quota.unit == QuotaUnit::Usd { self.used / 1_000 } else { self.used };
        u64::try_from(used).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{AttemptCounts, LedgerKey, ModelPattern, Price, QuotaReset, TokenUsage, UsageKey};
    use std::time::Duration;

    const NOW: WallTime = WallTime(1_771_541_430_500);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn provider(unit: QuotaUnit, price: Option<Price>) -> Provider {
        let quota = Quota::new(1_000, unit, QuotaReset::Hourly);
        let prices = price.map(|price| PriceEntry::for_all(price, "config-0"));
        crate::state::sample::provider("claude", |provider| {
            (provider.quota, provider.prices) = (Some(quota), prices.into_iter().collect());
        })
    }

    fn row(provider: &str) -> LedgerRow {
        LedgerRow {
            key: LedgerKey { provider: provider.into(), credential: "main".into(), model: "m".into() }.into(),
            attempts: AttemptCounts { ok: 2, err_5xx: 1, ..Default::default() },
            tokens: TokenUsage { input: 70, output: 30, ..Default::default() },
            cost_nanos: 0,
        }
    }

    fn used(unit: QuotaUnit, price: Option<Price>) -> u64 {
        let quotas = Quotas::default();
        quotas.follow(&provider(unit, price), &[row("claude"), row("openai")], NOW);
        quotas.fold(&[row("claude"), row("openai")], NOW);
        quotas.used()[0].used
    }

    #[test]
    fn each_unit_counts_what_it_says() {
        let price = Some(Price::new(3_000_000, 15_000_000));
        assert_eq!(used(QuotaUnit::Tokens, None), 200);
        assert_eq!(used(QuotaUnit::Requests, None), 6);
        // 140 prompt tokens at 0.003 and 60 generated ones at 0.015 US dollars for 1,000.
        assert_eq!(used(QuotaUnit::Usd, price), 420_000 + 900_000);
        assert_eq!(used(QuotaUnit::Usd, None), 0);
    }

    #[test]
    fn many_small_amounts_of_money_add_up_exactly() {
        let price = Some(Price::new(1, 0));
        let quotas = Quotas::default();
        quotas.follow(&provider(QuotaUnit::Usd, price), &[], NOW);
        for _ in 0..100 {
            quotas.fold(&[row("claude")], NOW);
        }
        assert_eq!(quotas.used()[0].used, 7);
    }

    #[test]
    fn money_is_counted_by_the_price_of_the_model_that_was_called() {
        let quotas = Quotas::default();
        let mut claude = provider(QuotaUnit::Usd, Some(Price::new(1_000, 1_000)));
        let dear = PriceEntry {
            models: vec![ModelPattern::new("m")],
            ..PriceEntry::for_all(Price::new(5_000, 5_000), "config-1")
        };
        claude.prices.insert(0, dear);
        let other = UsageKey { model: "n".into(), ..row("claude").key };
        quotas.follow(&claude, &[row("claude"), LedgerRow { key: other, ..row("claude") }], NOW);
        assert_eq!(quotas.used()[0].used, 500 + 100);
    }

    #[test]
    fn another_period_begins_with_what_the_store_says_of_it() {
        let quotas = Quotas::default();
        let claude = provider(QuotaUnit::Tokens, None);
        let hour = quotas.stale(&claude, NOW).unwrap();
        quotas.follow(&claude, &[row("claude")], NOW);
        assert_eq!(quotas.stale(&claude, NOW), None);
        quotas.fold(&[row("claude")], hour.start.minus(Duration::from_secs(60)));
        assert_eq!(quotas.used()[0].used, 100, "usage of the hour before");
        assert_eq!(quotas.used()[0].resets_at, hour.end);
        assert_eq!(quotas.stale(&claude, NOW.plus(HOUR)), Some(hour.end..hour.end.plus(HOUR)));
    }

    #[test]
    fn a_quota_that_changed_is_read_anew() {
        let quotas = Quotas::default();
        quotas.follow(&provider(QuotaUnit::Tokens, None), &[], NOW);
        assert!(quotas.stale(&provider(QuotaUnit::Requests, None), NOW).is_some());
        quotas.keep(|_| false);
        assert!(quotas.used().is_empty());
    }
}
