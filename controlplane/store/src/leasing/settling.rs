//! What is granted of what is claimed.

use super::{
    Books, BudgetTerms, Crossed, EscrowKey, Leased, Leasing, Settled, Short, THRESHOLDS, Terms, Window,
    WindowKey,
};
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, BudgetId, Incarnation, NodeClaims, NodeGrants, NodeId, RateClaim, RateGrant,
    RateId, WallTime,
    escrow::{self, HolderBooks, WindowBooks},
    share::{self, Asker, Holder, RateBooks},
};
use std::collections::{BTreeMap, BTreeSet};

/// Decides what is granted, by what the books hold and, for rates, by the store's own clock.
///
/// What all of them say is booked before anybody is given anything: what one gives back, another gets at once. What is
/// said of periods that are over, of earlier processes and of budgets that are no more is booked as well, as long as
/// the books know of them.
pub fn settle(leasing: &Leasing, books: Books, now: WallTime) -> Settled {
    let mut desk = Desk {
        terms: &leasing.terms,
        now: leasing.now,
        books: books.clone(),
        short: BTreeMap::new(),
        unopened: BTreeSet::new(),
    };
    desk.open(leasing);
    let mut leased = Leased::default();
    for claims in &leasing.claims {
        claims.budgets.iter().for_each(|claim| desk.book(claims, claim));
    }
    for claims in &leasing.claims {
        claims.budgets.iter().for_each(|claim| desk.grant(claims, claim));
    }
    let mut recalled = BTreeSet::new();
    for claims in &leasing.claims {
        let rates = claims.rates.iter().filter_map(|claim| desk.share(claims, claim, now, &mut recalled));
        let rates = rates.collect();
        leased.grants.push(NodeGrants { budgets: Vec::new(), rates });
    }
    for (claims, grants) in leasing.claims.iter().zip(&mut leased.grants) {
        grants.budgets = desk.granted(claims);
    }
    leased.crossed = desk.crossed();
    leased.unopened = desk.unopened.into_iter().collect();
    let asked: Vec<_> =
        leasing.claims.iter().map(|claims| (claims.node.clone(), claims.incarnation)).collect();
    let mut settled = Settled { asked, leased, ..Settled::default() };
    for (id, node, incarnation) in recalled {
        if let Some(holder) =
            desk.books.rates.get(&id).and_then(|rate| rate.get(&(node.clone(), incarnation)))
        {
            let grant = recall_share(id, holder, leasing, now);
            settled.recall_rate(node, incarnation, grant);
        }
    }
    for (key, waiting) in desk.short {
        if let Some(window) = desk.books.windows.get(&key).copied() {
            settled.short.insert(key, Short { window, waiting });
        }
    }
    settled.changed(&books, desk.books);
    settled
}

/// What is worked on.
struct Desk<'a> {
    terms: &'a Terms,
    now: WallTime,
    books: Books,
    short: BTreeMap<WindowKey, BTreeSet<(NodeId, Incarnation)>>,
    /// Budgets whose period cannot be begun: nothing is granted of them.
    unopened: BTreeSet<BudgetId>,
}

impl Desk<'_> {
    /// Begins the periods that run and are claimed of, with the limits in force.
    fn open(&mut self, leasing: &Leasing) {
        let claimed: BTreeSet<&BudgetId> =
            leasing.claims.iter().flat_map(|claims| &claims.budgets).map(|claim| &claim.id).collect();
        for id in claimed {
            let Some(terms) = self.terms.budgets.get(id) else { continue };
            let key = WindowKey { id: id.clone(), period: terms.period.start };
            // One of another length began at the same time: it knows what was spent until it ended, and no more.
            let known = self.books.windows.get_mut(&key);
            let is_same = known.as_ref().is_some_and(|known| known.ends_at == terms.period.end);
            match (known, terms.settled_before) {
                (None, Some(before)) => drop(self.books.windows.insert(key, begun(terms, before))),
                (Some(window), before) if is_same || before.is_some() => {
                    if goes_on(window, terms) {
                        self.short.entry(key).or_default();
                    }
                }
                _ => drop(self.unopened.insert(id.clone())),
            }
        }
    }

    /// Books what a claim says, where its period is known.
    fn book(&mut self, claims: &NodeClaims, claim: &BudgetClaim) {
        let running = self.terms.budgets.get(&claim.id).map(|terms| terms.period.start);
        let Some(period) = claim.settles_in(running) else { return };
        let key = WindowKey { id: claim.id.clone(), period };
        self.with(key, &claims.node, claim.holder, |window, holder| {
            escrow::settle(window, holder, claims.incarnation, claim);
        });
    }

    /// Gives a process of what it claims for itself, in the period that runs.
    fn grant(&mut self, claims: &NodeClaims, claim: &BudgetClaim) {
        let Some(terms) = self.terms.budgets.get(&claim.id) else { return };
        let is_closed_for_now = self.terms.learning.budgets || self.unopened.contains(&claim.id);
        if claim.holder != claims.incarnation || is_closed_for_now {
            return;
        }
        let key = WindowKey { id: claim.id.clone(), period: terms.period.start };
        let nodes = u64::from(self.terms.nodes);
        let given = self.with(key.clone(), &claims.node, claims.incarnation, |window, holder| {
            if claim.period == Some(terms.period.start) {
                escrow::lease(window, holder, claims.incarnation, claim, nodes)
            } else {
                escrow::begin(window, holder, claim, nodes)
            }
        });
        if given.is_some_and(|given| given.unmet > 0) {
            self.short.entry(key).or_default().insert((claims.node.clone(), claims.incarnation));
        }
    }

    /// Does something with what a process has of a period; nothing where the period was not begun.
    fn with<T>(
        &mut self,
        key: WindowKey,
        node: &NodeId,
        incarnation: Incarnation,
        what: impl FnOnce(&mut WindowBooks, &mut HolderBooks) -> T,
    ) -> Option<T> {
        let window = self.books.windows.get_mut(&key)?;
        let key = EscrowKey { window: key, node: node.clone(), incarnation };
        let mut holder = self.books.escrows.get(&key).copied().unwrap_or_default();
        let done = what(&mut window.books, &mut holder);
        // Who has nothing and never had has no row.
        if holder != HolderBooks::default() {
            self.books.escrows.insert(key, holder);
        }
        Some(done)
    }

    /// Gives a process its share of a rate. Notes who has more than is his by rights, if it gets too little.
    fn share(
        &mut self,
        claims: &NodeClaims,
        claim: &RateClaim,
        now: WallTime,
        recalled: &mut BTreeSet<(RateId, NodeId, Incarnation)>,
    ) -> Option<RateGrant> {
        let terms = self.terms.rates.get(&claim.id)?;
        let by = share::Terms {
            kind: claim.id.kind,
            limit: terms.limit,
            safe_share: terms.safe_share,
            ttl: self.terms.ttl,
            learning: self.terms.learning.rates,
        };
        let NodeClaims { node, incarnation, req, .. } = claims;
        let asker = Asker { node: node.clone(), incarnation: *incarnation, req: *req };
        let books = self.books.rates.entry(claim.id.clone()).or_default();
        let shared = share::lease(books, &by, &asker, claim, now)?;
        if shared.unmet {
            let has_too_much = |holder: &Holder| holder.share > holder.demand || holder.share > shared.share;
            for ((other, process), holder) in &*books {
                if other != node && now < holder.expires_at && has_too_much(holder) {
                    recalled.insert((claim.id.clone(), other.clone(), *process));
                }
            }
        }
        Some(RateGrant {
            id: claim.id.clone(),
            share: shared.share,
            ttl: self.terms.ttl,
            safe_share: shared.safe_share,
            limit: shared.limit,
            recall: false,
        })
    }

    /// Tells a process what it has of each budget that it claimed of, in the period that runs.
    fn granted(&self, claims: &NodeClaims) -> Vec<BudgetGrant> {
        let mut told = BTreeSet::new();
        let ids = claims.budgets.iter().map(|claim| &claim.id);
        let ids = ids.filter(|id| !self.unopened.contains(*id) && told.insert(*id));
        let grant = |id: &BudgetId| {
            let terms = self.terms.budgets.get(id)?;
            let key = WindowKey { id: id.clone(), period: terms.period.start };
            let window = self.books.windows.get(&key)?;
            let (node, incarnation) = (claims.node.clone(), claims.incarnation);
            let holder = self.books.escrows.get(&EscrowKey { window: key.clone(), node, incarnation });
            // It said that it spends no more, and has forgotten what it was given: told of that, it would spend it again.
            let is_closed = holder.is_some_and(|holder| holder.closed_by.is_some());
            if is_closed && !knows_a_period(claims, id) {
                return None;
            }
            Some(grant_of(&key, window, holder.map_or(0, |holder| holder.granted), self.now))
        };
        ids.filter_map(grant).collect()
    }

    /// Tells once which parts of their limits are spent by now, of periods that go on.
    fn crossed(&mut self) -> Vec<Crossed> {
        let mut crossed = Vec::new();
        for (key, window) in &mut self.books.windows {
            let WindowBooks { limit, settled, .. } = window.books;
            if window.ends_at <= self.now || limit == 0 {
                continue;
            }
            let part = u128::from(settled) * 100;
            for percent in THRESHOLDS {
                if percent > window.told && part >= u128::from(limit) * u128::from(percent) {
                    window.told = percent;
                    let period = key.period..window.ends_at;
                    crossed.push(Crossed { id: key.id.clone(), period, percent, settled, limit });
                }
            }
        }
        crossed
    }
}

/// Begins a period of which so much was spent before.
fn begun(terms: &BudgetTerms, before: u64) -> Window {
    let (limit, settled) = (terms.limit.min(escrow::MOST), before.min(escrow::MOST));
    Window { ends_at: terms.period.end, books: WindowBooks { limit, settled, outstanding: 0 }, told: 0 }
}

/// Goes on with a period by the limit in force, and by what was spent while it was not limited, or by another period.
/// Tells whether the limit was lowered beneath what is out: slices were cut from the limit of before, and may be more
/// than all of the new one, so that all who hold any are to give back what they do not need.
fn goes_on(window: &mut Window, terms: &BudgetTerms) -> bool {
    let books = &mut window.books;
    let before = std::mem::replace(&mut books.limit, terms.limit.min(escrow::MOST));
    books.settled = books.settled.max(terms.settled_before.unwrap_or(0).min(escrow::MOST));
    window.ends_at = terms.period.end;
    books.limit < before && books.is_passed()
}

/// Tells whether the process that claims has heard of any period of a budget.
fn knows_a_period(claims: &NodeClaims, id: &BudgetId) -> bool {
    let mut own = claims.budgets.iter().filter(|claim| claim.id == *id && claim.holder == claims.incarnation);
    own.any(|claim| claim.period.is_some())
}

/// Tells a process what it has of a budget.
pub(super) fn grant_of(key: &WindowKey, window: &Window, granted: u64, now: WallTime) -> BudgetGrant {
    BudgetGrant {
        id: key.id.clone(),
        period: key.period,
        ends_in: window.ends_at.since(now),
        granted,
        limit: window.books.limit,
        used: window.books.settled,
        leased: window.books.outstanding,
        recall: false,
    }
}

fn recall_share(id: RateId, holder: &Holder, leasing: &Leasing, now: WallTime) -> RateGrant {
    let limit = leasing.terms.rates.get(&id).map_or(0, |terms| terms.limit);
    let ttl = holder.expires_at.since(now).min(leasing.terms.ttl);
    RateGrant { id, share: holder.share, ttl, safe_share: holder.safe_share, limit, recall: true }
}

impl Settled {
    /// Takes what is to be written: what is other than it was read.
    fn changed(&mut self, before: &Books, after: Books) {
        self.windows =
            after.windows.into_iter().filter(|(key, now)| before.windows.get(key) != Some(now)).collect();
        self.escrows =
            after.escrows.into_iter().filter(|(key, now)| before.escrows.get(key) != Some(now)).collect();
        let none = RateBooks::new();
        for (id, now) in after.rates {
            let was = before.rates.get(&id).unwrap_or(&none);
            let over = was.keys().filter(|key| !now.contains_key(*key));
            self.over.extend(over.map(|(node, incarnation)| (id.clone(), node.clone(), *incarnation)));
            let changed = now.into_iter().filter(|(key, holder)| was.get(key) != Some(holder));
            self.shares
                .extend(changed.map(|((node, process), holder)| ((id.clone(), node, process), holder)));
        }
    }
}

#[cfg(test)]
mod tests;
