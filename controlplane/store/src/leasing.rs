//! What nodes are granted of limits: what a transaction of it is given, what it gives, and what it computes, the same for
//! every store.
//!
//! A store reads what [`Wanted`] names, calls [`settle`], writes what it gives, reads who holds anything of what is
//! [short](Settled::short), writes what the [audit log](Leased::audit) is to say, and answers; all of it in one transaction, in which nobody else changes these rows.

mod books;
mod columns;
mod crossing;
mod recalling;
mod settling;

pub use books::{Books, EscrowKey, Settled, ShareKey, Short, Wanted, Window, WindowKey};
pub use columns::Columns;
pub use settling::settle;

use cliproxy_domain::{
    BudgetId, Incarnation, NodeClaims, NodeGrants, NodeId, RateId, WallTime, escrow::HolderBooks,
    share::Holder,
};
use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

/// The parts of a limit, in percent, whose crossing is told once in each period.
pub const THRESHOLDS: [u8; 3] = [50, 80, 95];

/// What nodes claim, and by which terms they are granted it.
#[derive(Clone, Debug)]
pub struct Leasing {
    /// What each of them says and asks for.
    pub claims: Vec<NodeClaims>,
    /// The limits in force.
    pub terms: Arc<Terms>,
    /// The time, as near to the store's as the caller can tell: what a period has left is counted from it.
    pub now: WallTime,
}

/// The limits in force.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What is spent until it begins anew. What is claimed of others is settled and not granted.
    pub budgets: BTreeMap<BudgetId, BudgetTerms>,
    /// What comes back by itself. What is claimed of others is not answered.
    pub rates: BTreeMap<RateId, RateTerms>,
    /// Among how many nodes they are spread; at least 1.
    pub nodes: u32,
    /// How long a share of a rate holds.
    pub ttl: Duration,
    /// Of what nodes say what they hold, and nothing new is granted, as commits were lost.
    pub learning: Learning,
}

/// Of what nothing new is granted while nodes are listened to. What they say is written down as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learning {
    /// Of budgets ([`escrow::LEARNING`](cliproxy_domain::escrow::LEARNING)).
    pub budgets: bool,
    /// Of rates ([`share::LEARNING`](cliproxy_domain::share::LEARNING)), which takes longer: what was used within the last
    /// minute counts.
    pub rates: bool,
}

/// How much of a budget there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetTerms {
    /// The limit, in the budget's unit.
    pub limit: u64,
    /// The period that runs.
    pub period: Range<WallTime>,
    /// What was spent in that period before anything was granted of it, or while it was not limited: what is settled is
    /// at least that. Asked for when the period has no window yet, or one that ends at another time. `None` when the
    /// caller has not counted it: then such a period is not begun ([`Leased::unopened`]).
    pub settled_before: Option<u64>,
}

/// How much of a rate there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateTerms {
    /// The limit for all nodes.
    pub limit: u64,
    /// What a node may use that hears no control plane.
    pub safe_share: u64,
}

/// What a transaction grants. None of it is to be told before it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// For each of the claims, in order.
    pub grants: Vec<NodeGrants>,
    /// For nodes that hold what others wait for, and did not claim now: to be pushed. Of those that did, the grants say
    /// it.
    pub recalls: Vec<Recall>,
    /// What was crossed by what was settled now. No other transaction, of no other replica, gives the same again.
    pub crossed: Vec<Crossed>,
    /// Budgets that were claimed of and have no window for just the period that runs, as nobody said what was spent of it
    /// before. Nothing is granted of them: the caller counts it and asks again.
    pub unopened: Vec<BudgetId>,
}

/// What a node holds that others wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it has, each with `recall`.
    pub grants: NodeGrants,
}

/// A part of a budget's limit that is spent: one of [`THRESHOLDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// Which budget.
    pub id: BudgetId,
    /// In which period.
    pub period: Range<WallTime>,
    /// Which part, in percent of the limit.
    pub percent: u8,
    /// What was settled then.
    pub settled: u64,
    /// The limit then.
    pub limit: u64,
}

/// What is granted now, as the store has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseBooks {
    /// The periods of budgets that have not ended, sorted by budget and beginning.
    pub windows: Vec<WindowLeases>,
    /// The shares of rates, sorted by rate, node and incarnation.
    pub shares: Vec<ShareLease>,
}

/// What is spent and granted of one budget in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowLeases {
    /// Which budget.
    pub id: BudgetId,
    /// Which period.
    pub period: Range<WallTime>,
    /// The limit, by the newest word.
    pub limit: u64,
    /// What is spent, as far as nodes said.
    pub settled: u64,
    /// What is granted and neither spent nor given back, as far as nodes said.
    pub outstanding: u64,
    /// The highest of [`THRESHOLDS`] that was told; 0 for none.
    pub told: u8,
    /// Who was granted anything, sorted by node and incarnation.
    pub holders: Vec<EscrowLease>,
}

impl WindowLeases {
    /// Shows a period as it is kept.
    pub fn of(key: &WindowKey, window: &Window, holders: Vec<EscrowLease>) -> Self {
        Self {
            id: key.id.clone(),
            period: key.period..window.ends_at,
            limit: window.books.limit,
            settled: window.books.settled,
            outstanding: window.books.outstanding,
            told: window.told,
            holders,
        }
    }
}

/// What one process of a node was granted of a budget in one period. All sums only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscrowLease {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it was given.
    pub granted: u64,
    /// What it spent, as far as it said.
    pub spent: u64,
    /// What it gave back.
    pub returned: u64,
    /// It was said that it spends no more, by itself, by a later process of its node, or by an operator. What it spends
    /// nevertheless is settled.
    pub closed: bool,
}

impl EscrowLease {
    /// Shows what is kept of a process.
    pub fn of(key: &EscrowKey, holder: &HolderBooks) -> Self {
        Self {
            node: key.node.clone(),
            incarnation: key.incarnation,
            granted: holder.granted,
            spent: holder.spent,
            returned: holder.returned,
            closed: holder.closed_by.is_some(),
        }
    }

    /// Gives what it can still spend.
    pub fn free(&self) -> u64 {
        if self.closed { 0 } else { self.granted.saturating_sub(self.spent.saturating_add(self.returned)) }
    }
}

/// What one process of a node was granted of a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareLease {
    /// Which rate.
    pub id: RateId,
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// What it may use.
    pub share: u64,
    /// What is kept for it: its share, or more while what it used before is not a minute ago.
    pub held: u64,
    /// What it would use.
    pub demand: u64,
    /// How much longer the share holds; zero when it is over and only what a node uses by itself is kept for it.
    pub ends_in: Duration,
}

impl ShareLease {
    /// Shows what is kept of a process at `now`, by the store's clock.
    pub fn of((id, node, incarnation): ShareKey, holder: &Holder, now: WallTime) -> Self {
        let ends_in = holder.expires_at.since(now);
        let share = if ends_in.is_zero() { 0 } else { holder.share };
        Self { id, node, incarnation, share, held: holder.hold(now), demand: holder.demand, ends_in }
    }
}

/// What an operator takes back from a node that will not give it back by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseEscrow {
    /// Of which budget.
    pub id: BudgetId,
    /// From which node.
    pub node: NodeId,
    /// From which of its processes; `None` for all.
    pub incarnation: Option<Incarnation>,
    /// Periods that have not ended at this time.
    pub now: WallTime,
}

/// What was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// From which process of the node.
    pub incarnation: Incarnation,
    /// The beginning of the period.
    pub period: WallTime,
    /// How much; 0 when the process had nothing left.
    pub amount: u64,
}
