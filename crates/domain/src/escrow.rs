//! The books of a budget: what of a limit is settled, what is out as slices, and who holds them.
//!
//! Pure arithmetic on rows that a store reads and writes around it within one transaction. A slice is debited when
//! it is given. It comes back when its holder says so, or when somebody says for a dead holder that it spends no
//! more; never because time passed. So `settled + outstanding` stays within the limit whatever becomes of clocks and
//! messages, and with it all that is spent. Two things alone pass it: answers that outgrow what was reserved for
//! them, and a limit that is lowered beneath what is already out.
//!
//! A store that has lost its last commits has forgotten slices that are being spent. Until the holders have said
//! what they hold, it only [settles](settle) and grants nothing ([`LEARNING`]).

use crate::{leasing::BudgetClaim, version::Incarnation};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long after its history changed a store only listens, so that those who hold slices can say so. Who is not
/// heard in that time may spend what it held once more than the books know.
pub const LEARNING: Duration = Duration::from_secs(15);

/// The most that any amount can be, so that it fits the columns of every store.
pub const MOST: u64 = i64::MAX as u64;

/// One part in so many of what is left, divided by the nodes, is the most that a node holds without a request that
/// waits for more. What a node that is lost takes with it is no more than that.
const SLICES_PER_NODE: u64 = 8;

/// A budget in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowBooks {
    /// The limit in force.
    pub limit: u64,
    /// What is spent, as far as the holders said, and what was used before the books began.
    pub settled: u64,
    /// What the holders have been given and have neither spent nor given back.
    pub outstanding: u64,
}

impl WindowBooks {
    /// Gives what can still be granted.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.settled.saturating_add(self.outstanding))
    }

    /// Tells whether more is spent or out than the limit allows, as it was lowered, or answers outgrew what they reserved.
    pub fn is_passed(&self) -> bool {
        self.settled.saturating_add(self.outstanding) > self.limit
    }

    /// Tells whether nothing will come any more: all of it is spent, and no slice is out that could come back.
    pub fn used_up(&self) -> bool {
        self.settled >= self.limit
    }
}

/// What one process of one node has of a budget in one period. The three sums only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HolderBooks {
    /// All that it has been given.
    pub granted: u64,
    /// All that it has spent; more than it was given where answers outgrew what was reserved.
    pub spent: u64,
    /// All that it has given back.
    pub returned: u64,
    /// By which process of the node it was said that it spends no more: by itself, or by a later one that found what
    /// it left. None while it spends.
    pub closed_by: Option<Incarnation>,
}

impl HolderBooks {
    /// Gives what it can still spend: its part of [`WindowBooks::outstanding`].
    pub fn free(&self) -> u64 {
        if self.closed_by.is_some() { 0 } else { self.granted.saturating_sub(self.used()) }
    }

    /// Gives by how much its answers outgrew what it was given.
    fn overdraft(&self) -> u64 {
        self.used().saturating_sub(self.granted)
    }

    fn used(&self) -> u64 {
        self.spent.saturating_add(self.returned)
    }
}

/// What a claim came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// What the holder has been given in addition; with what it had, that is [`HolderBooks::granted`].
    pub given: u64,
    /// What a request waits for that could not be given: others are to give back what they do not need.
    pub unmet: u64,
}

/// Answers the claim of a holder for the period that its sums are of, by `asker`, a process of the same node.
/// `nodes` share what remains.
///
/// Where the same claim comes once more it is given nothing more: [`BudgetClaim::granted`] tells that its holder has not
/// heard of what it was given, and until it has it is given no more than what a request waits for. Claims that come late
/// or out of order add nothing that is not so.
pub fn lease(
    window: &mut WindowBooks,
    holder: &mut HolderBooks,
    asker: Incarnation,
    claim: &BudgetClaim,
    nodes: u64,
) -> Given {
    settle(window, holder, asker, claim);
    if holder.closed_by.is_some() {
        return Given::default();
    }
    grant(window, holder, claim.granted, claim, nodes)
}

/// Answers the claim of a process that does not know this period yet: its sums are of another or of none, so that
/// whatever it has already been given of this one it has not heard of.
pub fn begin(window: &mut WindowBooks, holder: &mut HolderBooks, claim: &BudgetClaim, nodes: u64) -> Given {
    if claim.closing || holder.closed_by.is_some() {
        return Given::default();
    }
    grant(window, holder, 0, claim, nodes)
}

/// Books what a holder says of itself, and gives nothing: for a period that is over, and while a store listens.
pub fn settle(window: &mut WindowBooks, holder: &mut HolderBooks, asker: Incarnation, claim: &BudgetClaim) {
    let before = *holder;
    // Higher than the books have it: they lost commits.
    holder.granted = holder.granted.max(claim.granted.min(MOST));
    holder.spent = holder.spent.max(claim.spent.min(MOST));
    holder.returned = holder.returned.max(claim.returned.min(MOST));
    if claim.closing {
        holder.closed_by = holder.closed_by.max(Some(asker));
    } else if holder.closed_by.is_some_and(|closer| closer <= asker) {
        // It lives after all: what it holds is out again. A word from before its successor's is not heard.
        holder.closed_by = None;
    }
    window.settled = window.settled.saturating_add(holder.spent - before.spent).min(MOST);
    rebook(window, before, *holder);
}

/// Takes what a holder has back without its word, because an operator knows that it is gone. Gives how much that was.
/// If it lives, its next claim takes what it still has out again.
pub fn release(window: &mut WindowBooks, holder: &mut HolderBooks, of: Incarnation) -> u64 {
    let before = *holder;
    holder.closed_by = holder.closed_by.max(Some(of));
    rebook(window, before, *holder);
    before.free()
}

/// Gives out of what remains. The holder has heard of `heard` of what it was given.
fn grant(
    window: &mut WindowBooks,
    holder: &mut HolderBooks,
    heard: u64,
    claim: &BudgetClaim,
    nodes: u64,
) -> Given {
    // What is on its way, or was lost on it, is in the answer again: it comes first. It was given for this very claim
    // or for an earlier one, so what is wanted beyond it is for a claim that knows of it.
    let unheard = holder.granted.saturating_sub(heard);
    let least = claim.least.saturating_sub(unheard);
    let want = if unheard > 0 { 0 } else { claim.want };
    // What answers took beyond their reservations is settled already; to even it out takes nothing of the limit.
    let owed = holder.overdraft();
    let remaining = window.remaining();
    let most = remaining.saturating_add(owed).min(MOST - holder.granted);
    let portion = remaining / SLICES_PER_NODE.saturating_mul(nodes.max(1));
    let slice = least.max(want.min(portion.saturating_add(owed)));
    let given = if least > most { 0 } else { slice.min(most) };
    let before = *holder;
    holder.granted += given;
    rebook(window, before, *holder);
    Given { given, unmet: least.saturating_sub(given) }
}

/// Keeps [`WindowBooks::outstanding`] the sum of what the holders can still spend.
fn rebook(window: &mut WindowBooks, before: HolderBooks, after: HolderBooks) {
    window.outstanding =
        window.outstanding.saturating_sub(before.free()).saturating_add(after.free()).min(MOST);
}
