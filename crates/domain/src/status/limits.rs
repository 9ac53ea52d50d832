//! What is left of budgets and how rates are shared out: the answer of `GET /v0/operations/quotas`.

use super::Source;
use crate::{
    balancing::QuotaUnit,
    limit::{LossMode, RateKind, SpentPolicy},
    name::{NodeId, ProviderName},
    time::WallTime,
    version::Incarnation,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `GET /v0/operations/quotas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QuotasStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// One entry for each provider that has a quota.
    pub quotas: BTreeMap<ProviderName, QuotaStatus>,
    /// Everybody's budgets: of providers, of credentials, of clients; in that order, each sorted by name.
    pub budgets: Vec<BudgetStatus>,
    /// Everybody's rate limits, in the same order.
    pub rates: Vec<RateStatus>,
}

/// One provider's quota.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuotaStatus {
    /// What is counted.
    pub unit: QuotaUnit,
    /// All of it, in tokens, requests or US dollars.
    pub limit: f64,
    /// What was used in the period that runs.
    pub used: f64,
    /// What is left of it.
    pub remaining: f64,
    /// When the period began.
    pub started_at: WallTime,
    /// When it ends.
    pub resets_at: WallTime,
}

/// One budget. Amounts are in tokens, requests or US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetStatus {
    /// Whose it is, as `provider claude`, `credential claude/main` or `client ci`.
    pub subject: String,
    /// What is counted.
    pub unit: QuotaUnit,
    /// All of it.
    pub limit: f64,
    /// What was spent in the period that runs, as far as nodes said.
    pub used: f64,
    /// What nodes hold of it and have not spent.
    pub leased: f64,
    /// What can still be granted to nodes.
    pub remaining: f64,
    /// When the period began.
    pub started_at: WallTime,
    /// When it ends.
    pub resets_at: WallTime,
    /// What a node does that hears no control plane.
    pub on_loss: LossMode,
    /// What becomes of running answers once it is spent.
    pub policy: SpentPolicy,
    /// The highest part that is spent of those that are told of, in percent: 50, 80 or 95; absent below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// Who holds what, sorted by node; empty where it is not told.
    pub holders: Vec<HolderStatus>,
}

/// What one process of a node holds of a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HolderStatus {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it has and did not spend, as far as it said.
    pub held: f64,
    /// What it spent.
    pub spent: f64,
    /// Nobody will give it back by itself: the process is gone. It can be released, and comes back at the period's end.
    pub stranded: bool,
}

/// One rate limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateStatus {
    /// Whose it is, as `credential claude/main` or `client ci`.
    pub subject: String,
    /// What is counted.
    pub kind: RateKind,
    /// For all nodes together.
    pub limit: u64,
    /// What of it no node holds.
    pub free: u64,
    /// What a node does that hears no control plane.
    pub on_loss: LossMode,
    /// What each node may use of it, sorted by node.
    pub shares: Vec<ShareStatus>,
}

/// What one process of a node may use of a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShareStatus {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it may use within any minute, or have open.
    pub share: u64,
    /// What is kept for it.
    pub held: u64,
    /// What it would use if it could.
    pub demand: u64,
    /// For how much longer the share holds; 0 when only what the node uses by itself is kept for it.
    pub ends_in_ms: u64,
}

/// The answer of `POST /v0/operations/quotas/release`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleaseStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Whose budget it is.
    pub subject: String,
    /// What is counted.
    pub unit: QuotaUnit,
    /// From which node.
    pub node: NodeId,
    /// How much can be granted again: in tokens, requests or US dollars.
    pub released: f64,
    /// From which of its processes.
    pub holders: Vec<ReleasedStatus>,
}

/// What was taken back from one process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleasedStatus {
    /// Which.
    pub incarnation: Incarnation,
    /// When the period began.
    pub started_at: WallTime,
    /// How much; 0 when it had nothing left.
    pub released: f64,
}
