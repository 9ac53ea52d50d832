//! What the node may use of a rate: a share of it, as the capacity of a sliding minute or of what is open.

mod capacity;
mod minute;
#[cfg(test)]
mod tests;

use super::{millis, seconds::Seconds, waiting::Waiting};
use capacity::Capacity;
use cliproxy_domain::{LossMode, RateClaim, RateGrant, RateId, RateKind, UpstreamLimit};
use minute::Minute;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

/// Demand is what came in so many seconds, as if it went on for the whole minute.
const LATELY: u64 = 5;

/// What the node has of one rate.
#[derive(Debug)]
pub struct Rate {
    id: RateId,
    origin: Instant,
    capacity: Capacity,
    minute: Minute,
    /// Requests that are open, where those are counted.
    open: AtomicU64,
    /// What came lately; of open requests: that were refused.
    tried: Seconds<8>,
    waiting: Waiting,
    /// The claim that is being answered: its number, and when it was sent.
    asked: Mutex<Option<(u64, u64)>>,
    /// What the provider said last, and when.
    upstream: Mutex<Option<(UpstreamLimit, u64)>>,
    due: AtomicBool,
}

/// Why nothing could be taken of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node's share is used; so long until enough of it is free again, where that can be told.
    Share(Option<Duration>),
    /// It is more than may be used of the whole limit: it can never be taken.
    Never,
    /// Nothing is known of the share, or it has ended: no control plane has been heard.
    Unknown,
}

/// What the node holds of a rate, for operators and for the headers of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateState {
    /// The limit of all nodes.
    pub limit: u64,
    /// What this node may use of it now.
    pub share: u64,
    /// What it has used within the last minute, or what is open.
    pub used: u64,
    /// How much longer the share holds; none when it does not end.
    pub ends_in: Option<Duration>,
    /// How long until all of it is free again; zero when it is.
    pub free_in: Duration,
}

impl Rate {
    /// Makes one that nothing is known of yet. Where `on_loss` is safe a node that hears nobody uses `first_share` until it
    /// was granted a share once, with which it hears what is safe.
    pub fn new(id: RateId, limit: u64, on_loss: LossMode, first_share: u64, now: Instant) -> Arc<Self> {
        Self::with(id, Capacity::new(limit, on_loss, first_share), now)
    }

    /// Makes one for a node that has no control plane: `share` of `limit` is its own for good.
    pub fn alone(id: RateId, limit: u64, share: u64, now: Instant) -> Arc<Self> {
        Self::with(id, Capacity::alone(limit, share), now)
    }

    fn with(id: RateId, capacity: Capacity, origin: Instant) -> Arc<Self> {
        Arc::new(Self {
            id,
            origin,
            capacity,
            minute: Minute::default(),
            open: AtomicU64::new(0),
            tried: Seconds::default(),
            waiting: Waiting::default(),
            asked: Mutex::default(),
            upstream: Mutex::default(),
            due: AtomicBool::new(true),
        })
    }

    /// Takes another configuration of it, as [`new`](Self::new) does; what is used and granted stays. What changed is told
    /// at once, so that the next grant is by it.
    pub fn configure(&self, limit: u64, on_loss: LossMode, first_share: u64) {
        if self.capacity.configure(limit, on_loss, first_share) {
            self.due.store(true, Relaxed);
        }
    }

    /// Names the rate.
    pub fn id(&self) -> &RateId {
        &self.id
    }

    /// Takes `amount` if what may be used of the share has room for it: so many percent, by the caller's priority.
    pub fn take(self: &Arc<Self>, amount: u64, percent: u64, now: Instant) -> Result<Taken, Full> {
        let at = self.since(now);
        if self.id.kind != RateKind::ConcurrentRequests {
            self.tried.note(at / 1_000, amount);
        }
        let taken = self.try_take(amount, percent, at);
        if taken.is_err() && self.id.kind == RateKind::ConcurrentRequests {
            self.tried.note(at / 1_000, amount);
        }
        taken
    }

    /// Tries again for a request that waits: it was counted as demand when it was first tried.
    pub fn take_again(self: &Arc<Self>, amount: u64, percent: u64, now: Instant) -> Result<Taken, Full> {
        self.try_take(amount, percent, self.since(now))
    }

    /// Notes that a request waits for `amount`, until the note is dropped: a larger share is asked for at once.
    pub fn wait(self: &Arc<Self>, amount: u64) -> WaitsForRate {
        self.waiting.begin(amount);
        self.due.store(true, Relaxed);
        WaitsForRate { rate: Arc::clone(self), amount }
    }

    /// Gives what is to be said now. An answer to an earlier claim is not believed any more.
    pub fn claim(&self, req: u64, now: Instant) -> RateClaim {
        self.due.store(false, Relaxed);
        let at = self.since(now);
        let used = self.used(at);
        *self.asked.lock() = Some((req, at));
        let upstream = self.upstream.lock().map(|(said, when)| aged(said, at.saturating_sub(when)));
        RateClaim {
            id: self.id.clone(),
            // Read after what is used: a share that shrinks between the two is told too high.
            // Who goes without a limit meanwhile goes by it again with the answer.
            held: self.capacity.kept(at).min(self.capacity.limit()).max(used),
            demand: self.demand(at, used),
            waiting: self.waiting.sum().least,
            upstream,
            closing: false,
        }
    }

    /// Gives what is to be said last, as the node stops and no request is open: only what it used is kept for it, for as
    /// long as that is of the last minute.
    pub fn last_claim(&self, req: u64, now: Instant) -> RateClaim {
        let held = self.used(self.since(now));
        RateClaim { held, demand: 0, waiting: 0, closing: true, ..self.claim(req, now) }
    }

    /// Takes the answer to claim `req`, if that was the last one.
    pub fn apply(&self, grant: &RateGrant, req: u64) {
        let asked = self.asked.lock();
        let Some((_, sent)) = asked.filter(|(last, _)| *last == req) else { return };
        if self.capacity.grant(grant, sent) {
            // It shrank: others wait to hear that this node keeps to it.
            self.due.store(true, Relaxed);
        }
    }

    /// Gives up at once what is not needed: others wait for it.
    pub fn recall(&self, now: Instant) {
        let at = self.since(now);
        if self.waiting.sum().least == 0 {
            let used = self.used(at);
            self.capacity.shrink(self.demand(at, used).max(used));
        }
        self.due.store(true, Relaxed);
    }

    /// Says whether a control plane can be asked at all: if not, a share that was never given is not waited for.
    pub fn set_cut_off(&self, cut_off: bool) {
        self.capacity.set_cut_off(cut_off);
    }

    /// Takes the provider's word on the limit, from the headers of an answer.
    pub fn told(&self, said: UpstreamLimit, now: Instant) {
        let at = self.since(now);
        let used = self.used(at);
        self.capacity.bound(&said, used, at);
        // Whoever comes at the same time says the same.
        if let Some(mut last) = self.upstream.try_lock() {
            *last = Some((said, at));
        }
    }

    /// Takes note that the provider refused for its rate: less is sent for a while.
    pub fn throttled(&self, now: Instant) {
        self.capacity.slow_down(self.since(now));
    }

    /// Tells whether something is to be said before the next round.
    pub fn is_due(&self) -> bool {
        self.due.load(Relaxed) || self.waiting.sum().least > 0
    }

    /// Gives what the node holds.
    pub fn state(&self, now: Instant) -> RateState {
        let at = self.since(now);
        let used = self.used(at);
        let frees =
            if self.id.kind == RateKind::ConcurrentRequests { None } else { self.minute.frees(at, used) };
        RateState {
            limit: self.capacity.limit(),
            // Without a limit for a while is all of it.
            share: self.capacity.now(at).min(self.capacity.limit()),
            used,
            ends_in: self.capacity.ends_in(at),
            free_in: if used == 0 { Duration::ZERO } else { frees.unwrap_or_default() },
        }
    }

    /// Tells whether it is for want of a control plane's word, while none is heard, that nothing more may be used: it could
    /// be given more than it has kept, and does not go by a share for such times.
    pub fn lacks_word(&self, full: Full, now: Instant) -> bool {
        let at = self.since(now);
        match full {
            Full::Never => false,
            Full::Unknown => true,
            Full::Share(_) => self.capacity.is_less_for_the_loss(at),
        }
    }

    fn try_take(self: &Arc<Self>, amount: u64, percent: u64, at: u64) -> Result<Taken, Full> {
        let used = self.used(at);
        let capacity = part(self.capacity.now(at), percent);
        let taken = match self.id.kind {
            RateKind::ConcurrentRequests => {
                let more = |open: u64| open.checked_add(amount).filter(|open| *open <= capacity);
                self.open.fetch_update(SeqCst, SeqCst, more).is_ok()
            }
            RateKind::RequestsPerMinute | RateKind::TokensPerMinute => self.minute.take(at, amount, capacity),
        };
        if taken {
            return Ok(Taken { rate: Arc::clone(self), at, amount });
        }
        let over = used.saturating_add(amount).saturating_sub(capacity);
        Err(match () {
            () if amount > part(self.capacity.limit(), percent) => Full::Never,
            () if !self.capacity.is_known(at) => Full::Unknown,
            () if self.id.kind == RateKind::ConcurrentRequests => Full::Share(None),
            () if let Some(rest) = self.capacity.rests_for(at) => Full::Share(Some(rest)),
            () => Full::Share(self.minute.frees(at, over.max(1))),
        })
    }

    fn used(&self, at: u64) -> u64 {
        match self.id.kind {
            RateKind::ConcurrentRequests => self.open.load(SeqCst),
            RateKind::RequestsPerMinute | RateKind::TokensPerMinute => self.minute.used(at),
        }
    }

    fn demand(&self, at: u64, used: u64) -> u64 {
        let tried = self.tried.sum(at / 1_000, LATELY);
        match self.id.kind {
            RateKind::ConcurrentRequests => used.saturating_add(tried),
            RateKind::RequestsPerMinute | RateKind::TokensPerMinute => {
                used.max(tried.saturating_mul(60 / LATELY))
            }
        }
    }

    fn since(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.origin))
    }
}

/// What was taken of a rate for one request. A place among open requests is free again when this is dropped; what
/// was taken of a minute stays of it.
#[derive(Debug)]
#[must_use = "a place among open requests is free again when it is dropped"]
pub struct Taken {
    rate: Arc<Rate>,
    at: u64,
    amount: u64,
}

impl Taken {
    /// Gives the rate that it is of.
    pub fn rate(&self) -> &Arc<Rate> {
        &self.rate
    }

    /// Gives how much was taken.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Corrects what was taken of a minute: it was `actual`. More than was taken counts from now.
    pub fn settle(&mut self, actual: u64, now: Instant) {
        if self.rate.id.kind == RateKind::ConcurrentRequests {
            return;
        }
        if actual < self.amount {
            self.rate.minute.take_out(self.at, self.amount - actual);
        } else {
            self.rate.minute.force(self.rate.since(now), actual - self.amount);
        }
        self.amount = actual;
    }

    /// Takes it back: nothing was sent.
    pub fn undo(mut self, now: Instant) {
        self.settle(0, now);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.rate.id.kind == RateKind::ConcurrentRequests {
            self.rate.open.fetch_sub(self.amount, SeqCst);
        }
    }
}

/// A request that waits for a rate.
#[derive(Debug)]
pub struct WaitsForRate {
    rate: Arc<Rate>,
    amount: u64,
}

impl WaitsForRate {
    /// Tries again. What waits was counted as demand when it was first tried.
    pub fn take(&self, percent: u64, now: Instant) -> Result<Taken, Full> {
        self.rate.try_take(self.amount, percent, self.rate.since(now))
    }
}

impl Drop for WaitsForRate {
    fn drop(&mut self) {
        self.rate.waiting.end(self.amount);
    }
}

/// Gives so many percent of a capacity, and at least one while there is any.
fn part(capacity: u64, percent: u64) -> u64 {
    if percent >= 100 {
        capacity
    } else {
        u64::try_from((u128::from(capacity) * u128::from(percent)).div_ceil(100)).unwrap_or(capacity)
    }
}

fn aged(said: UpstreamLimit, by_ms: u64) -> UpstreamLimit {
    let by = Duration::from_millis(by_ms);
    UpstreamLimit { resets_in: said.resets_in.saturating_sub(by), age: said.age.saturating_add(by), ..said }
}
