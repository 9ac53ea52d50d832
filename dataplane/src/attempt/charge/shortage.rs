//! Why an attempt could not have what it needs of a limit, and what the client is told of it.

use crate::{
    live::{Budget, HeldRate},
    purse::{Full, Short},
    refusal::{Amount, Refusal},
};
use cliproxy_domain::{BudgetId, Exclusion, Priority, Target, WallTime};
use cliproxy_engine::quota::period;
use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};

/// The wait that is named where nobody can tell when a rate has room.
const SOON: Duration = Duration::from_secs(1);
/// Budgets at most whose first refusal is remembered.
const MOST_TOLD: usize = 4_096;

/// A limit that stands in the way of an attempt.
#[derive(Clone, Debug)]
pub(in crate::attempt) struct Shortage {
    /// The word for the target that is left out.
    pub(in crate::attempt) reason: Exclusion,
    /// When it may be there again, as far as that is known.
    pub(in crate::attempt) until: Option<WallTime>,
    /// What the client is told where nothing else can be tried.
    pub(in crate::attempt) refusal: Refusal,
    /// It is the caller's own: no other target is of use.
    pub(in crate::attempt) is_callers: bool,
    /// More of it may come in a while.
    pub(in crate::attempt) may_come: bool,
}

impl Shortage {
    /// Of a budget that has no `needs`.
    pub(super) fn of_budget(budget: &Budget, short: Short, needs: u64, is_away: bool, now: WallTime) -> Self {
        let id = budget.purse.id();
        // The purse ends its period a little earlier, to be on the safe side.
        let ends_at = period(&budget.quota, now).ends_at;
        let may_come = matches!(short, Short::Unknown | Short::Lacking) && !is_away;
        let (until, refusal) = match short {
            Short::UsedUp(_) => (Some(ends_at), Refusal::spent(id, &budget.quota, Some(ends_at), now)),
            Short::TooLittle(left) => {
                let until = (needs <= budget.quota.limit).then_some(ends_at);
                (until, Refusal::too_little_left(id, &budget.quota, [needs, left], ends_at, now))
            }
            Short::Unknown | Short::Lacking => {
                let refusal = Refusal::not_in_hand(id, &budget.quota, is_away);
                (refusal.retry_after.map(|wait| now.plus(wait)), refusal)
            }
        };
        Self { reason: Exclusion::QuotaExhausted, until, refusal, is_callers: false, may_come }
    }

    /// Of a budget in money, at a target that nobody knows the price of: no wait changes that. Others may be priced, so it
    /// is never the caller's fault alone.
    pub(super) fn of_no_price(budget: &Budget, target: &Target) -> Self {
        let refusal = Refusal::no_price(budget.purse.id(), &budget.quota, target);
        Self { reason: Exclusion::NoPrice, until: None, refusal, is_callers: false, may_come: false }
    }

    /// Of a rate that no control plane answers for.
    pub(super) fn of_lost_rate(held: &HeldRate, now: WallTime) -> Self {
        let refusal = Refusal::share_not_in_hand(held.rate.id(), held.limit);
        let until = refusal.retry_after.map(|wait| now.plus(wait));
        Self { reason: Exclusion::RateLimited, until, refusal, is_callers: false, may_come: false }
    }

    /// Of a rate, or of the part of it that a priority may use.
    pub(super) fn of_rate(held: &HeldRate, full: Full, priority: Priority, now: WallTime) -> Self {
        let wait = match full {
            Full::Share(wait) => wait.unwrap_or(SOON),
            Full::Unknown => SOON,
            Full::Never => {
                let refusal = Refusal::too_large(held.rate.id(), held.limit, priority);
                let reason = Exclusion::RateLimited;
                return Self { reason, until: None, refusal, is_callers: false, may_come: false };
            }
        };
        let refusal = Refusal::too_fast(held.rate.id(), held.limit, priority, wait);
        let (reason, until) = (Exclusion::RateLimited, Some(now.plus(wait)));
        Self { reason, until, refusal, is_callers: false, may_come: full == Full::Unknown }
    }
}

/// Remembers which budgets were told to be used up, so that the log has one line for each period.
#[derive(Default)]
pub struct ToldBudgets(Mutex<BTreeMap<BudgetId, WallTime>>);

impl ToldBudgets {
    /// Logs the first refusal of a budget in a period; by when that began the next refusals are known.
    pub(super) fn refused(&self, budget: &Budget, short: Short, now: WallTime) {
        let Short::UsedUp(_) = short else { return };
        let (id, ends) = (budget.purse.id(), period(&budget.quota, now).ends_at);
        let mut told = self.0.lock();
        if told.get(id).is_some_and(|until| *until > now) {
            return;
        }
        told.retain(|_, until| *until > now);
        if told.len() < MOST_TOLD {
            told.insert(id.clone(), ends);
        }
        drop(told);
        tracing::warn!(quota = %id, limit = %Amount(budget.quota.limit, id.unit), until = %ends,
            "a quota is used up: requests that need it are refused or go elsewhere");
    }
}
