//! Budgets of which a good part is spent.

use super::{CRITICAL, WARNING};
use cliproxy_domain::{
    Hint, QuotaSignal, QuotaUnit, Snapshot, WallTime,
    status::{Alert, SpentBudget},
};
use cliproxy_store::THRESHOLDS;

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;
/// From this part on it is urgent.
const URGENT: u8 = 95;

/// Tells of budgets of which one of [`THRESHOLDS`] is spent, for as long as their periods run. What nodes merely hold
/// alarms nobody.
pub(super) fn spent(snapshot: &Snapshot, hints: &[Hint], now: WallTime) -> Vec<Alert> {
    let told = hints.iter().filter_map(|hint| match hint {
        // What was told of a period that is over says nothing of the one that runs.
        Hint::Quota(told) if told.resets_at > now => Some(told),
        _ => None,
    });
    told.filter_map(|told| of_budget(told, snapshot.budget(&told.budget)?.limit)).collect()
}

fn of_budget(told: &QuotaSignal, limit: u64) -> Option<Alert> {
    let is_spent =
        |percent: &&u8| limit > 0 && u128::from(told.used) * 100 >= u128::from(limit) * u128::from(**percent);
    let level = *THRESHOLDS.iter().rev().find(is_spent)?;
    let (used, limit) = (shown(told.used, told.budget.unit), shown(limit, told.budget.unit));
    let (subject, unit, resets_at) = (told.budget.subject.to_string(), told.budget.unit, told.resets_at);
    let message = format!(
        "{level} % of what {subject} may use are spent: {used} of {limit} {} until {resets_at}; raise the limit if that \
         is too early",
        unit.as_str()
    );
    Some(Alert {
        name: "quota_threshold",
        severity: if level >= URGENT { CRITICAL } else { WARNING },
        provider: told.budget.subject.provider().cloned(),
        since: None,
        budget: Some(SpentBudget { subject, unit, level: level.into(), used, limit, resets_at }),
        message,
    })
}

fn shown(amount: u64, unit: QuotaUnit) -> f64 {
    match unit {
        QuotaUnit::Usd => amount as f64 / NANOS,
        QuotaUnit::Tokens | QuotaUnit::Requests => amount as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{BudgetId, Quota, QuotaReset};

    const NOW: WallTime = WallTime(1_771_541_430_000);
    /// 15 US dollars.
    const LIMIT: u64 = 15_000_000_000;

    fn alerts(used: u64, leased: u64, resets_at: WallTime) -> Vec<Alert> {
        let claude = crate::state::sample::provider("claude", |provider| {
            provider.quota = Some(Quota::new(LIMIT, QuotaUnit::Usd, QuotaReset::Monthly { day: 1 }));
        });
        let snapshot = Snapshot { providers: [(claude.name.clone(), claude)].into(), ..Snapshot::default() };
        let budget = BudgetId::of_provider("claude", QuotaUnit::Usd);
        let signal = QuotaSignal { revision: 1, budget, used, leased, spent_at: None, resets_at };
        spent(&snapshot, &[Hint::Quota(signal)], NOW)
    }

    fn level(used: u64) -> Option<u32> {
        let alert = alerts(used, 0, WallTime(NOW.0 + 1)).pop()?;
        alert.budget.map(|budget| budget.level)
    }

    #[test]
    fn forty_cents_of_fifteen_dollars_alarm_nobody_however_much_nodes_hold() {
        assert_eq!(alerts(400_000_000, LIMIT - 400_000_000, WallTime(NOW.0 + 1)), []);
    }

    #[test]
    fn each_part_is_told_from_when_it_is_spent_until_the_period_ends() {
        assert_eq!([7_499_999_999, 7_500_000_000, 11_999_999_999].map(level), [None, Some(50), Some(50)]);
        assert_eq!([12_000_000_000, 14_250_000_000, LIMIT * 2].map(level), [Some(80), Some(95), Some(95)]);
        assert_eq!(alerts(LIMIT, 0, NOW), []);
    }

    #[test]
    fn an_alert_says_whose_how_much_and_until_when() {
        let alert = alerts(12_150_000_000, 0, WallTime(NOW.0 + 60_000)).remove(0);
        assert_eq!(
            alert.message,
            "80 % of what provider claude may use are spent: 12.15 of 15 usd until 2026-02-19T22:51:30Z; raise the limit \
             if that is too early"
        );
        assert_eq!((alert.severity, alert.provider), (WARNING, Some("claude".into())));
    }
}
