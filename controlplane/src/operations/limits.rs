//! What is left of budgets, and how rates are shared out.

use super::Operations;
use crate::state::ActiveConfig;
use cliproxy_domain::{
    BudgetId, Client, Hint, Incarnation, LimitSubject, NodeId, Quota, QuotaUnit, WallTime,
    status::{BudgetStatus, HolderStatus, RateStatus, ShareStatus},
};
use cliproxy_engine::quota::period;
use cliproxy_store::{EscrowLease, LeaseBooks, StoreError, WindowLeases};
use std::{collections::BTreeMap, time::Duration};

/// How long the store may take to tell what is granted.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a node may be away before what it holds counts as stranded: it may be on its way to another replica.
const AWAY: Duration = Duration::from_secs(30);

/// What is known of all limits at one time.
pub(super) struct Limits {
    books: LeaseBooks,
    /// What the control plane last told nodes of each budget, of periods that run.
    told: BTreeMap<BudgetId, (u64, u64)>,
    /// The processes that hold something and still live, as far as is known.
    alive: BTreeMap<NodeId, Incarnation>,
    now: WallTime,
}

impl Operations {
    /// Gives what is known of limits: by the books, and where the store does not tell these in time, by what nodes were told
    /// last.
    pub(super) async fn limits(&self) -> Limits {
        let now = self.state.clock.wall();
        let books = self.leases(now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the store did not tell what is granted; showing what is known in memory");
            LeaseBooks::default()
        });
        self.limits_by(books, now)
    }

    /// Gives what is known of limits by the books.
    ///
    /// # Errors
    /// Fails when the store does not tell these in time.
    pub(super) async fn limits_by_the_store(&self) -> Result<Limits, StoreError> {
        let now = self.state.clock.wall();
        Ok(self.limits_by(self.leases(now).await?, now))
    }

    async fn leases(&self, now: WallTime) -> Result<LeaseBooks, StoreError> {
        match tokio::time::timeout(PATIENCE, self.state.store.leases(now)).await {
            Ok(books) => books,
            Err(_) => {
                Err(StoreError::Unavailable(format!("it did not tell what is granted within {PATIENCE:?}")))
            }
        }
    }

    fn limits_by(&self, books: LeaseBooks, now: WallTime) -> Limits {
        let told = self.state.hints.passing().into_iter().filter_map(|hint| match hint {
            // What was told of a period that is over says nothing of the one that runs.
            Hint::Quota(told) if told.resets_at > now => Some((told.budget, (told.used, told.leased))),
            _ => None,
        });
        let nodes = self.state.nodes.all().into_iter();
        let alive = nodes.filter(|node| node.is_connected() || now.since(node.record.last_seen) < AWAY);
        let alive = alive.map(|node| (node.record.node, node.record.incarnation));
        Limits { books, told: told.collect(), alive: alive.collect(), now }
    }
}

impl Limits {
    /// Tells of all budgets.
    pub(super) fn budgets(&self, active: &ActiveConfig) -> Vec<BudgetStatus> {
        let mut budgets: Vec<_> = active.snapshot.budgets().collect();
        budgets.sort_by(|a, b| a.0.cmp(&b.0));
        budgets.iter().map(|(id, quota)| self.budget(id, quota)).collect()
    }

    /// Tells of the budgets of one client.
    pub(super) fn of_client(&self, client: &Client) -> Vec<BudgetStatus> {
        let id =
            |quota: &Quota| BudgetId { subject: LimitSubject::Client(client.name.clone()), unit: quota.unit };
        let mut budgets: Vec<_> = client.budgets.iter().map(|quota| (id(quota), quota)).collect();
        budgets.sort_by(|a, b| a.0.cmp(&b.0));
        budgets.iter().map(|(id, quota)| self.budget(id, quota)).collect()
    }

    /// Gives what is used of a budget in the period that runs, and what is leased of it, in its unit.
    pub(super) fn spent(&self, id: &BudgetId) -> (u64, u64) {
        match self.window(id) {
            Some(window) => (window.settled, window.outstanding),
            None => self.told.get(id).copied().unwrap_or_default(),
        }
    }

    /// Gives all budgets of which anything is granted.
    pub(super) fn windows(&self) -> &[WindowLeases] {
        &self.books.windows
    }

    /// Tells whether a process of a node is gone, as far as is known.
    pub(super) fn is_gone(&self, node: &NodeId, incarnation: Incarnation) -> bool {
        self.alive.get(node) != Some(&incarnation)
    }

    /// Tells of all rates.
    pub(super) fn rates(&self, active: &ActiveConfig) -> Vec<RateStatus> {
        let mut rates: Vec<_> = active.snapshot.rates().collect();
        rates.sort_by(|a, b| a.0.cmp(&b.0));
        let told = rates.into_iter().map(|(id, limit, on_loss)| {
            // There may be thousands of both.
            let known = &self.books.shares;
            let known = &known[known.partition_point(|share| share.id < id)..];
            let shares: Vec<_> = known.iter().take_while(|share| share.id == id).collect();
            let held = shares.iter().fold(0_u64, |sum, share| sum.saturating_add(share.held));
            let shares = shares.into_iter().map(|share| ShareStatus {
                node: share.node.clone(),
                incarnation: share.incarnation,
                share: share.share,
                held: share.held,
                demand: share.demand,
                ends_in_ms: u64::try_from(share.ends_in.as_millis()).unwrap_or(u64::MAX),
            });
            RateStatus {
                subject: id.subject.to_string(),
                kind: id.kind,
                limit,
                free: limit.saturating_sub(held),
                on_loss,
                shares: shares.collect(),
            }
        });
        told.collect()
    }

    fn window(&self, id: &BudgetId) -> Option<&WindowLeases> {
        let known = &self.books.windows;
        let mut known = known[known.partition_point(|window| window.id < *id)..].iter();
        known.by_ref().take_while(|window| window.id == *id).find(|window| window.period.contains(&self.now))
    }

    fn budget(&self, id: &BudgetId, quota: &Quota) -> BudgetStatus {
        let (used, leased) = self.spent(id);
        let window = self.window(id);
        let shown = |units| id.unit.shown(units);
        let period = period(quota, self.now);
        let holders = window.into_iter().flat_map(|window| &window.holders);
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
            threshold: window.map(|window| u32::from(window.told)).filter(|percent| *percent > 0),
            holders: holders.map(|holder| self.holder(holder, id.unit)).collect(),
        }
    }

    fn holder(&self, holder: &EscrowLease, unit: QuotaUnit) -> HolderStatus {
        let held = held(holder);
        HolderStatus {
            node: holder.node.clone(),
            incarnation: holder.incarnation,
            held: unit.shown(held),
            spent: unit.shown(holder.spent),
            stranded: held > 0 && self.is_gone(&holder.node, holder.incarnation),
        }
    }
}

/// Gives what a process has of a budget and did not spend, as far as it said.
pub(super) fn held(holder: &EscrowLease) -> u64 {
    if holder.closed {
        return 0;
    }
    holder.granted.saturating_sub(holder.spent).saturating_sub(holder.returned)
}
