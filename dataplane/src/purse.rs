//! What the node holds of limits: slices of budgets in purses, and shares of rates.
//!
//! A request reserves from memory and settles there. What a purse holds was debited at the control plane before it was
//! given, so no message that is lost, late or repeated makes more of it; see `cliproxy_domain::escrow` and
//! `cliproxy_domain::share` for the books of it. Nothing here waits: who finds too little [waits](Purse::wait) for what
//! the lease stream brings.
//!
//! Times are [`Clock::passed`](cliproxy_host::Clock::passed): the wall clock decides nothing here, and a machine that
//! was suspended has not kept what it held.

mod journal;
mod pocket;
mod rate;
mod reservation;
mod seconds;
#[cfg(test)]
mod tests;
mod unlimited;
mod waiting;

pub use journal::{Journal, Left, Opened};
pub use rate::{Full, Rate, RateState, Taken, WaitsForRate};
pub use reservation::Reservation;

use arc_swap::ArcSwapOption;
use cliproxy_domain::{BudgetClaim, BudgetGrant, BudgetId, Incarnation, WallTime};
use journal::Place;
use parking_lot::Mutex;
use pocket::{Pocket, Sums};
use seconds::Seconds;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use waiting::Waiting;

/// What the node holds is sized by the demand of so many seconds, and goes back after as many without any.
const LATELY: u64 = 5;

/// Periods that are over and whose sums are kept.
const REMEMBERED: usize = 64;

/// What the node has of one budget.
#[derive(Debug)]
pub struct Purse {
    id: BudgetId,
    holder: Incarnation,
    journal: Arc<Journal>,
    origin: Instant,
    /// Of the period that runs, as far as is known.
    pocket: ArcSwapOption<Pocket>,
    /// Of periods that are over, until the control plane has their last word.
    over: Mutex<Vec<Arc<Pocket>>>,
    /// What was spent without the limit while no period was known. It has none itself.
    adrift: Arc<Pocket>,
    /// Of which it has, the last ones last: what was given and spent is not forgotten, as a period may run again.
    closed: Mutex<Vec<(WallTime, Sums)>>,
    demand: Seconds<8>,
    /// What was reserved last: so much is kept for the next request while none comes.
    typical: AtomicU64,
    waiting: Waiting,
    told: Told,
    /// Something is to be said before the next round.
    due: AtomicBool,
    /// Others wait for what this node does not need.
    recalled: AtomicBool,
}

/// What the control plane said last of all nodes together.
#[derive(Debug, Default)]
struct Told {
    /// When the claim that it answered was sent, in milliseconds since the purse was made.
    asked: AtomicU64,
    limit: AtomicU64,
    used: AtomicU64,
    leased: AtomicU64,
}

/// Why nothing could be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Nothing is known of the period that runs: the control plane has not said anything of it yet.
    Unknown,
    /// The balance has too little; the control plane may have more.
    Lacking,
    /// All of the budget is spent, and it begins anew after this time.
    UsedUp(Duration),
    /// So little of the budget is not spent that it is less than that, whoever holds it: nothing that can come before
    /// the period ends is enough.
    TooLittle(u64),
}

/// What a purse holds, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurseState {
    /// The beginning of the period.
    pub period: WallTime,
    /// How much longer it lasts, by this node's reckoning.
    pub ends_in: Duration,
    /// All that this process was given in it.
    pub granted: u64,
    /// All that it spent.
    pub spent: u64,
    /// All that it gave back.
    pub returned: u64,
    /// What can be reserved; below zero when answers outgrew what was reserved.
    pub balance: i64,
    /// Requests that have reserved.
    pub open: u64,
    /// The limit of all nodes.
    pub limit: u64,
    /// What all nodes have spent, by the last word.
    pub used: u64,
    /// What all nodes hold, by the last word.
    pub leased: u64,
}

impl PurseState {
    /// Gives what nobody has spent or holds, by the last word.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used.saturating_add(self.leased))
    }
}

impl Purse {
    /// Makes an empty one for the process `holder`, at `now`.
    pub fn new(id: BudgetId, holder: Incarnation, journal: Arc<Journal>, now: Instant) -> Arc<Self> {
        journal.ask(&id);
        Arc::new(Self {
            id,
            holder,
            journal,
            origin: now,
            pocket: ArcSwapOption::empty(),
            over: Mutex::default(),
            adrift: Arc::new(Pocket::new(WallTime(0), Sums::default(), Place::None)),
            closed: Mutex::default(),
            demand: Seconds::default(),
            typical: AtomicU64::new(0),
            waiting: Waiting::default(),
            told: Told::default(),
            due: AtomicBool::new(true),
            recalled: AtomicBool::new(false),
        })
    }

    /// Names the budget.
    pub fn id(&self) -> &BudgetId {
        &self.id
    }

    /// Reserves `amount` for a request, without a lock and without waiting.
    pub fn reserve(self: &Arc<Self>, amount: u64, now: Instant) -> Result<Reservation, Short> {
        let now = self.since(now);
        self.note(amount, now);
        self.try_reserve(amount, now)
    }

    /// Tries again for a request that waits: what it needs was counted as demand when it was first tried.
    pub fn reserve_again(self: &Arc<Self>, amount: u64, now: Instant) -> Result<Reservation, Short> {
        self.try_reserve(amount, self.since(now))
    }

    /// Notes that a request waits for `amount`, until the note is dropped: it is asked for at once.
    pub fn wait(self: &Arc<Self>, amount: u64) -> Waits {
        self.waiting.begin(amount);
        self.due.store(true, Relaxed);
        Waits { purse: Arc::clone(self), amount }
    }

    /// Has the node claim soon, for what was counted as demand.
    pub fn ask(&self) {
        self.due.store(true, Relaxed);
    }

    /// Takes what the control plane says, in answer to a claim that was sent at `sent_at`.
    pub fn apply(&self, grant: &BudgetGrant, sent_at: Instant) {
        let sent = self.since(sent_at);
        let known = self.pocket.load_full();
        let pocket = match known {
            Some(known) if known.period == grant.period => known,
            // A late word. The last one counts, also if its period began earlier: the quota is reset otherwise now.
            Some(_) if sent < self.told.asked.load(Relaxed) => return,
            known => self.turn_over(known, grant.period),
        };
        if sent >= self.told.asked.load(Relaxed) {
            self.told.asked.store(sent, Relaxed);
            self.told.limit.store(grant.limit, Relaxed);
            self.told.used.store(grant.used, Relaxed);
            self.told.leased.store(grant.leased, Relaxed);
            // A clock that runs a hundredth slow must not make it last longer than the control plane believes.
            pocket.set_end(sent.saturating_add(millis(grant.ends_in - grant.ends_in / 100)));
            self.book_adrift(&pocket);
        }
        pocket.fill(grant.granted);
        if grant.recall {
            self.recall();
        }
    }

    /// Takes what the control plane says unasked, because others wait for what is held here. How old that word is, is not
    /// known: it begins no period, and moves no end of one.
    pub fn recalled(&self, grant: &BudgetGrant) {
        let pocket = self.pocket.load_full();
        if let Some(pocket) = pocket.filter(|pocket| pocket.period == grant.period) {
            pocket.fill(grant.granted);
            self.recall();
        }
    }

    fn recall(&self) {
        self.recalled.store(true, Relaxed);
        self.due.store(true, Relaxed);
    }

    /// Gives what is to be said now: of periods that are over, and of the one that runs. What is not needed is given
    /// back with it: at once when others wait for it, and after a few seconds without any demand. Then enough for one
    /// request like the last one stays, so that the next one need not wait for a round trip to the store.
    pub fn claims(&self, now: Instant) -> Vec<BudgetClaim> {
        self.due.store(false, Relaxed);
        let now = self.since(now);
        let mut claims: Vec<_> = self
            .over
            .lock()
            .iter()
            .map(|pocket| {
                let closing = pocket.sums().open == 0;
                pocket.sweep_over();
                pocket.claim(&self.id, self.holder, closing)
            })
            .collect();
        claims.push(self.claim(now));
        claims
    }

    /// Takes note that the control plane has heard a claim: what is over and said to be closed is forgotten.
    pub fn heard(&self, claim: &BudgetClaim) {
        if claim.closing && claim.holder == self.holder {
            let heard = |pocket: &mut Arc<Pocket>| Some(pocket.period) == claim.period;
            for pocket in self.over.lock().extract_if(.., heard) {
                pocket.forget();
                let mut closed = self.closed.lock();
                closed.push((pocket.period, pocket.sums()));
                if closed.len() > REMEMBERED {
                    closed.remove(0);
                }
            }
        }
    }

    /// Gives back what is left, because the node stops or the budget is none of it any more. Sums stay: what is given
    /// later comes on top of them.
    pub fn give_back(&self) -> u64 {
        let back = self.pocket.load().as_ref().map_or(0, |pocket| pocket.give_back(0));
        if back > 0 {
            self.due.store(true, Relaxed);
        }
        back
    }

    /// Tells whether something is to be said before the next round: a request waits, or others do.
    pub fn is_due(&self) -> bool {
        self.due.load(Relaxed) || self.waiting.sum().least > 0
    }

    /// Gives what the purse holds; none while it knows no period.
    pub fn state(&self, now: Instant) -> Option<PurseState> {
        let pocket = self.pocket.load_full()?;
        let Sums { granted, spent, returned, balance, open } = pocket.sums();
        Some(PurseState {
            period: pocket.period,
            ends_in: Duration::from_millis(pocket.ends().saturating_sub(self.since(now))),
            granted,
            spent,
            returned,
            balance,
            open,
            limit: self.told.limit.load(Relaxed),
            used: self.told.used.load(Relaxed),
            leased: self.told.leased.load(Relaxed),
        })
    }

    fn try_reserve(self: &Arc<Self>, amount: u64, now: u64) -> Result<Reservation, Short> {
        let pocket = self.pocket.load();
        let Some(pocket) = pocket.as_ref() else { return Err(Short::Unknown) };
        if pocket.reserve(amount, now) {
            return Ok(Reservation::new(Arc::clone(self), Arc::clone(pocket), amount));
        }
        Err(self.why_short(pocket, amount, now))
    }

    /// Tells why a pocket has no `amount`.
    fn why_short(&self, pocket: &Pocket, amount: u64, now: u64) -> Short {
        let left = pocket.ends().saturating_sub(now);
        let limit = self.told.limit.load(Relaxed);
        let spent_by_all = self.told.used.load(Relaxed).max(pocket.sums().spent);
        match left {
            0 => Short::Unknown,
            _ if spent_by_all >= limit => Short::UsedUp(Duration::from_millis(left)),
            _ if amount > limit - spent_by_all => Short::TooLittle(limit - spent_by_all),
            _ => Short::Lacking,
        }
    }

    /// Says what there is of the period that runs, and what more would be of use.
    fn claim(&self, now: u64) -> BudgetClaim {
        let waited = self.waiting.sum();
        let lately = self.demand.sum(now / 1_000, LATELY);
        let pocket = self.pocket.load_full();
        let Some(pocket) = pocket else {
            let (want, least) = (lately.max(waited.all), waited.least);
            let (id, holder) = (self.id.clone(), self.holder);
            return BudgetClaim {
                id,
                holder,
                period: None,
                granted: 0,
                spent: 0,
                returned: 0,
                want,
                least,
                closing: false,
            };
        };
        if now < pocket.ends() {
            self.book_adrift(&pocket);
        }
        let recalled = self.recalled.swap(false, Relaxed);
        let balance = pocket.sums().balance;
        let enough = waited.least > 0 && balance >= waited.least.cast_signed();
        if recalled || lately == 0 && waited.least == 0 {
            // What waits here and is enough for it stays; less than that is of use to nobody here.
            pocket.give_back(match () {
                () if enough => waited.all,
                () if recalled || waited.least > 0 => 0,
                () => self.typical.load(Relaxed),
            });
        }
        pocket.lower();
        let balance = i128::from(pocket.sums().balance);
        let beyond = |amount: u64| u64::try_from(i128::from(amount) - balance).unwrap_or(0);
        // What is over holds nothing of the period to come.
        let beyond = |amount: u64| if now < pocket.ends() { beyond(amount) } else { amount };
        let least = if waited.least == 0 { 0 } else { beyond(waited.least) };
        let want = if recalled { least } else { beyond(lately.max(waited.all)) };
        BudgetClaim { want, least, ..pocket.claim(&self.id, self.holder, false) }
    }

    /// Begins a period, or goes on with one that was left. What was held of the one before is settled and closed.
    fn turn_over(&self, known: Option<Arc<Pocket>>, period: WallTime) -> Arc<Pocket> {
        let left = self.over.lock().extract_if(.., |pocket| pocket.period == period).next();
        let pocket = left.inspect(|pocket| pocket.revive()).unwrap_or_else(|| {
            let closed = |(of, _): &mut (WallTime, Sums)| *of == period;
            let sums = self.closed.lock().extract_if(.., closed).next().map(|(_, sums)| sums);
            Arc::new(Pocket::new(period, sums.unwrap_or_default(), self.journal.slot(&self.id, period)))
        });
        self.pocket.store(Some(Arc::clone(&pocket)));
        if let Some(known) = known {
            known.end();
            self.over.lock().push(known);
            self.told.used.store(0, Relaxed);
            self.due.store(true, Relaxed);
        }
        pocket
    }

    fn note(&self, amount: u64, now: u64) {
        self.demand.note(now / 1_000, amount);
        // Written only when it changes: requests do not take the line from each other for it.
        if amount > 0 && self.typical.load(Relaxed) != amount {
            self.typical.store(amount, Relaxed);
        }
    }

    /// A period that is over can be closed.
    fn last_settled(&self) {
        self.due.store(true, Relaxed);
    }

    fn since(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.origin))
    }
}

/// A request that waits for a budget.
#[derive(Debug)]
pub struct Waits {
    purse: Arc<Purse>,
    amount: u64,
}

impl Waits {
    /// Tries again. What waits was counted as demand when it was first tried.
    pub fn reserve(&self, now: Instant) -> Result<Reservation, Short> {
        self.purse.try_reserve(self.amount, self.purse.since(now))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.purse.waiting.end(self.amount);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
