//! One budget in one period.

use crate::draw::Draw;
use cliproxy_domain::{
    BudgetClaim, BudgetId, Incarnation, WallTime,
    balancing::QuotaUnit,
    escrow::{self, HolderBooks, WindowBooks},
};
use std::collections::BTreeMap;

const STEPS: u64 = 600;

/// How it is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    AsBuilt,
    /// Slices come back when their holder is silent for so many steps.
    RefundOnExpiry,
}

const SILENCE: u64 = 30;

struct Node {
    incarnation: Incarnation,
    granted: u64,
    spent: u64,
    returned: u64,
    /// What processes before this one left word of.
    left: Vec<(Incarnation, u64)>,
    /// Nothing comes through before that step.
    cut_until: u64,
}

enum Message {
    Claim { node: usize, asker: Incarnation, claim: BudgetClaim },
    Grant { node: usize, of: Incarnation, granted: u64 },
}

struct World {
    variant: Variant,
    draw: Draw,
    id: BudgetId,
    window: WindowBooks,
    /// And when each was heard last.
    holders: BTreeMap<(usize, Incarnation), (HolderBooks, u64)>,
    nodes: Vec<Node>,
    under_way: Vec<Message>,
    spent: u64,
    /// A process was killed that left no word.
    stranded: bool,
}

/// Runs a world; tells what did not hold.
pub(crate) fn run(seed: u64, variant: Variant) -> Option<String> {
    let draw = Draw::seeded(seed);
    let node = || Node {
        incarnation: Incarnation(1),
        granted: 0,
        spent: 0,
        returned: 0,
        left: Vec::new(),
        cut_until: 0,
    };
    let mut world = World {
        variant,
        id: BudgetId::of_provider("claude", QuotaUnit::Tokens),
        window: WindowBooks { limit: draw.between(1, 1_500), ..WindowBooks::default() },
        holders: BTreeMap::new(),
        nodes: (0..draw.between(1, 6)).map(|_| node()).collect(),
        under_way: Vec::new(),
        spent: 0,
        stranded: false,
        draw,
    };
    for step in 0..STEPS {
        world.step(step);
        if world.spent > world.window.limit {
            return Some(format!("{} of {} at step {step}", world.spent, world.window.limit));
        }
    }
    if variant == Variant::AsBuilt { world.ends() } else { None }
}

impl World {
    fn step(&mut self, step: u64) {
        let number = self.draw.index(self.nodes.len());
        match self.draw.between(0, 9) {
            0..=2 => self.spend(number),
            3 => self.claim(number, self.draw.between(0, 900), 0),
            4 => {
                let node = &mut self.nodes[number];
                node.returned += node.balance();
                self.claim(number, 0, 0);
            }
            5 if self.draw.once_in(4) => self.kill(number),
            6 if self.draw.once_in(3) => {
                self.nodes[number].cut_until = step + self.draw.between(1, 8 * SILENCE);
            }
            _ => self.deliver(step),
        }
    }

    fn spend(&mut self, number: usize) {
        let amount = self.draw.between(1, 60);
        let node = &mut self.nodes[number];
        if node.balance() >= amount {
            node.spent += amount;
            self.spent += amount;
        } else {
            self.claim(number, self.draw.between(0, 200), amount - self.nodes[number].balance());
        }
    }

    fn kill(&mut self, number: usize) {
        let kept = !self.draw.once_in(4);
        let node = &mut self.nodes[number];
        if kept {
            node.left.push((node.incarnation, node.spent));
        } else {
            self.stranded = true;
        }
        node.incarnation = node.incarnation.next();
        (node.granted, node.spent, node.returned) = (0, 0, 0);
    }

    /// Says what the node has, and what those before it left.
    fn claim(&mut self, number: usize, want: u64, least: u64) {
        let node = &self.nodes[number];
        let asker = node.incarnation;
        let own = BudgetClaim {
            id: self.id.clone(),
            holder: asker,
            period: Some(WallTime(0)),
            granted: node.granted,
            spent: node.spent,
            returned: node.returned,
            want,
            least,
            closing: false,
        };
        let left = node.left.iter().map(|(holder, spent)| BudgetClaim {
            holder: *holder,
            granted: 0,
            spent: *spent,
            returned: 0,
            want: 0,
            least: 0,
            closing: true,
            ..own.clone()
        });
        let claims: Vec<_> = left.chain([own.clone()]).collect();
        let claims = claims.into_iter().map(|claim| Message::Claim { node: number, asker, claim });
        self.under_way.extend(claims);
    }

    /// Takes any message that is under way: it arrives, once or more, or does not.
    fn deliver(&mut self, step: u64) {
        if self.under_way.is_empty() {
            return;
        }
        let message = self.under_way.swap_remove(self.draw.index(self.under_way.len()));
        let (Message::Claim { node, .. } | Message::Grant { node, .. }) = &message;
        if self.nodes[*node].cut_until > step || self.draw.once_in(8) {
            return;
        }
        match message {
            Message::Claim { node, asker, claim } => {
                if self.draw.once_in(6) {
                    self.under_way.push(Message::Claim { node, asker, claim: claim.clone() });
                }
                let granted = self.answer(step, node, asker, &claim);
                self.under_way.push(Message::Grant { node, of: claim.holder, granted });
            }
            Message::Grant { node, of, granted } => {
                let node = &mut self.nodes[node];
                if node.incarnation == of {
                    node.granted = node.granted.max(granted);
                }
            }
        }
    }

    fn answer(&mut self, step: u64, node: usize, asker: Incarnation, claim: &BudgetClaim) -> u64 {
        if self.variant == Variant::RefundOnExpiry {
            let silent = self.holders.iter_mut().filter(|(_, (_, heard))| heard + SILENCE < step);
            for ((_, of), (holder, _)) in silent {
                escrow::release(&mut self.window, holder, *of);
            }
        }
        let (holder, heard) = self.holders.entry((node, claim.holder)).or_default();
        *heard = step;
        escrow::lease(&mut self.window, holder, asker, claim, self.nodes.len() as u64);
        holder.granted
    }

    /// Ends the faults: everybody says all and gives back what is left, and one spends all that can be had.
    fn ends(mut self) -> Option<String> {
        self.under_way.clear();
        for number in 0..self.nodes.len() {
            let node = &mut self.nodes[number];
            node.returned += node.balance();
            self.claim(number, 0, 0);
        }
        for _ in 0..self.window.limit + 8 {
            for message in std::mem::take(&mut self.under_way) {
                let Message::Claim { node, asker, claim } = message else { continue };
                let granted = self.answer(STEPS, node, asker, &claim);
                if self.nodes[node].incarnation == claim.holder {
                    self.nodes[node].granted = granted;
                }
            }
            // What a process was given and had not heard of is in the answer.
            for node in &mut self.nodes {
                self.spent += node.balance();
                node.spent += node.balance();
            }
            (0..self.nodes.len()).for_each(|number| self.claim(number, 100, 1));
            if self.window.remaining() == 0 && self.nodes.iter().all(|node| node.balance() == 0) {
                break;
            }
        }
        for message in std::mem::take(&mut self.under_way) {
            if let Message::Claim { node, asker, claim } = message {
                self.answer(STEPS, node, asker, &claim);
            }
        }
        let WindowBooks { limit, settled, outstanding } = self.window;
        // What a process without a disk had spent is still out in the books.
        let all_used = if self.stranded { settled + outstanding == limit } else { self.spent == limit };
        (self.spent > limit || !all_used)
            .then(|| format!("{} spent, {outstanding} out of {limit} at the end", self.spent))
    }
}

impl Node {
    fn balance(&self) -> u64 {
        self.granted - self.spent - self.returned
    }
}
