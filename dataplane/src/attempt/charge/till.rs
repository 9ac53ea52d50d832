//! Takes of limits what the attempts of one request need: of all that apply, or of none.

use super::{
    Charge, Reserved, Shortage,
    amount::{Amount, estimate},
};
use crate::{
    attempt::{Attempter, prepared::Prepared},
    decode::Call,
    live::{Budget, Held, HeldRate, LAST_WAIT, MOST_WAIT, Reserved as Outcome},
    purse::{Full, Short, Taken, Waits, WaitsForRate},
};
use cliproxy_dialects::weigh;
use cliproxy_domain::{LossMode, ModelTraits, Operation, Priority, Quota, SpentPolicy, TokenUsage};
use std::{sync::Arc, time::Duration};

/// Takes of limits for one request.
#[derive(Default)]
pub(in crate::attempt) struct Till {
    /// How long the request has waited, over all its attempts.
    waited: Duration,
}

/// How long a request may wait for what an attempt needs, by what it could do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::attempt) enum Patience {
    /// Not at all: another attempt of it is under way.
    None,
    /// [A moment](MOST_WAIT): something else can be tried.
    Brief,
    /// [Longer](LAST_WAIT): otherwise it is refused.
    Last,
}

/// All that one attempt needs.
struct Need<'n> {
    budgets: Vec<NeededBudget<'n>>,
    rates: Vec<NeededRate<'n>>,
    estimate: TokenUsage,
    detached: bool,
    priority: Priority,
    is_away: bool,
}

struct NeededBudget<'n> {
    budget: &'n Budget,
    amount: Amount,
    most: u64,
    is_callers: bool,
}

struct NeededRate<'n> {
    held: &'n HeldRate,
    amount: u64,
}

/// What stands in the way, by its place among what is needed.
#[derive(Clone, Copy)]
enum Obstacle {
    Budget(usize, Short),
    Rate(usize, Full),
}

/// Whether what is needed was counted as demand already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Try {
    First,
    Again,
}

/// A note at a purse or a rate that something waits.
enum Wish {
    Budget(#[expect(dead_code, reason = "counts for as long as it is there")] Waits),
    Rate(#[expect(dead_code, reason = "counts for as long as it is there")] WaitsForRate),
}

impl Till {
    /// Takes what an attempt at `prepared` needs; where too little is there and more may come, it waits for it with
    /// `patience`, of which there is so much for the whole request.
    pub(in crate::attempt) async fn charge(
        &mut self,
        attempter: &Attempter,
        call: &Call,
        prepared: &Prepared,
        patience: Patience,
    ) -> Result<Charge, Shortage> {
        let limits = attempter.live.limits();
        let (provider, credential) = (&prepared.choice.target.provider, &prepared.choice.credential);
        let callers = call.caller.name().and_then(|client| limits.of_client(client));
        let own = [limits.of_provider(provider), limits.of_credential(provider, credential)]
            .map(|held| held.map(|held| &**held));
        if callers.is_none_or(|held| held.budgets.is_empty()) && own.iter().all(Option::is_none) {
            return Ok(Charge::default());
        }
        let mut need = self.need(attempter, call, prepared, callers.map(|held| &**held), own);
        if let Some(shortage) = need.lacks_price(call, prepared) {
            return Err(shortage);
        }
        let metrics = &attempter.limits;
        let longest = match need.take(attempter, Try::First) {
            Ok(charge) => {
                metrics.reserved(Outcome::Granted);
                return Ok(charge);
            }
            Err(obstacle) => {
                let longest = need.longest(obstacle, patience).saturating_sub(self.waited);
                if longest.is_zero() || !need.may_come(obstacle, attempter) {
                    return Err(need.shortage(obstacle, attempter));
                }
                longest
            }
        };
        let began = attempter.clock.now();
        let mut wishes = Vec::new();
        let again =
            || need.take(attempter, Try::Again).inspect_err(|obstacle| need.wish(*obstacle, &mut wishes));
        let may_pass = |obstacle: &Obstacle| need.may_come(*obstacle, attempter);
        let got = attempter.live.lease_news().retry_while(longest, again, may_pass).await;
        drop(wishes);
        let waited = attempter.clock.now().saturating_duration_since(began);
        self.waited = self.waited.saturating_add(waited);
        metrics.waited(waited);
        need.is_away = attempter.is_lease_away();
        match got {
            Ok(charge) => {
                metrics.reserved(Outcome::Waited);
                Ok(charge)
            }
            Err(obstacle) => Err(need.shortage(obstacle, attempter)),
        }
    }

    fn need<'n>(
        &mut self,
        attempter: &Attempter,
        call: &Call,
        prepared: &Prepared,
        callers: Option<&'n Held>,
        own: [Option<&'n Held>; 2],
    ) -> Need<'n> {
        let weight = match prepared.written() {
            // What the provider reads is another body than the client's.
            Some((dialect, body)) => weigh(dialect, body),
            None => call.weight(),
        };
        let provider = &prepared.upstream.provider;
        let model = prepared.choice.target.model.as_str();
        let longest = ModelTraits::of(model, &provider.traits).max_output;
        let price = provider.price_of(model).map(|entry| entry.price);
        let of = |policy, output| estimate(call.operation, &weight, policy, output, longest);
        let needed = |budget: &'n Budget, is_callers| {
            let amount = Amount::new(&budget.quota, price);
            let most = amount.most(&of(budget.quota.policy, budget.quota.reserve_output));
            NeededBudget { budget, amount, most, is_callers }
        };
        // The caller's own first: without it nothing else is of use.
        let of_caller = callers.into_iter().flat_map(|held| &held.budgets).map(|budget| needed(budget, true));
        let of_target =
            own.into_iter().flatten().flat_map(|held| &held.budgets).map(|budget| needed(budget, false));
        let budgets: Vec<_> = of_caller.chain(of_target).collect();
        let outputs =
            budgets.iter().map(|needed| (needed.budget.quota.policy, needed.budget.quota.reserve_output));
        let all = outputs.map(|(policy, output)| of(policy, output));
        let estimate = all
            .max_by_key(TokenUsage::total)
            .unwrap_or_else(|| of(SpentPolicy::default(), Quota::RESERVE_OUTPUT));
        let rates = own
            .into_iter()
            .flatten()
            .flat_map(|held| &held.rates)
            .map(|held| NeededRate { held, amount: held.amount(estimate.input, estimate.output) });
        let rates = rates.collect();
        let priority = call.caller.priority();
        let (detached, is_away) = (weight.detached, attempter.is_lease_away());
        Need { budgets, rates, estimate, detached, priority, is_away }
    }
}

impl Need<'_> {
    /// Takes all of it, or nothing: what was taken before something was short goes back.
    fn take(&self, attempter: &Attempter, which: Try) -> Result<Charge, Obstacle> {
        let now = attempter.clock.passed();
        let mut budgets = Vec::with_capacity(self.budgets.len());
        for (place, needed) in self.budgets.iter().enumerate() {
            let purse = &needed.budget.purse;
            let tried = match which {
                Try::First => purse.reserve(needed.most, now),
                Try::Again => purse.reserve_again(needed.most, now),
            };
            let reservation = match tried {
                Ok(reservation) => reservation,
                Err(_) if !self.holds(needed) => {
                    attempter.limits.reserved(Outcome::Unlimited);
                    // Booked all the same, once somebody does.
                    purse.count(now)
                }
                Err(short) => return Err(Obstacle::Budget(place, short)),
            };
            let policy = if self.holds(needed) { needed.budget.quota.policy } else { SpentPolicy::Finish };
            budgets.push(Reserved::new(reservation, needed.amount, policy));
        }
        let percent = self.priority.share_percent();
        let mut rates: Vec<Taken> = Vec::with_capacity(self.rates.len());
        for (place, needed) in self.rates.iter().enumerate() {
            let rate = &needed.held.rate;
            let tried = match which {
                Try::First => rate.take(needed.amount, percent, now),
                Try::Again => rate.take_again(needed.amount, percent, now),
            };
            match tried {
                Ok(taken) => rates.push(taken),
                Err(full) => {
                    rates.into_iter().for_each(|taken| taken.undo(now));
                    return Err(Obstacle::Rate(place, full));
                }
            }
        }
        let (metrics, live) = (Some(Arc::clone(&attempter.limits)), Some(Arc::clone(&attempter.live)));
        let (estimate, detached, since) = (self.estimate, self.detached, Some(now));
        Ok(Charge {
            budgets,
            rates,
            estimate,
            detached,
            sent: Default::default(),
            metrics,
            live,
            gave_up: false,
            since,
        })
    }

    /// Refuses what cannot be counted: of a budget in money a call without a price would take without end. Counting tokens
    /// costs nothing anywhere.
    fn lacks_price(&self, call: &Call, prepared: &Prepared) -> Option<Shortage> {
        if call.operation == Operation::CountTokens {
            return None;
        }
        let is_lacking = |needed: &&NeededBudget<'_>| needed.amount.lacks_price() && self.holds(needed);
        let needed = self.budgets.iter().find(is_lacking)?;
        let target = &prepared.choice.target;
        tracing::debug!(request_id = %call.id, provider = %target.provider, model = %target.model,
            quota = %needed.budget.purse.id(), "a target is left out: its price is not known");
        Some(Shortage::of_no_price(needed.budget, target))
    }

    /// Tells whether a budget holds now: some do not while no control plane answers.
    fn holds(&self, needed: &NeededBudget<'_>) -> bool {
        !(self.is_away && needed.budget.quota.on_loss == LossMode::Optimistic)
    }

    /// Tells how long what is lacking is waited for.
    fn longest(&self, obstacle: Obstacle, patience: Patience) -> Duration {
        let is_callers = |place: usize| self.budgets.get(place).is_some_and(|needed| needed.is_callers);
        match (patience, obstacle) {
            (Patience::None, _) => Duration::ZERO,
            // Without the caller's own, no other target is of use.
            (Patience::Brief, Obstacle::Budget(place, _)) if is_callers(place) => LAST_WAIT,
            // Whoever is too fast is told so, rather than made to wait in a queue.
            (Patience::Brief, _) | (Patience::Last, Obstacle::Rate(_, Full::Share(_) | Full::Never)) => {
                MOST_WAIT
            }
            (Patience::Last, Obstacle::Budget(..) | Obstacle::Rate(_, Full::Unknown)) => LAST_WAIT,
        }
    }

    /// Tells whether a grant may bring what is lacking.
    fn may_come(&self, obstacle: Obstacle, attempter: &Attempter) -> bool {
        if self.is_away {
            return false;
        }
        match obstacle {
            Obstacle::Budget(_, Short::UsedUp(_) | Short::TooLittle(_)) | Obstacle::Rate(_, Full::Never) => {
                false
            }
            Obstacle::Budget(_, Short::Unknown | Short::Lacking) | Obstacle::Rate(_, Full::Unknown) => true,
            Obstacle::Rate(place, Full::Share(_)) => self.rates.get(place).is_some_and(|needed| {
                needed.held.rate.state(attempter.clock.passed()).share < needed.held.limit
            }),
        }
    }

    /// Says at the purse or the rate that something waits, once.
    fn wish(&self, obstacle: Obstacle, wishes: &mut Vec<(bool, usize, Wish)>) {
        let (is_budget, place) = match obstacle {
            Obstacle::Budget(place, _) => (true, place),
            Obstacle::Rate(place, _) => (false, place),
        };
        if wishes.iter().any(|(of_budget, at, _)| (*of_budget, *at) == (is_budget, place)) {
            return;
        }
        let wish = if is_budget {
            self.budgets.get(place).map(|needed| Wish::Budget(needed.budget.purse.wait(needed.most)))
        } else {
            self.rates.get(place).map(|needed| Wish::Rate(needed.held.rate.wait(needed.amount)))
        };
        wishes.extend(wish.map(|wish| (is_budget, place, wish)));
    }

    fn shortage(&self, obstacle: Obstacle, attempter: &Attempter) -> Shortage {
        let now = attempter.clock.wall();
        match obstacle {
            Obstacle::Budget(place, short) => {
                let result = match short {
                    Short::UsedUp(_) | Short::TooLittle(_) => Outcome::Exhausted,
                    Short::Unknown | Short::Lacking => Outcome::Unavailable,
                };
                attempter.limits.reserved(result);
                let needed = &self.budgets[place];
                attempter.told.refused(needed.budget, short, now);
                let shortage = Shortage::of_budget(needed.budget, short, needed.most, self.is_away, now);
                Shortage { is_callers: needed.is_callers, ..shortage }
            }
            Obstacle::Rate(place, full) => {
                let held = self.rates[place].held;
                if self.is_away && held.rate.lacks_word(full, attempter.clock.passed()) {
                    attempter.limits.reserved(Outcome::Unavailable);
                    return Shortage::of_lost_rate(held, now);
                }
                attempter.limits.reserved(Outcome::RateLimited);
                Shortage::of_rate(held, full, self.priority, now)
            }
        }
    }
}
