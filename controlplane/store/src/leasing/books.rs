//! What a transaction of leases reads, and what it writes.

use super::{Leased, Leasing};
use cliproxy_domain::{
    BudgetId, Incarnation, NodeId, RateId, WallTime,
    escrow::{HolderBooks, WindowBooks},
    share::{Holder, RateBooks},
};
use std::collections::{BTreeMap, BTreeSet};

/// Names a budget's period. Sorted by budget, then by time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowKey {
    /// Which budget.
    pub id: BudgetId,
    /// When the period began.
    pub period: WallTime,
}

/// Names what one process of a node has of a budget in a period.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EscrowKey {
    /// Which budget, and which period.
    pub window: WindowKey,
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
}

/// A budget in one period, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the period ends.
    pub ends_at: WallTime,
    /// What is settled and what is out.
    pub books: WindowBooks,
    /// The highest of [`THRESHOLDS`](super::THRESHOLDS) that was told; 0 for none.
    pub told: u8,
}

/// What a transaction has to read: all rows of these that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Periods of budgets.
    pub windows: BTreeSet<WindowKey>,
    /// Who has what of them.
    pub escrows: BTreeSet<EscrowKey>,
    /// Rates, each with all who have a share of it.
    pub rates: BTreeSet<RateId>,
}

impl Wanted {
    /// Tells what claims are about, by the terms.
    pub fn by(leasing: &Leasing) -> Self {
        let mut wanted = Self::default();
        for claims in &leasing.claims {
            for claim in &claims.budgets {
                let running = leasing.terms.budgets.get(&claim.id).map(|terms| terms.period.start);
                if let Some(period) = claim.settles_in(running) {
                    wanted.add(WindowKey { id: claim.id.clone(), period }, &claims.node, claim.holder);
                }
                if let Some(terms) = leasing.terms.budgets.get(&claim.id) {
                    let window = WindowKey { id: claim.id.clone(), period: terms.period.start };
                    wanted.add(window, &claims.node, claims.incarnation);
                }
            }
            let rates = claims.rates.iter().filter(|claim| leasing.terms.rates.contains_key(&claim.id));
            wanted.rates.extend(rates.map(|claim| claim.id.clone()));
        }
        wanted
    }

    fn add(&mut self, window: WindowKey, node: &NodeId, incarnation: Incarnation) {
        self.escrows.insert(EscrowKey { window: window.clone(), node: node.clone(), incarnation });
        self.windows.insert(window);
    }
}

/// What [`settle`](super::settle) needs to know. Nobody else changes it until what it gives is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Of the periods that are wanted, those that were begun.
    pub windows: BTreeMap<WindowKey, Window>,
    /// Of those who are wanted, what they have.
    pub escrows: BTreeMap<EscrowKey, HolderBooks>,
    /// Of the rates that are wanted, who has what.
    pub rates: BTreeMap<RateId, RateBooks>,
}

/// A period of which somebody waits for more than there is, or more is out than its limit allows since that was lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The period, as it is now.
    pub(super) window: Window,
    /// Who waits; nobody where the limit was lowered.
    pub(super) waiting: BTreeSet<(NodeId, Incarnation)>,
}

/// Names what one process of a node has of a rate.
pub type ShareKey = (RateId, NodeId, Incarnation);

/// What a transaction of leases writes and answers. All of it is sorted, so that two transactions write rows in the same
/// order.
#[derive(Debug, Default)]
pub struct Settled {
    /// Periods that were begun or changed, as they are now.
    pub windows: BTreeMap<WindowKey, Window>,
    /// What of them was changed, as it is now.
    pub escrows: BTreeMap<EscrowKey, HolderBooks>,
    /// Shares that were changed, as they are now.
    pub shares: BTreeMap<ShareKey, Holder>,
    /// Shares that are over, to be forgotten.
    pub over: BTreeSet<ShareKey>,
    /// Periods of budgets of which holders are to give back what they do not need. Who holds anything of them is to be read after
    /// the rest is written, for [`Settled::recall`].
    pub short: BTreeMap<WindowKey, Short>,
    /// Who asked: whoever is recalled does not hear it twice.
    pub(super) asked: Vec<(NodeId, Incarnation)>,
    pub(super) leased: Leased,
}
