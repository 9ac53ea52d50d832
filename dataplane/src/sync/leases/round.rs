//! One round of claims: when it is due, what is said in it, and what its answer changes.

use super::{Leases, Open, TICK};
use crate::{
    live::Limits,
    purse::{Purse, Rate},
    sync::Identity,
};
use cliproxy_domain::{BudgetClaim, NodeClaims, NodeGrants, RateClaim, RateId};
use cliproxy_proto::convert::quota::MAX_ENTRIES;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::time;

/// How often the node claims its shares of rates, more or less.
const RATES: Duration = Duration::from_secs(3);
/// More or less by this part.
const JITTER: f64 = 0.2;
/// Requests that begin to wait within this time are claimed for together.
pub(super) const COALESCE: Duration = Duration::from_millis(2);

/// What was asked for in vain is not asked for again sooner: who waits, tries again with each answer.
const AGAIN: Duration = Duration::from_millis(5);

/// What is said in one claim.
pub(super) struct Claims {
    budgets: Vec<BudgetClaim>,
    rates: Vec<RateClaim>,
    /// They are of earlier processes: what is granted in answer is nothing of this one's.
    of_others: bool,
}

impl Claims {
    pub(super) fn of_node(&self, identity: &Identity, req: u64) -> NodeClaims {
        NodeClaims {
            node: identity.node.clone(),
            incarnation: identity.incarnation,
            req,
            budgets: self.budgets.clone(),
            rates: self.rates.clone(),
        }
    }
}

/// When the next claim is due.
pub(super) struct Due {
    next: Option<time::Instant>,
    rates: Option<time::Instant>,
    /// Who waits is claimed for again from here on.
    again: Option<time::Instant>,
    /// What is left to say of this round, after a first message that was full.
    rest: Vec<BudgetClaim>,
    /// The same of rates: those after this one.
    rates_after: Option<RateId>,
}

impl Due {
    pub(super) fn at_once() -> Self {
        Self { next: None, rates: None, again: None, rest: Vec::new(), rates_after: None }
    }

    /// Waits until it is: at the next tick, or when somebody waits.
    pub(super) async fn wait(&mut self, leases: &Leases) {
        let Some(next) = self.next.filter(|_| self.rest.is_empty()) else { return };
        let until = self.rates.map_or(next, |rates| rates.min(next));
        tokio::select! {
            biased;
            () = leases.parts.live.lease_news().wanted() => {
                time::sleep(COALESCE).await;
                if let Some(again) = self.again {
                    time::sleep_until(again).await;
                }
            }
            () = time::sleep_until(until) => {}
        }
    }

    /// Makes the next claim due soon where something came up meanwhile: at once where nobody had asked, as others wait then.
    pub(super) fn look_again(&mut self, leases: &Leases, unasked: bool) {
        let limits = leases.parts.live.limits();
        let now = time::Instant::from_std(leases.parts.clock.now());
        self.again = Some(now + AGAIN);
        if limits.budgets().any(|purse| purse.is_due()) || limits.rates().any(|rate| rate.is_due()) {
            self.next = Some(if unasked { now } else { now + AGAIN });
        }
    }

    fn said(&mut self, leases: &Leases, with_rates: bool) {
        let now = time::Instant::from_std(leases.parts.clock.now());
        self.next = Some(now + TICK);
        if with_rates {
            let part = 1.0 - JITTER + 2.0 * JITTER * leases.parts.entropy.fraction();
            self.rates = Some(now + RATES.mul_f64(part));
        }
    }
}

impl Leases {
    /// Gives what is to be said now; none when nothing changed.
    pub(super) fn next(&self, due: &mut Due, req: u64, now: Instant) -> Option<Claims> {
        if let Some(left) = self.parts.left.as_ref().filter(|left| !left.is_empty() && due.next.is_none()) {
            let mut budgets = left.claims();
            budgets.truncate(MAX_ENTRIES);
            due.said(self, false);
            // Its own word follows at once.
            due.next = Some(time::Instant::from_std(self.parts.clock.now()));
            return Some(Claims { budgets, rates: Vec::new(), of_others: true });
        }
        let limits = self.parts.live.limits();
        let timer = time::Instant::from_std(self.parts.clock.now());
        let mut budgets = std::mem::take(&mut due.rest);
        if budgets.is_empty() {
            budgets = self.of_budgets(&limits, now);
        }
        let after = due.rates_after.take();
        let is_round = after.is_some() || due.rates.is_none_or(|rates| rates <= timer);
        let (rates, rates_after) = match self.closing.load(Relaxed) {
            // At the end all of them are said at once, as far as there is room.
            true if self.rates_closed.load(Relaxed) => (Vec::new(), None),
            true => (limits.rates().take(MAX_ENTRIES).collect(), None),
            false => to_claim(&limits, is_round, after.as_ref()),
        };
        let changed = *self.said.lock() != budgets;
        due.said(self, is_round && after.is_none() && !rates.is_empty());
        if rates_after.is_some() {
            due.next = Some(timer);
        }
        due.rates_after = rates_after;
        if !changed && rates.is_empty() {
            return None;
        }
        if budgets.len() > MAX_ENTRIES {
            due.rest = budgets.split_off(MAX_ENTRIES);
        }
        let closing = self.closing.load(Relaxed);
        let claim = |rate: &Arc<Rate>| if closing { rate.last_claim(req, now) } else { rate.claim(req, now) };
        let rates = rates.into_iter().map(claim).collect();
        Some(Claims { budgets, rates, of_others: false })
    }

    fn of_budgets(&self, limits: &Limits, now: Instant) -> Vec<BudgetClaim> {
        let closing = self.closing.load(Relaxed);
        let mut claims = Vec::new();
        for purse in limits.budgets() {
            if closing {
                last_words(purse, now, &mut claims);
            } else {
                claims.extend(purse.claims(now));
            }
        }
        let mut closed = self.closed.lock();
        if !closing {
            // A configuration has them again, or all of them is said: the next last word is another one.
            closed.retain(|id| limits.is_leaving(id));
        }
        for purse in limits.leaving().filter(|purse| !closed.contains(purse.id())) {
            last_words(purse, now, &mut claims);
        }
        claims
    }

    /// Takes the answer to a claim of this node.
    pub(super) fn answered(&self, open: &Open, grants: &NodeGrants) {
        if open.claims.of_others {
            if let Some(left) = &self.parts.left {
                open.claims.budgets.iter().for_each(|claim| left.heard(claim));
            }
            return;
        }
        if open.claims.rates.iter().any(|claim| claim.closing) {
            self.rates_closed.store(true, Relaxed);
        }
        let limits = self.parts.live.limits();
        for claim in &open.claims.budgets {
            let Some(purse) = limits.budget(&claim.id) else { continue };
            purse.heard(claim);
            let current =
                purse.state(self.parts.clock.passed()).is_none_or(|state| claim.period == Some(state.period));
            if claim.closing && current {
                self.closed.lock().insert(claim.id.clone());
            }
        }
        let closed = self.closed.lock();
        if !closed.is_empty() {
            self.parts.live.forget_budgets(|purse| closed.contains(purse.id()));
        }
        drop(closed);
        self.said.lock().clone_from(&open.claims.budgets);
        for grant in &grants.budgets {
            if let Some(purse) = limits.budget(&grant.id) {
                purse.apply(grant, open.sent_at);
            }
        }
        for grant in &grants.rates {
            if let Some(rate) = limits.rate(&grant.id) {
                rate.apply(grant, open.req);
                if grant.recall {
                    rate.recall(self.parts.clock.passed());
                }
            }
        }
    }

    /// Takes what the control plane says to a claim that was given up and was sent at `sent_at`, or unasked.
    pub(super) fn told(&self, grants: &NodeGrants, sent_at: Option<Instant>) {
        let limits = self.parts.live.limits();
        for grant in &grants.budgets {
            let Some(purse) = limits.budget(&grant.id) else { continue };
            match sent_at {
                Some(sent_at) => purse.apply(grant, sent_at),
                None => purse.recalled(grant),
            }
        }
        for grant in grants.rates.iter().filter(|grant| grant.recall) {
            if let Some(rate) = limits.rate(&grant.id) {
                rate.recall(self.parts.clock.passed());
            }
        }
    }

    /// Tells rates whether anybody can be asked, and shows in metrics what is held.
    pub(super) fn look_around(&self) {
        let limits = self.parts.live.limits();
        let away = self.parts.watch.is_away(self.parts.live.is_cut_off(), self.parts.clock.now());
        limits.rates().for_each(|rate| rate.set_cut_off(away));
        self.parts.metrics.show(&limits, self.parts.clock.passed());
    }
}

/// Gives the rates to claim in one message: those that somebody waits for, and in a round as many of the others as it can
/// hold, from the one `after` the last. Tells after which the round goes on, where it does.
fn to_claim<'l>(
    limits: &'l Limits,
    is_round: bool,
    after: Option<&RateId>,
) -> (Vec<&'l Arc<Rate>>, Option<RateId>) {
    let (mut claimed, others): (Vec<_>, Vec<_>) = limits.rates().partition(|rate| rate.is_due());
    claimed.truncate(MAX_ENTRIES);
    let is_left = |rate: &&Arc<Rate>| is_round && after.is_none_or(|after| rate.id() > after);
    let mut others = others.into_iter().filter(is_left).peekable();
    let mut last = after.cloned();
    while claimed.len() < MAX_ENTRIES
        && let Some(rate) = others.next()
    {
        last = Some(rate.id().clone());
        claimed.push(rate);
    }
    (claimed, last.filter(|_| others.peek().is_some()))
}

/// Gives what is left of a budget back, and says so. The last word is said once nothing of it is reserved.
fn last_words(purse: &Arc<Purse>, now: Instant, claims: &mut Vec<BudgetClaim>) {
    purse.give_back();
    let Some(state) = purse.state(now) else { return };
    for claim in purse.claims(now) {
        let is_last = claim.period == Some(state.period) && state.open == 0;
        claims.push(BudgetClaim { want: 0, least: 0, closing: claim.closing || is_last, ..claim });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{live::Live, upstream::Upstreams};
    use cliproxy_domain::{Client, ClientName, ConfigId, Priority, RateLimits, Snapshot};
    use cliproxy_host::{Clock as _, SystemClock, SystemNet};
    use std::collections::BTreeSet;

    /// More than one message may be about.
    const CLIENTS: usize = MAX_ENTRIES + 900;

    fn limits() -> Arc<Limits> {
        let client = |number: usize| {
            let name = ClientName::from(format!("c{number}"));
            let client = Client {
                name: name.clone(),
                keys: Vec::new(),
                models: Vec::new(),
                providers: Vec::new(),
                tags: Default::default(),
                rate_limit: RateLimits { requests_per_minute: Some(100), ..RateLimits::default() },
                budgets: Vec::new(),
                priority: Priority::default(),
            };
            (name, client)
        };
        let live = Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0);
        let clients = (0..CLIENTS).map(client).collect();
        live.adopt(ConfigId(1), Snapshot { clients, ..Snapshot::default() }).unwrap();
        live.limits()
    }

    /// Claims as one message does.
    fn claim(limits: &Limits, is_round: bool, after: Option<&RateId>) -> (Vec<RateId>, Option<RateId>) {
        let (rates, next) = to_claim(limits, is_round, after);
        let ids = rates.iter().map(|rate| rate.claim(1, SystemClock.passed()).id);
        (ids.collect(), next)
    }

    #[test]
    fn every_rate_has_its_turn_however_many_there_are() {
        let limits = limits();
        let (new, none) = claim(&limits, true, None);
        assert_eq!((new.len(), none), (MAX_ENTRIES, None), "of what was never claimed all of it is due");
        assert_eq!(claim(&limits, false, None).0.len(), CLIENTS - MAX_ENTRIES);
        let (first, after) = claim(&limits, true, None);
        let (second, none) = claim(&limits, true, after.as_ref());
        assert_eq!((first.len(), none), (MAX_ENTRIES, None));
        let both: BTreeSet<RateId> = first.into_iter().chain(second).collect();
        assert_eq!(both.len(), CLIENTS);
    }

    #[test]
    fn between_rounds_only_what_is_waited_for_is_claimed() {
        let limits = limits();
        claim(&limits, true, None);
        claim(&limits, false, None);
        let waited = limits.rates().last().unwrap();
        let _waits = waited.wait(1);
        assert_eq!(claim(&limits, false, None).0, [waited.id().clone()]);
    }
}
