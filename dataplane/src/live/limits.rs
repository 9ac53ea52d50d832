//! The limits of the configuration in force, with what this node holds of each.
//!
//! Laid out anew with each configuration and read without locks. A limit that stays, whatever its figures, keeps its
//! counters; one that is gone keeps them until nothing of it is left to say.

mod news;

pub use news::{LAST_WAIT, LeaseNews, MOST_WAIT};

use crate::purse::{Journal, Purse, Rate};
use cliproxy_domain::{
    BudgetId, ClientName, CredentialName, Incarnation, LimitSubject, ProviderName, Quota, RateId, RateKind,
    RateLimits, Snapshot,
};
use cliproxy_host::{Clock, SystemClock};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

/// What purses are made with.
#[derive(Clone)]
pub struct Ground {
    /// The process that holds what is granted.
    pub holder: Incarnation,
    /// Where what may be spent is written.
    pub journal: Arc<Journal>,
    /// The time that periods and shares go by.
    pub clock: Arc<dyn Clock>,
}

/// Keeps nothing on disk, and takes the process for the first.
impl Default for Ground {
    fn default() -> Self {
        Self { holder: Incarnation(0), journal: Journal::none(), clock: Arc::new(SystemClock) }
    }
}

/// All limits of a configuration.
#[derive(Clone, Default)]
pub struct Limits {
    budgets: BTreeMap<BudgetId, Arc<Purse>>,
    rates: BTreeMap<RateId, Arc<Rate>>,
    /// Budgets that no configuration has any more, as long as something of them is to be said.
    leaving: BTreeMap<BudgetId, Arc<Purse>>,
    /// Those of which all is said, until their period is over. The control plane counts what it gave this process in a
    /// period in one sum: should a configuration have such a budget again, the node must know what of that is gone.
    settled: BTreeMap<BudgetId, Arc<Purse>>,
    providers: HashMap<ProviderName, (Arc<Held>, HashMap<CredentialName, Arc<Held>>)>,
    clients: HashMap<ClientName, Arc<Held>>,
}

/// What is held for one subject.
#[derive(Default)]
pub struct Held {
    /// Its budgets, at most one of each unit.
    pub budgets: Vec<Budget>,
    /// Its rates.
    pub rates: Vec<HeldRate>,
}

/// A budget, as it is configured and as it is held.
pub struct Budget {
    /// What is configured.
    pub quota: Quota,
    /// What is held.
    pub purse: Arc<Purse>,
}

/// A rate, as it is configured and as it is held.
pub struct HeldRate {
    /// What is configured: the limit of all nodes together.
    pub limit: u64,
    /// What is held.
    pub rate: Arc<Rate>,
}

/// What is left of the limits of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Of requests per minute.
    pub of_requests: Option<Allowance>,
    /// Of tokens per minute.
    pub of_tokens: Option<Allowance>,
}

/// What is left of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit of all nodes.
    pub limit: u64,
    /// What is left of it, as far as this node can tell: the other nodes are believed to have used as much of their
    /// shares as this one of its own.
    pub remaining: u64,
    /// How long until this node's share is full again.
    pub full_in: Duration,
}

/// A request is believed to be answered with at most this part of a limit on the tokens of a minute: those that it lets
/// the model say are seldom said, and whoever names many could never ask.
const MOST_ANSWER: u64 = 8;

impl HeldRate {
    /// Gives how much of it a request takes, of so many tokens as far as can be told.
    pub fn amount(&self, prompt: u64, output: u64) -> u64 {
        match self.rate.id().kind {
            RateKind::RequestsPerMinute | RateKind::ConcurrentRequests => 1,
            RateKind::TokensPerMinute => prompt.saturating_add(output.min((self.limit / MOST_ANSWER).max(1))),
        }
    }

    /// Tells what is left.
    pub fn allowance(&self, now: Instant) -> Allowance {
        let state = self.rate.state(now);
        let share = state.share.min(self.limit);
        let left = u128::from(self.limit) * u128::from(share.saturating_sub(state.used));
        let remaining = u64::try_from(left / u128::from(share.max(1))).unwrap_or(self.limit);
        Allowance { limit: self.limit, remaining, full_in: state.free_in }
    }
}

impl Held {
    /// Tells what is left of what a client may ask for in a minute.
    pub fn allowances(&self, now: Instant) -> Allowances {
        let of = |kind| self.rate(kind).map(|held| held.allowance(now));
        Allowances { of_requests: of(RateKind::RequestsPerMinute), of_tokens: of(RateKind::TokensPerMinute) }
    }

    /// Gives the rate of one kind.
    pub fn rate(&self, kind: RateKind) -> Option<&HeldRate> {
        self.rates.iter().find(|held| held.rate.id().kind == kind)
    }

    fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.rates.is_empty()
    }
}

impl Limits {
    /// Lays out the limits of `snapshot`. Those that stay are taken over from `before`.
    pub(super) fn of(snapshot: &Snapshot, before: &Self, ground: &Ground) -> Self {
        let mut limits = Self::default();
        for (name, provider) in &snapshot.providers {
            let subject = LimitSubject::Provider(name.clone());
            let own = limits.hold(&subject, &provider.quota, &RateLimits::default(), before, ground);
            let credentials = provider.credentials.iter().filter_map(|credential| {
                let subject = LimitSubject::Credential(name.clone(), credential.name.clone());
                let held = limits.hold(&subject, &credential.quota, &credential.rate_limit, before, ground);
                (!held.is_empty()).then(|| (credential.name.clone(), Arc::new(held)))
            });
            let credentials: HashMap<_, _> = credentials.collect();
            if !own.is_empty() || !credentials.is_empty() {
                limits.providers.insert(name.clone(), (Arc::new(own), credentials));
            }
        }
        for (name, client) in &snapshot.clients {
            let subject = LimitSubject::Client(name.clone());
            let held = limits.hold(&subject, &client.budgets, &client.rate_limit, before, ground);
            if !held.is_empty() {
                limits.clients.insert(name.clone(), Arc::new(held));
            }
        }
        limits.take_leave(before, ground.clock.passed());
        limits
    }

    /// Gives what is held for a provider as a whole.
    pub fn of_provider(&self, provider: &ProviderName) -> Option<&Arc<Held>> {
        self.providers.get(provider).map(|(own, _)| own)
    }

    /// Gives what is held for one of its credentials.
    pub fn of_credential(&self, provider: &ProviderName, credential: &CredentialName) -> Option<&Arc<Held>> {
        self.providers.get(provider)?.1.get(credential)
    }

    /// Gives what is held for a client.
    pub fn of_client(&self, client: &ClientName) -> Option<&Arc<Held>> {
        self.clients.get(client)
    }

    /// Gives all budgets, in the order of their names.
    pub fn budgets(&self) -> impl Iterator<Item = &Arc<Purse>> {
        self.budgets.values()
    }

    /// Gives a budget.
    pub fn budget(&self, id: &BudgetId) -> Option<&Arc<Purse>> {
        self.budgets.get(id).or_else(|| self.leaving.get(id))
    }

    /// Gives all rates, in the order of their names.
    pub fn rates(&self) -> impl Iterator<Item = &Arc<Rate>> {
        self.rates.values()
    }

    /// Gives a rate.
    pub fn rate(&self, id: &RateId) -> Option<&Arc<Rate>> {
        self.rates.get(id)
    }

    /// Gives the budgets that the configuration has no more: what is left of them goes back.
    pub fn leaving(&self) -> impl Iterator<Item = &Arc<Purse>> {
        self.leaving.values()
    }

    /// Tells whether the configuration has a budget no more, and something of it is to be said.
    pub fn is_leaving(&self, id: &BudgetId) -> bool {
        self.leaving.contains_key(id)
    }

    /// Says no more of budgets that are gone and settled.
    pub(super) fn without(&self, settled: impl Fn(&Purse) -> bool) -> Self {
        let mut limits = self.clone();
        limits.settled.extend(limits.leaving.extract_if(.., |_, purse| settled(purse)));
        limits
    }

    fn hold<'q>(
        &mut self,
        subject: &LimitSubject,
        quotas: impl IntoIterator<Item = &'q Quota>,
        rates: &RateLimits,
        before: &Self,
        ground: &Ground,
    ) -> Held {
        let mut held = Held::default();
        for quota in quotas {
            let id = BudgetId { subject: subject.clone(), unit: quota.unit };
            let make =
                || Purse::new(id.clone(), ground.holder, Arc::clone(&ground.journal), ground.clock.passed());
            let known = before.budget(&id).or_else(|| before.settled.get(&id));
            let purse = known.cloned().unwrap_or_else(make);
            self.budgets.insert(id, Arc::clone(&purse));
            held.budgets.push(Budget { quota: quota.clone(), purse });
        }
        for (kind, limit) in RateKind::ALL.into_iter().filter_map(|kind| Some((kind, rates.of(kind)?))) {
            let id = RateId { subject: subject.clone(), kind };
            let (on_loss, first) = (rates.on_loss, first_share(limit));
            let rate = match before.rates.get(&id) {
                Some(rate) => {
                    rate.configure(limit, on_loss, first);
                    Arc::clone(rate)
                }
                None => Rate::new(id.clone(), limit, on_loss, first, ground.clock.passed()),
            };
            self.rates.insert(id, Arc::clone(&rate));
            held.rates.push(HeldRate { limit, rate });
        }
        held
    }

    /// Keeps what is no longer configured until the control plane has heard the last of it, and its sums until their
    /// period is over at `now`.
    fn take_leave(&mut self, before: &Self, now: Instant) {
        let runs = |purse: &Purse| purse.state(now).is_some_and(|state| !state.ends_in.is_zero());
        let settled = before.settled.iter();
        let settled = settled.filter(|(id, purse)| !self.budgets.contains_key(*id) && runs(purse));
        self.settled = settled.map(|(id, purse)| (id.clone(), Arc::clone(purse))).collect();
        let gone = before.budgets.iter().chain(&before.leaving);
        for (id, purse) in gone.filter(|(id, _)| !self.budgets.contains_key(id)) {
            purse.give_back();
            self.leaving.insert(id.clone(), Arc::clone(purse));
        }
    }
}

/// Gives what a node uses of a safe rate that was never granted a share of it and hears no control plane: how many others
/// there are it does not know, so that it takes as little as any of fifty.
fn first_share(limit: u64) -> u64 {
    (limit / 50).max(1)
}

#[cfg(test)]
mod tests;
