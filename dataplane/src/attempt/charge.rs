//! What an attempt may take of limits: reserved before it is sent, counted while it is answered, settled at its end.
//!
//! A budget is debited for the most that the attempt can take, and has back what it did not. An attempt that is dropped
//! settles for what was counted of it: a client that hangs up costs what it heard.

mod amount;
mod shortage;
mod till;

pub(super) use shortage::Shortage;
pub use shortage::ToldBudgets;
pub(super) use till::{Patience, Till};

use crate::{
    live::{LimitMetrics, Live},
    purse::{Reservation, Taken, Waits},
};
use amount::Amount;
use cliproxy_dialects::told_limits;
use cliproxy_domain::{
    AttemptError, BudgetId, Failure, Priority, ProviderName, QuotaUnit, RateKind, SpentPolicy, TokenUsage,
    WallTime,
};
use http::HeaderMap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// An answer that waits for more is content with this part of what it would ask for in good time.
const STEPS: u64 = 8;

/// What an attempt has reserved and taken.
#[derive(Default)]
pub(super) struct Charge {
    budgets: Vec<Reserved>,
    rates: Vec<Taken>,
    /// The most that it was believed to take, in tokens.
    estimate: TokenUsage,
    /// The provider may go on when nobody listens any more.
    detached: bool,
    /// The request is on its way.
    sent: AtomicBool,
    metrics: Option<Arc<LimitMetrics>>,
    /// Where it is heard of what is granted.
    live: Option<Arc<Live>>,
    /// It waited for more in vain.
    gave_up: bool,
    /// When it was made; none of one that is empty.
    since: Option<Instant>,
}

/// A part of one budget.
struct Reserved {
    reservation: Reservation,
    amount: Amount,
    policy: SpentPolicy,
    /// More was asked for, and has not come.
    asked: bool,
    /// The answer halts until it comes.
    waits: Option<Waits>,
}

impl Reserved {
    fn new(reservation: Reservation, amount: Amount, policy: SpentPolicy) -> Self {
        Self { reservation, amount, policy, asked: false, waits: None }
    }

    /// Takes more where the answer comes near to what is reserved: before it is used up, so that more can come in time.
    /// False where it came near and there is no more at hand.
    fn grow(&mut self, taken: u64, now: Instant) -> bool {
        let reserved = self.reservation.reserved();
        let chunk = self.amount.chunk(reserved);
        if taken.saturating_add(chunk / 2) <= reserved {
            return true;
        }
        let more = taken.saturating_add(chunk).saturating_sub(reserved);
        let got = if self.asked {
            let step = self.step(taken);
            self.reservation.top_up_again(more, now) || self.reservation.top_up_again(step, now)
        } else {
            self.reservation.top_up(more, now)
        };
        self.asked &= !got;
        got
    }

    /// Has more claimed: once when it comes near to its end, and for as long as it waits.
    fn ask(&mut self, live: &Live, metered: Metered, taken: u64) {
        let purse = self.reservation.purse();
        if metered == Metered::Short && self.waits.is_none() {
            self.waits = Some(purse.wait(self.step(taken)));
        } else if self.asked {
            return;
        }
        self.asked = true;
        purse.ask();
        live.lease_news().want();
    }

    /// Gives the least that the answer can go on with.
    fn step(&self, taken: u64) -> u64 {
        let reserved = self.reservation.reserved();
        taken.saturating_sub(reserved).saturating_add(self.amount.chunk(reserved) / STEPS)
    }

    fn may_grow(&self, taken: u64, now: Instant) -> bool {
        self.reservation.may_grow(self.step(taken), now)
    }
}

/// Whether an answer may go on. What is worse is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metered {
    /// It may.
    On,
    /// It has used what there was for it, and more may come.
    Short,
    /// It has used what there was for it, and has to end.
    Spent,
}

/// What became of an attempt, as far as its costs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The provider never heard of it: it costs nothing.
    Nobody,
    /// The provider refused it, or failed: it costs a call, and the tokens that were told.
    Refused,
    /// It was given up before the provider told what it costs: the prompt was read, at least.
    GivenUp,
    /// It was answered, in part or whole.
    Answered,
}

/// What an attempt came to, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) reserved: u64,
    pub(super) spent: u64,
}

impl Reached {
    /// Tells it of an attempt that failed.
    pub(super) fn of(error: &AttemptError, usage: &TokenUsage) -> Self {
        match error.failure {
            _ if usage.total() > 0 => Self::Answered,
            // It was sent, and what became of it is not known.
            Failure::Timeout(_)
            | Failure::ConnectFailed
            | Failure::StreamBroken
            | Failure::MalformedReply => Self::GivenUp,
            _ => Self::Refused,
        }
    }
}

impl Charge {
    /// Tells whether there is anything to settle.
    fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.rates.is_empty()
    }

    /// Notes that the request is on its way: from here on it costs a call.
    pub(super) fn sent(&self) {
        self.sent.store(true, Relaxed);
    }

    /// Takes what a provider says of the credential's rates, with whatever it answers.
    pub(super) fn told(&self, headers: &HeaderMap, wall: WallTime, now: Instant) {
        if self.rates.is_empty() {
            return;
        }
        let told = told_limits(headers, wall);
        for rate in self.rates.iter().map(Taken::rate) {
            let said = match rate.id().kind {
                RateKind::RequestsPerMinute => told.requests,
                RateKind::TokensPerMinute => told.tokens,
                RateKind::ConcurrentRequests => None,
            };
            if let Some(said) = said {
                rate.told(said, now);
            }
        }
    }

    /// Takes note that the provider refused for the credential's rate. It does not say which, so that all are slowed down.
    pub(super) fn throttled(&self, now: Instant) {
        self.rates.iter().for_each(|taken| taken.rate().throttled(now));
    }

    /// Tells whether anything of it is counted while the answer comes.
    pub(super) fn is_metered(&self) -> bool {
        self.budgets.iter().any(|part| part.amount.grows())
    }

    /// Tells whether the answer may have to be ended from our side.
    pub(super) fn may_end_early(&self) -> bool {
        self.budgets.iter().any(|part| part.amount.grows() && part.policy == SpentPolicy::Stop)
    }

    /// Counts what the answer has taken so far. Where that comes near to what is reserved, more is asked for: before it is
    /// used up, so that more can come in time.
    pub(super) fn meter(&mut self, usage: &TokenUsage, now: Instant) -> Metered {
        let mut metered = Metered::On;
        for part in self.budgets.iter_mut().filter(|part| part.amount.grows()) {
            let (taken, before) = (part.amount.of(usage), part.reservation.reserved());
            if !part.grow(taken, now) {
                if taken >= before && part.policy == SpentPolicy::Stop {
                    let may_come = !self.gave_up && part.may_grow(taken, now);
                    metered = metered.max(if may_come { Metered::Short } else { Metered::Spent });
                }
                overdrawn(self.metrics.as_deref(), part.amount.unit(), taken.saturating_sub(before));
                self.live.iter().for_each(|live| part.ask(live, metered, taken));
            }
            part.reservation.meter(taken);
        }
        metered
    }

    /// Takes one more call for a further part of the same answer, of all that counts calls, or nothing where one of them
    /// has none left.
    pub(super) fn call_again(&self, now: Instant) -> bool {
        let mut calls = Vec::new();
        for part in self.budgets.iter().filter(|part| part.amount.is_of_calls()) {
            let purse = part.reservation.purse();
            match purse.reserve(1, now) {
                Ok(call) => calls.push(call),
                // It does not hold now, and is counted all the same.
                Err(_) if part.policy == SpentPolicy::Finish => calls.push(purse.count(now)),
                Err(_) => return false,
            }
        }
        let mut minutes: Vec<Taken> = Vec::new();
        for rate in self.rates.iter().map(Taken::rate) {
            if rate.id().kind != RateKind::RequestsPerMinute {
                continue;
            }
            match rate.take(1, Priority::High.share_percent(), now) {
                Ok(taken) => minutes.push(taken),
                Err(_) => {
                    minutes.into_iter().for_each(|taken| taken.undo(now));
                    return false;
                }
            }
        }
        calls.into_iter().for_each(|call| call.settle(1));
        true
    }

    /// Gives where it is heard of what is granted; nothing where no limits apply.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.clone()
    }

    /// Counts how long an answer waited for more, which `came` or will not be waited for again.
    pub(super) fn waited(&mut self, wait: Duration, came: bool) {
        self.metrics.iter().for_each(|metrics| metrics.waited(wait));
        self.gave_up |= !came;
        self.budgets.iter_mut().for_each(|part| part.waits = None);
    }

    /// Counts an answer that was ended from our side, and names the budget that had no more for it; none where a rate had
    /// not.
    pub(super) fn ended_early(&self) -> Option<&BudgetId> {
        if let Some(metrics) = &self.metrics {
            metrics.ended_early();
        }
        let is_used = |part: &&Reserved| part.reservation.metered() >= part.reservation.reserved();
        let mut stopping = self.budgets.iter().filter(|part| part.policy != SpentPolicy::Finish);
        let of_tokens = stopping.clone().filter(|part| part.amount.grows()).find(is_used);
        let part = of_tokens.or_else(|| stopping.find(|part| part.amount.is_of_calls()))?;
        Some(part.reservation.purse().id())
    }

    /// Gives what the attempt took, as far as it is known: one that was given up before anything was told took its prompt,
    /// as it was estimated.
    pub(super) fn taken(&self, usage: TokenUsage, reached: Reached) -> TokenUsage {
        let prompt = self.estimate.input;
        match reached {
            Reached::Nobody => TokenUsage::default(),
            Reached::GivenUp if usage.total() == 0 => {
                TokenUsage { input: prompt, estimated: prompt, ..TokenUsage::default() }
            }
            Reached::GivenUp | Reached::Refused | Reached::Answered => usage,
        }
    }

    /// Settles for what the attempt took in the end; afterwards there is nothing left to settle.
    pub(super) fn settle(
        &mut self,
        provider: &ProviderName,
        usage: &TokenUsage,
        reached: Reached,
        now: Instant,
    ) -> Option<Settled> {
        if self.is_empty() {
            return None;
        }
        let reached = if self.sent.load(Relaxed) { reached } else { Reached::Nobody };
        let usage = match reached {
            // What it comes to in the end nobody hears: it may be all that was reserved.
            Reached::GivenUp | Reached::Answered if self.detached && usage.estimated > 0 => self.estimate,
            _ => self.taken(*usage, reached),
        };
        for part in std::mem::take(&mut self.budgets) {
            let calls = u64::from(reached != Reached::Nobody);
            let taken = if part.amount.is_of_calls() { calls } else { part.amount.of(&usage) };
            let beyond = taken.saturating_sub(part.reservation.reserved());
            overdrawn(self.metrics.as_deref(), part.amount.unit(), beyond);
            part.reservation.settle(taken);
        }
        for mut taken in std::mem::take(&mut self.rates) {
            match (taken.rate().id().kind, reached) {
                (_, Reached::Nobody) => taken.undo(now),
                (RateKind::TokensPerMinute, _) => taken.settle(usage.total(), now),
                (RateKind::RequestsPerMinute | RateKind::ConcurrentRequests, _) => drop(taken),
            }
        }
        if let Some(metrics) = self.metrics.as_ref().filter(|_| reached == Reached::Answered) {
            metrics.estimated(provider, self.estimate.total(), usage.total());
        }
        Some(Settled { reserved: self.estimate.total(), spent: usage.total() })
    }
}

fn overdrawn(metrics: Option<&LimitMetrics>, unit: QuotaUnit, amount: u64) {
    if let Some(metrics) = metrics {
        metrics.overdrawn(unit, amount);
    }
}

/// What was never sent costs nothing.
impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(since) = self.since.filter(|_| !self.sent.load(Relaxed)) {
            self.rates.drain(..).for_each(|taken| taken.undo(since));
        }
    }
}
