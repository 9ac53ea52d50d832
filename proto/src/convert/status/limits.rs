//! What is left of budgets and how rates are shared out.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::status::{
    BudgetStatus, HolderStatus, QuotasStatus, RateStatus, ReleaseStatus, ShareStatus,
};

/// Turns what is left of quotas, budgets and rates into its message.
pub fn quotas_to_wire(status: &QuotasStatus) -> v1::ListQuotasResponse {
    let quotas = status.quotas.iter().map(|(name, quota)| {
        let quota = v1::QuotaStatus {
            unit: quota.unit.word().to_owned(),
            limit: quota.limit,
            used: quota.used,
            remaining: quota.remaining,
            started_at_ms: quota.started_at.0,
            resets_at_ms: quota.resets_at.0,
        };
        (name.to_string(), quota)
    });
    v1::ListQuotasResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        quotas: quotas.collect(),
        budgets: status.budgets.iter().map(budget).collect(),
        rates: status.rates.iter().map(rate).collect(),
    }
}

/// Turns what was taken back from a node into its message.
pub fn release_to_wire(status: &ReleaseStatus) -> v1::ReleaseQuotaResponse {
    let holders = status.holders.iter().map(|holder| v1::ReleasedHolder {
        incarnation: holder.incarnation.0,
        started_at_ms: holder.started_at.0,
        released: holder.released,
    });
    v1::ReleaseQuotaResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        subject: status.subject.clone(),
        unit: status.unit.word().to_owned(),
        node: status.node.to_string(),
        released: status.released,
        holders: holders.collect(),
    }
}

pub(super) fn budget(status: &BudgetStatus) -> v1::BudgetStatus {
    v1::BudgetStatus {
        subject: status.subject.clone(),
        unit: status.unit.word().to_owned(),
        limit: status.limit,
        used: status.used,
        leased: status.leased,
        remaining: status.remaining,
        started_at_ms: status.started_at.0,
        resets_at_ms: status.resets_at.0,
        on_loss: status.on_loss.as_str().to_owned(),
        policy: status.policy.as_str().to_owned(),
        threshold: status.threshold,
        holders: status.holders.iter().map(holder).collect(),
    }
}

fn holder(status: &HolderStatus) -> v1::BudgetHolder {
    v1::BudgetHolder {
        node: status.node.to_string(),
        incarnation: status.incarnation.0,
        held: status.held,
        spent: status.spent,
        stranded: status.stranded,
    }
}

fn rate(status: &RateStatus) -> v1::RateStatus {
    v1::RateStatus {
        subject: status.subject.clone(),
        kind: status.kind.as_str().to_owned(),
        limit: status.limit,
        free: status.free,
        on_loss: status.on_loss.as_str().to_owned(),
        shares: status.shares.iter().map(share).collect(),
    }
}

fn share(status: &ShareStatus) -> v1::RateHolder {
    v1::RateHolder {
        node: status.node.to_string(),
        incarnation: status.incarnation.0,
        share: status.share,
        held: status.held,
        demand: status.demand,
        ends_in_ms: status.ends_in_ms,
    }
}
