//! What is left of the providers' quotas.

use super::Operations;
use cliproxy_domain::{
    BudgetId, Hint, Quota, QuotaUnit, WallTime,
    status::{QuotaStatus, QuotasStatus, Source},
};
use cliproxy_engine::quota::period;

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;

impl Operations {
    /// Tells what is left of the quota of each provider that has one, as far as nodes have reported.
    pub(crate) fn quotas_status(&self) -> QuotasStatus {
        let now = self.state.clock.wall();
        let mut status = QuotasStatus { source: Source::Cluster, as_of: now, ..QuotasStatus::default() };
        let Some(active) = self.state.active() else { return status };
        let told = self.state.hints.passing();
        for provider in active.snapshot.providers.values() {
            let Some(quota) = &provider.quota else { continue };
            let used = told.iter().find_map(|hint| match hint {
                // What was told of a period that is over says nothing of the one that runs.
                Hint::Quota(told)
                    if told.budget == BudgetId::of_provider(provider.name.clone(), quota.unit)
                        && told.resets_at > now =>
                {
                    Some(told.used)
                }
                _ => None,
            });
            status.quotas.insert(provider.name.clone(), quota_status(quota, used.unwrap_or(0), now));
        }
        status
    }
}

fn quota_status(quota: &Quota, used: u64, now: WallTime) -> QuotaStatus {
    let amount = |units: u64| match quota.unit {
        QuotaUnit::Usd => units as f64 / NANOS,
        QuotaUnit::Tokens | QuotaUnit::Requests => units as f64,
    };
    let period = period(quota, now);
    QuotaStatus {
        unit: quota.unit,
        limit: amount(quota.limit),
        used: amount(used),
        remaining: amount(quota.limit.saturating_sub(used)),
        started_at: period.started_at,
        resets_at: period.ends_at,
    }
}
