//! Who is told to give back what others wait for.

use super::{EscrowKey, Leased, Recall, Settled, Short, WindowKey, settling::grant_of};
use cliproxy_domain::{
    BudgetGrant, Incarnation, NodeGrants, NodeId, RateGrant, WallTime, escrow::HolderBooks,
};
use std::{cmp::Reverse, collections::BTreeMap};

/// How many holders of one budget are recalled at most: those who hold the most.
const MOST_RECALLED: usize = 256;

impl Settled {
    /// Takes who holds anything of the periods that are [short](Settled::short), as it is written by now, and gives the
    /// answer: whoever holds what others wait for is told to give back what it does not need.
    pub fn recall(mut self, holders: Vec<(EscrowKey, HolderBooks)>, now: WallTime) -> Leased {
        let mut by_window: BTreeMap<WindowKey, Vec<(EscrowKey, HolderBooks)>> = BTreeMap::new();
        for (key, holder) in holders.into_iter().filter(|(_, holder)| holder.free() > 0) {
            by_window.entry(key.window.clone()).or_default().push((key, holder));
        }
        for (key, mut holders) in by_window {
            let Some(Short { window, waiting }) = self.short.remove(&key) else { continue };
            // Who waits alone has nothing to give to others. Where several wait, what each of them holds may together be
            // enough for one.
            let alone = |key: &EscrowKey| {
                waiting.len() == 1 && waiting.contains(&(key.node.clone(), key.incarnation))
            };
            holders.retain(|(escrow, _)| !alone(escrow));
            holders.sort_by_key(|(_, holder)| Reverse(holder.free()));
            for (escrow, holder) in holders.into_iter().take(MOST_RECALLED) {
                let grant = BudgetGrant { recall: true, ..grant_of(&key, &window, holder.granted, now) };
                self.recall_budget(escrow.node, escrow.incarnation, grant);
            }
        }
        self.leased
    }

    /// Gives the answer of a transaction in which nothing is [short](Settled::short).
    pub fn into_leased(self) -> Leased {
        self.leased
    }

    fn recall_budget(&mut self, node: NodeId, incarnation: Incarnation, grant: BudgetGrant) {
        let answers = self.answers_to(&node, incarnation).flat_map(|grants| &mut grants.budgets);
        if let Some(known) =
            answers.into_iter().find(|known| known.id == grant.id && known.period == grant.period)
        {
            known.recall = true;
            return;
        }
        self.recalled(node, incarnation).budgets.push(grant);
    }

    pub(super) fn recall_rate(&mut self, node: NodeId, incarnation: Incarnation, grant: RateGrant) {
        let answers = self.answers_to(&node, incarnation).flat_map(|grants| &mut grants.rates);
        if let Some(known) = answers.into_iter().find(|known| known.id == grant.id) {
            known.recall = true;
            return;
        }
        self.recalled(node, incarnation).rates.push(grant);
    }

    fn answers_to<'a>(
        &'a mut self,
        node: &'a NodeId,
        incarnation: Incarnation,
    ) -> impl Iterator<Item = &'a mut NodeGrants> {
        let is_theirs = move |(asked, _): &(&(NodeId, Incarnation), &mut NodeGrants)| {
            asked.0 == *node && asked.1 == incarnation
        };
        self.asked.iter().zip(&mut self.leased.grants).filter(is_theirs).map(|(_, grants)| grants)
    }

    fn recalled(&mut self, node: NodeId, incarnation: Incarnation) -> &mut NodeGrants {
        let recalls = &mut self.leased.recalls;
        let known =
            recalls.iter().position(|recall| recall.node == node && recall.incarnation == incarnation);
        let place = known.unwrap_or_else(|| {
            recalls.push(Recall { node, incarnation, grants: NodeGrants::default() });
            recalls.len() - 1
        });
        &mut recalls[place].grants
    }
}
