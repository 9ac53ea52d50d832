//! `GET /v0/operations/quotas`

use crate::ops::Ops;
use cliproxy_domain::{
    BudgetId, Hint, HintKey, Quota,
    status::{BudgetStatus, HolderStatus, QuotaStatus, QuotasStatus, RateStatus, ShareStatus, Source},
};
use cliproxy_engine::quota::period;

/// Tells what this node holds of limits, and what it was told last of all nodes.
pub(super) fn status(ops: &Ops) -> QuotasStatus {
    let now = ops.clock.wall();
    let mut status = QuotasStatus { source: Source::Node, as_of: now, ..QuotasStatus::default() };
    let Some(known) = ops.live.known() else { return status };
    let mut budgets: Vec<(BudgetId, &Quota)> = known.snapshot.budgets().collect();
    budgets.sort_by(|a, b| a.0.cmp(&b.0));
    status.budgets = budgets.iter().map(|(id, quota)| budget(ops, id, quota)).collect();
    for provider in known.snapshot.providers.values() {
        let Some(quota) = &provider.quota else { continue };
        let id = BudgetId::of_provider(provider.name.clone(), quota.unit);
        let BudgetStatus { unit, limit, used, started_at, resets_at, .. } = budget(ops, &id, quota);
        let remaining = (limit - used).max(0.0);
        status.quotas.insert(
            provider.name.clone(),
            QuotaStatus { unit, limit, used, remaining, started_at, resets_at },
        );
    }
    let mut rates: Vec<_> = known.snapshot.rates().collect();
    rates.sort_by(|a, b| a.0.cmp(&b.0));
    let limits = ops.live.limits();
    status.rates = rates
        .into_iter()
        .map(|(id, limit, on_loss)| {
            let state = limits.rate(&id).map(|rate| rate.state(ops.clock.now()));
            let share = state.map(|state| ShareStatus {
                node: ops.node.clone(),
                incarnation: ops.incarnation,
                share: state.share,
                held: state.share.max(state.used),
                demand: state.used,
                ends_in_ms: state
                    .ends_in
                    .map_or(0, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            });
            let held = share.as_ref().map_or(0, |share| share.held);
            RateStatus {
                subject: id.subject.to_string(),
                kind: id.kind,
                limit,
                // What the others hold it does not know.
                free: limit.saturating_sub(held),
                on_loss,
                shares: share.into_iter().collect(),
            }
        })
        .collect();
    status
}

/// Tells of one budget: what all nodes used, by the last word, and what this one holds.
fn budget(ops: &Ops, id: &BudgetId, quota: &Quota) -> BudgetStatus {
    let now = ops.clock.wall();
    let held = ops.live.limits().budget(id).and_then(|purse| purse.state(ops.clock.now()));
    let told = match ops.live.hint_of(&HintKey::Quota(id.clone())) {
        Some(Hint::Quota(told)) if told.resets_at > now => Some((told.used, told.leased)),
        _ => None,
    };
    let (used, leased) = told.or(held.map(|held| (held.used, held.leased))).unwrap_or_default();
    let shown = |units| id.unit.shown(units);
    let period = period(quota, now);
    let holder = held.map(|held| HolderStatus {
        node: ops.node.clone(),
        incarnation: ops.incarnation,
        held: shown(held.granted.saturating_sub(held.spent).saturating_sub(held.returned)),
        spent: shown(held.spent),
        stranded: false,
    });
    BudgetStatus {
        subject: id.subject.to_string(),
        unit: id.unit,
        limit: shown(quota.limit),
        used: shown(used),
        leased: shown(leased),
        remaining: shown(quota.limit.saturating_sub(used).saturating_sub(leased)),
        started_at: period.started_at,
        resets_at: period.ends_at,
        on_loss: quota.on_loss,
        policy: quota.policy,
        threshold: None,
        holders: holder.into_iter().collect(),
    }
}
