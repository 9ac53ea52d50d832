//! What is left of the quotas, and taking back what is stranded.

use super::{
    Actor, OperationError, Operations,
    limits::{Limits, held},
};
use cliproxy_domain::{
    BudgetId, Incarnation, NodeId, Quota, WallTime,
    operate::ReleaseAsked,
    status::{QuotaStatus, QuotasStatus, ReleaseStatus, ReleasedStatus, Source},
};
use cliproxy_engine::quota::period;
use cliproxy_store::{ReleaseEscrow, Released, StoreError};
use std::{collections::BTreeSet, time::Duration};

/// How long the store may take to take something back.
const PATIENCE: Duration = Duration::from_secs(5);

impl Operations {
    /// Tells what is left of the quota of each provider that has one, and of all budgets with who holds parts of them; and
    /// how rates are shared out.
    pub(crate) async fn quotas_status(&self) -> QuotasStatus {
        let limits = self.limits().await;
        let now = self.state.clock.wall();
        let mut status = QuotasStatus { source: Source::Cluster, as_of: now, ..QuotasStatus::default() };
        let Some(active) = self.state.active() else { return status };
        for provider in active.snapshot.providers.values() {
            let Some(quota) = &provider.quota else { continue };
            let id = BudgetId::of_provider(provider.name.clone(), quota.unit);
            status.quotas.insert(provider.name.clone(), quota_status(quota, limits.spent(&id).0, now));
        }
        status.budgets = limits.budgets(&active);
        status.rates = limits.rates(&active);
        status
    }

    /// Takes back what a node holds of a budget, of its processes that are gone, so that it can be granted to others at once.
    ///
    /// # Errors
    /// Fails when there is no such budget or nobody of that node holds any of it, when the process lives as far as is known,
    /// and when the store does not take it.
    pub(crate) async fn release_quota(
        &self,
        actor: &Actor,
        asked: ReleaseAsked,
    ) -> Result<ReleaseStatus, OperationError> {
        let limits = self.limits_by_the_store().await?;
        let id = self.budget_named(&limits, &asked)?;
        let node = NodeId::from(asked.node.as_str());
        let gone = gone(&limits, &id, &node, &asked)?;
        let released = self.release(&id, &node, gone).await?;
        let total = released.iter().fold(0_u64, |sum, one| sum.saturating_add(one.amount));
        let holders = released.iter().map(|one| ReleasedStatus {
            incarnation: one.incarnation,
            started_at: one.period,
            released: id.unit.shown(one.amount),
        });
        let status = ReleaseStatus {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            subject: id.subject.to_string(),
            unit: id.unit,
            node,
            released: id.unit.shown(total),
            holders: holders.collect(),
        };
        tracing::info!(
            actor = actor.name, from = actor.from, budget = %id, node = %status.node, amount = total,
            reason = asked.reason, "what a node held of a budget was taken back"
        );
        let mut entry = self.entry_of(actor, "quota_released", id.to_string(), asked.reason);
        // Its keys are texts, so that this does not fail.
        entry.after = serde_json::to_string(&status).unwrap_or_default();
        if let Err(error) = self.decide.say(Vec::new(), entry, None).await {
            tracing::warn!(%error, budget = %id, "the audit log has this once the store answers again");
        }
        Ok(status)
    }

    async fn release(
        &self,
        id: &BudgetId,
        node: &NodeId,
        gone: BTreeSet<Incarnation>,
    ) -> Result<Vec<Released>, StoreError> {
        let mut released = Vec::new();
        for incarnation in gone {
            let release = ReleaseEscrow {
                id: id.clone(),
                node: node.clone(),
                incarnation: Some(incarnation),
                now: self.state.clock.wall(),
            };
            let releasing = self.state.store.release_escrow(release);
            let Ok(one) = tokio::time::timeout(PATIENCE, releasing).await else {
                let why = "no answer within 5 s; see GET /v0/operations/quotas and ask again";
                return Err(StoreError::CommitUnknown(why.to_owned()));
            };
            released.extend(one?);
        }
        Ok(released)
    }

    /// Finds the budget that is meant: one of the configuration, or one that was, of which something is granted.
    fn budget_named(&self, limits: &Limits, asked: &ReleaseAsked) -> Result<BudgetId, OperationError> {
        let active = self.active()?;
        let configured = active.snapshot.budgets().map(|(id, _)| id);
        let known: BTreeSet<BudgetId> =
            configured.chain(limits.windows().iter().map(|window| window.id.clone())).collect();
        let is_meant =
            |id: &&BudgetId| id.subject.to_string() == asked.subject && id.unit.as_str() == asked.unit;
        known.iter().find(is_meant).cloned().ok_or_else(|| {
            let names: Vec<_> = known.iter().take(20).map(ToString::to_string).collect();
            let known = if names.is_empty() { "there is none".to_owned() } else { names.join(", ") };
            let (subject, unit) = (&asked.subject, &asked.unit);
            OperationError::NotFound(format!("there is no budget {subject:?} in {unit:?}; known are {known}"))
        })
    }
}

/// Gives the processes of a node that hold something of a budget and are gone.
fn gone(
    limits: &Limits,
    id: &BudgetId,
    node: &NodeId,
    asked: &ReleaseAsked,
) -> Result<BTreeSet<Incarnation>, OperationError> {
    let holders =
        limits.windows().iter().filter(|window| window.id == *id).flat_map(|window| &window.holders);
    let is_meant = |one: Incarnation| asked.incarnation.is_none_or(|wanted| wanted == one);
    let of_node = holders.filter(|holder| holder.node == *node && is_meant(holder.incarnation));
    let holding: BTreeSet<Incarnation> =
        of_node.filter(|holder| held(holder) > 0).map(|holder| holder.incarnation).collect();
    if holding.is_empty() {
        return Err(OperationError::NotFound(format!(
            "node {node} holds nothing of {id}; GET /v0/operations/quotas lists who does"
        )));
    }
    let gone: BTreeSet<_> = holding.iter().copied().filter(|one| limits.is_gone(node, *one)).collect();
    if gone.is_empty() {
        return Err(OperationError::Superseded(format!(
            "node {node} is connected, or was heard of within 30 seconds, and may spend what it holds of {id}; what it does \
             not need it gives back by itself"
        )));
    }
    Ok(gone)
}

fn quota_status(quota: &Quota, used: u64, now: WallTime) -> QuotaStatus {
    let period = period(quota, now);
    QuotaStatus {
        unit: quota.unit,
        limit: quota.unit.shown(quota.limit),
        used: quota.unit.shown(used),
        remaining: quota.unit.shown(quota.limit.saturating_sub(used)),
        started_at: period.started_at,
        resets_at: period.ends_at,
    }
}
