//! A control plane with its store: the books, kept by the functions that the real stores call within a transaction.

use crate::variant::Variant;
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, BudgetId, Incarnation, NodeClaims, NodeGrants, NodeId, RateClaim, RateGrant,
    WallTime,
    escrow::{self, HolderBooks, WindowBooks},
    share::{self, Asker, RateBooks, Terms},
};
use std::{collections::BTreeMap, time::Duration};

/// What is committed.
#[derive(Clone, Default)]
struct Books {
    windows: BTreeMap<u64, WindowBooks>,
    /// By period, node and process; and when it was heard last.
    holders: BTreeMap<(u64, NodeId, Incarnation), (HolderBooks, u64)>,
    rates: RateBooks,
}

pub(crate) struct Store {
    variant: Variant,
    books: Books,
    /// What was committed before, and when: what is left when commits are lost.
    past: Vec<(u64, Books)>,
    /// When the history changed last.
    changed: Option<u64>,
    pub(crate) period: u64,
    pub(crate) limit: u64,
    pub(crate) rate_limit: u64,
    pub(crate) safe_share: u64,
    pub(crate) nodes: u64,
}

/// What is answered to one node, and which others are asked to give back what they do not need.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) grants: NodeGrants,
    pub(crate) recalls: Vec<(NodeId, Incarnation, NodeGrants)>,
}

impl Store {
    pub(crate) fn new(variant: Variant, period: u64, limit: u64, rate_limit: u64, nodes: u64) -> Self {
        let books = Books::default();
        let safe_share = 0;
        Self { variant, books, past: Vec::new(), changed: None, period, limit, rate_limit, safe_share, nodes }
    }

    /// Keeps what is committed, so that it can be lost.
    pub(crate) fn keep(&mut self, at: u64) {
        self.past.push((at, self.books.clone()));
        self.past.retain(|(kept, _)| kept + 5_000 > at);
    }

    /// Loses the commits of the last seconds.
    pub(crate) fn roll_back(&mut self, at: u64) {
        if let Some((_, books)) = self.past.first() {
            self.books = books.clone();
            self.changed = Some(at);
            self.past.clear();
        }
    }

    /// Shows the books of a period.
    pub(crate) fn show(&self, period: u64) -> String {
        let holders = self.books.holders.iter().filter(|((of, ..), _)| *of == period);
        let lines = holders.map(|((_, node, of), (holder, _))| format!("\n{node}/{of}: {holder:?}"));
        format!("{:?}{}", self.books.windows.get(&period), lines.collect::<String>())
    }

    fn listens(&self, at: u64, learning: Duration) -> bool {
        self.changed.is_some_and(|changed| at < changed + learning.as_millis() as u64)
    }

    pub(crate) fn answer(&mut self, at: u64, claims: &NodeClaims) -> Answer {
        let mut answer = Answer::default();
        let running = at / self.period * self.period;
        for claim in &claims.budgets {
            self.budget(at, running, claims, claim, &mut answer);
        }
        for claim in &claims.rates {
            self.rate(at, claims, claim, &mut answer);
        }
        answer
    }

    fn budget(
        &mut self,
        at: u64,
        running: u64,
        claims: &NodeClaims,
        claim: &BudgetClaim,
        answer: &mut Answer,
    ) {
        if self.variant == Variant::RefundOnExpiry {
            self.refund(at, running);
        }
        let of = claim.settles_in(Some(WallTime(running as i64))).map(|period| period.0 as u64);
        let (asker, limit) = (claims.incarnation, self.limit);
        let listens = self.listens(at, escrow::LEARNING);
        let windows = &mut self.books.windows;
        let holders = &mut self.books.holders;
        if let Some(of) = of {
            let window = windows.entry(of).or_insert(WindowBooks { limit, ..WindowBooks::default() });
            let holder = holders.entry((of, claims.node.clone(), claim.holder)).or_default();
            holder.1 = at;
            if of != running || listens {
                escrow::settle(window, &mut holder.0, asker, claim);
            }
        }
        if claim.closing && of != Some(running) || claim.holder != asker && listens {
            return;
        }
        let mut window = *windows.entry(running).or_default();
        window.limit = limit;
        let holder = holders.entry((running, claims.node.clone(), claim.holder)).or_default();
        holder.1 = at;
        if self.variant == Variant::CounterOfEachNode {
            // Each node has the limit to itself.
            (window.settled, window.outstanding) = (holder.0.spent, holder.0.free());
        }
        let given = match of == Some(running) {
            _ if listens => escrow::Given::default(),
            true => escrow::lease(&mut window, &mut holder.0, asker, claim, self.nodes),
            false => escrow::begin(&mut window, &mut holder.0, claim, self.nodes),
        };
        let granted = holder.0.granted;
        windows.insert(running, window);
        if claim.holder == asker {
            answer.grants.budgets.push(grant(
                &claim.id,
                running,
                running + self.period - at,
                granted,
                window,
            ));
        }
        if given.unmet > 0 {
            let others = holders.iter().filter(|((period, node, _), (holder, _))| {
                *period == running && *node != claims.node && holder.free() > 0
            });
            answer.recalls.extend(others.map(|((_, node, of), (holder, _))| {
                let ends_in = running + self.period - at;
                let grant = grant(&claim.id, running, ends_in, holder.granted, window);
                let budgets = vec![BudgetGrant { recall: true, ..grant }];
                (node.clone(), *of, NodeGrants { budgets, rates: Vec::new() })
            }));
        }
    }

    /// Takes back what silent nodes have: what must not be done.
    fn refund(&mut self, at: u64, running: u64) {
        let Some(window) = self.books.windows.get_mut(&running) else { return };
        for ((period, _, of), (holder, heard)) in &mut self.books.holders {
            if *period == running && *heard + 10_000 < at {
                escrow::release(window, holder, *of);
            }
        }
    }

    fn rate(&mut self, at: u64, claims: &NodeClaims, claim: &RateClaim, answer: &mut Answer) {
        let terms = Terms {
            kind: claim.id.kind,
            limit: self.rate_limit,
            safe_share: self.safe_share,
            ttl: share::TTL,
            learning: self.listens(at, share::LEARNING),
        };
        let mut asker = Asker { node: claims.node.clone(), incarnation: claims.incarnation, req: claims.req };
        let key = (asker.node.clone(), asker.incarnation);
        if self.variant == Variant::LateClaims {
            asker.req = self.books.rates.get(&key).map_or(asker.req, |known| known.req + 1);
        }
        if self.variant == Variant::CounterOfEachNode {
            self.books.rates.clear();
        }
        let Some(shared) = share::lease(&mut self.books.rates, &terms, &asker, claim, WallTime(at as i64))
        else {
            return;
        };
        if self.variant == Variant::ShrinksAtOnce
            && let Some(holder) = self.books.rates.get_mut(&key)
        {
            holder.held = shared.share;
        }
        let (ttl, limit, recall) = (share::TTL, shared.limit, false);
        let (share, safe_share) = (shared.share, shared.safe_share);
        let grant = RateGrant { id: claim.id.clone(), share, ttl, safe_share, limit, recall };
        if shared.unmet {
            for (node, of) in self.books.rates.keys().filter(|(node, _)| *node != claims.node) {
                let rates = vec![RateGrant { recall: true, ..grant.clone() }];
                answer.recalls.push((node.clone(), *of, NodeGrants { budgets: Vec::new(), rates }));
            }
        }
        answer.grants.rates.push(grant);
    }
}

fn grant(id: &BudgetId, period: u64, ends_in: u64, granted: u64, window: WindowBooks) -> BudgetGrant {
    BudgetGrant {
        id: id.clone(),
        period: WallTime(period as i64),
        ends_in: Duration::from_millis(ends_in),
        granted,
        limit: window.limit,
        used: window.settled,
        leased: window.outstanding,
        recall: false,
    }
}
