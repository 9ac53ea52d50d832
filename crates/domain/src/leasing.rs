//! What a node says of the limits that it keeps, and what it is given: budgets as slices that are debited when they
//! are given, rates as shares that end by themselves.

use crate::{
    limit::{BudgetId, RateId},
    name::NodeId,
    time::WallTime,
    version::Incarnation,
};
use std::time::Duration;

/// What one node says, and asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeClaims {
    /// The node.
    pub node: NodeId,
    /// Its process that asks.
    pub incarnation: Incarnation,
    /// Grows with each claim of that process, whichever stream it goes by, from 1: a claim that comes after a later
    /// one says nothing of rates.
    pub req: u64,
    /// Of its budgets.
    pub budgets: Vec<BudgetClaim>,
    /// Of its rates.
    pub rates: Vec<RateClaim>,
}

/// What a node says of one budget in one period. The three sums only grow, so a claim that is lost, repeated or late
/// changes nothing that another does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetClaim {
    /// Which budget.
    pub id: BudgetId,
    /// The process that holds the slices: the one that asks, or an earlier one of the same node whose sums it found.
    pub holder: Incarnation,
    /// The beginning of the period that the sums are of; none when the node knows none yet. A closing claim without one is of
    /// the period that runs: a process that is gone has not heard of what it was given there.
    pub period: Option<WallTime>,
    /// All that it has been given in that period, in the unit.
    pub granted: u64,
    /// All that it has spent; it may be more than it was given, when answers outgrew what was reserved.
    pub spent: u64,
    /// All that it has given back.
    pub returned: u64,
    /// How much more it would like, beyond what it holds.
    pub want: u64,
    /// The least of it that is of any use: what the smallest request that waits reserves. 0 when none waits.
    pub least: u64,
    /// It will spend no more of that period: what is left goes back.
    pub closing: bool,
}

impl BudgetClaim {
    /// Gives the period that the sums are of, when `running` is the one that runs: a process that is gone has not heard
    /// of what it was given there, and spent nothing of it.
    pub fn settles_in(&self, running: Option<WallTime>) -> Option<WallTime> {
        if self.closing { self.period.or(running) } else { self.period }
    }
}

/// What a node is given of one budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetGrant {
    /// Which budget.
    pub id: BudgetId,
    /// The beginning of the period that runs. Sums of another period are over.
    pub period: WallTime,
    /// How long the period goes on, counted from when the claim was sent.
    pub ends_in: Duration,
    /// All that the node's process has been given in that period: it only grows.
    pub granted: u64,
    /// The limit in force.
    pub limit: u64,
    /// What all nodes have spent, as far as they said.
    pub used: u64,
    /// What all nodes hold and have not spent.
    pub leased: u64,
    /// Others wait for it: what the node holds and does not need is to go back at once.
    pub recall: bool,
}

/// What a node says of one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateClaim {
    /// Which rate.
    pub id: RateId,
    /// What it may still count on without asking: the larger of its share and of what it has used within the last
    /// minute (of open requests: that are open).
    pub held: u64,
    /// What it would use of the limit if it could, by what came lately.
    pub demand: u64,
    /// The least additional share that a request waits for; 0 when none waits.
    pub waiting: u64,
    /// What the provider said last.
    pub upstream: Option<UpstreamLimit>,
    /// It stops, and takes no share any more: `held` is what it has used within the last minute.
    pub closing: bool,
}

/// What a provider says of a credential's limit, for all who use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimit {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When it is full again, counted from when the claim is sent.
    pub resets_in: Duration,
    /// How long before the claim was sent it was said.
    pub age: Duration,
}

/// What a node is given of one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateGrant {
    /// Which rate.
    pub id: RateId,
    /// How much the node may use within any minute, or have open.
    pub share: u64,
    /// How long that holds, counted from when the claim was sent.
    pub ttl: Duration,
    /// What the node may use afterwards, when it hears no control plane.
    pub safe_share: u64,
    /// The limit in force for all nodes.
    pub limit: u64,
    /// Others wait for it: what the node holds and does not need is to be told at once.
    pub recall: bool,
}

/// What one node is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeGrants {
    /// Of its budgets.
    pub budgets: Vec<BudgetGrant>,
    /// Of its rates.
    pub rates: Vec<RateGrant>,
}
