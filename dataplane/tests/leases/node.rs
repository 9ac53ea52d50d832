//! A data-plane node: the purse and the rate as they are, with clocks, a disk and requests of the model.

use crate::{draw::Draw, truth::Truth, variant::Variant};
use cliproxy_dataplane::purse::{Journal, Left, Purse, Rate, Reservation, Short, Waits};
use cliproxy_domain::{
    BudgetClaim, BudgetId, Incarnation, LimitSubject, LossMode, NodeClaims, NodeGrants, NodeId, QuotaUnit,
    RateId, RateKind,
};
use cliproxy_host::MemoryDisk;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a request waits for a grant.
const WAIT: u64 = 300;
/// When a claim is not answered for so long, its stream is given up.
const PATIENCE: u64 = 2_000;
/// How often a node claims at least.
const ROUND: u64 = 3_000;

/// A machine: its clocks and its disk outlive the process.
pub(crate) struct Machine {
    pub(crate) name: NodeId,
    pub(crate) base: Instant,
    /// How fast its clock runs, in millionths more or less than it should.
    pub(crate) drift: i64,
    /// What its wall clock is off, in milliseconds.
    pub(crate) skew: i64,
    pub(crate) disk: MemoryDisk,
    pub(crate) incarnation: Incarnation,
    pub(crate) process: Option<Process>,
    /// Nothing runs until then.
    pub(crate) frozen_until: u64,
    /// Nothing comes through until then.
    pub(crate) cut_until: u64,
}

/// What a kill ends.
pub(crate) struct Process {
    purse: Arc<Purse>,
    rate: Arc<Rate>,
    left: Left,
    open: Vec<Open>,
    waiting: Vec<Waiting>,
    req: u64,
    /// When the claim was sent that is not answered.
    asked: Option<u64>,
    next: u64,
    sent: BTreeMap<u64, (Instant, Vec<BudgetClaim>)>,
}

struct Open {
    reservation: Reservation,
    ends: u64,
    period: u64,
}

struct Waiting {
    waits: Waits,
    amount: u64,
    until: u64,
}

/// What all requests have in common.
pub(crate) struct Load {
    /// Requests in a step, at most.
    pub(crate) requests: u64,
    pub(crate) largest: u64,
    /// An answer outgrows its reservation once in so many.
    pub(crate) outgrow: u64,
    pub(crate) limit: u64,
    pub(crate) rate_limit: u64,
    pub(crate) period: u64,
}

impl Machine {
    pub(crate) fn now(&self, at: u64) -> Instant {
        let micros = at as i64 * 1_000 + at as i64 * self.drift / 1_000;
        self.base + Duration::from_micros(micros as u64)
    }

    pub(crate) fn start(&mut self, at: u64, on_loss: LossMode, load: &Load, safe_share: u64) {
        self.incarnation = self.incarnation.next();
        let now = self.now(at);
        let opened = Journal::open(Arc::new(self.disk.clone()), self.incarnation);
        let (subject, unit) = (LimitSubject::Client("ci".into()), QuotaUnit::Tokens);
        let budget = BudgetId { subject: subject.clone(), unit };
        let rate = RateId { subject, kind: RateKind::RequestsPerMinute };
        self.process = Some(Process {
            purse: Purse::new(budget, self.incarnation, opened.journal, now),
            rate: Rate::new(rate, load.rate_limit, on_loss, safe_share, now),
            left: opened.left,
            open: Vec::new(),
            waiting: Vec::new(),
            req: 0,
            asked: None,
            next: at,
            sent: BTreeMap::new(),
        });
    }

    /// Ends the process as a kill does: what it has reserved may be spent in full.
    pub(crate) fn kill(&mut self) {
        let process = self.process.take();
        // Nothing settles after a kill.
        process
            .into_iter()
            .flat_map(|process| process.open)
            .for_each(|open| std::mem::forget(open.reservation));
    }

    /// Lives for one step. Gives what it says.
    pub(crate) fn step(
        &mut self,
        at: u64,
        load: &Load,
        draw: &Draw,
        truth: &mut Truth,
    ) -> Option<NodeClaims> {
        let now = self.now(at);
        let name = self.name.clone();
        let incarnation = self.incarnation;
        let process = self.process.as_mut()?;
        process.settle(at, load, draw, truth);
        process.serve(at, now, load, draw, truth);
        process.claim(at, now).map(|(req, budgets, rates)| NodeClaims {
            node: name,
            incarnation,
            req,
            budgets,
            rates,
        })
    }

    pub(crate) fn hears(
        &mut self,
        at: u64,
        answered_at: u64,
        req: u64,
        mut grants: NodeGrants,
        variant: Variant,
    ) {
        let now = self.now(at);
        let wall = at as i64 + self.skew;
        let Some(process) = self.process.as_mut() else { return };
        // What comes unasked has no age.
        let unasked = (req == 0).then(|| (now, Vec::new()));
        let Some((sent, claims)) = process.sent.get(&req).cloned().or(unasked) else { return };
        for grant in &mut grants.budgets {
            if variant == Variant::PeriodByWallClock {
                let left = answered_at as i64 + grant.ends_in.as_millis() as i64 - wall;
                grant.ends_in = Duration::from_millis(left.max(0) as u64) + (now - sent);
            }
            match req {
                0 => process.purse.recalled(grant),
                _ => process.purse.apply(grant, sent),
            }
        }
        for grant in &mut grants.rates {
            match variant {
                Variant::TtlByWallClock => {
                    let left = answered_at as i64 + grant.ttl.as_millis() as i64 - wall;
                    grant.ttl = Duration::from_millis(left.max(0) as u64) + (now - sent);
                }
                Variant::TtlFromReceipt => grant.ttl += now - sent,
                _ => {}
            }
            if grant.recall {
                process.rate.recall(now);
            } else {
                process.rate.apply(grant, req);
            }
        }
        if req > 0 {
            for claim in &claims {
                process.purse.heard(claim);
                process.left.heard(claim);
            }
            process.sent.retain(|sent, _| *sent > req);
            if req == process.req {
                process.asked = None;
            }
        }
    }
}

impl Process {
    fn settle(&mut self, at: u64, load: &Load, draw: &Draw, truth: &mut Truth) {
        for open in self.open.extract_if(.., |open| open.ends <= at) {
            let reserved = open.reservation.reserved();
            if draw.once_in(load.outgrow) {
                truth.overdraws(open.period, reserved / 2);
                open.reservation.settle(reserved + reserved / 2);
            } else {
                let used = draw.between(0, reserved);
                truth.gives_back(open.period, reserved - used);
                open.reservation.settle(used);
            }
        }
    }

    fn serve(&mut self, at: u64, now: Instant, load: &Load, draw: &Draw, truth: &mut Truth) {
        let mut got = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting.waits.reserve(now) {
                Ok(reservation) => got.push(reservation),
                Err(_) if waiting.until > at => self.waiting.push(waiting),
                Err(_) => {}
            }
        }
        for _ in 0..draw.between(0, load.requests) {
            if self.rate.take(1, 100, now).is_ok() {
                truth.sends(at, load.rate_limit);
            }
            let amount = draw.between(1, load.largest);
            match self.purse.reserve(amount, now) {
                Ok(reservation) => got.push(reservation),
                Err(Short::UsedUp(_)) => {}
                Err(_) if self.waiting.len() < 8 => {
                    self.waiting.push(Waiting { waits: self.purse.wait(amount), amount, until: at + WAIT });
                }
                Err(_) => {}
            }
        }
        for reservation in got {
            let (period, ends) = (at / load.period * load.period, at + draw.between(0, 4_000));
            truth.reserves(at, period, reservation.reserved(), load.limit);
            self.open.push(Open { reservation, ends, period });
        }
        debug_assert!(self.waiting.iter().all(|waiting| waiting.amount > 0));
    }

    fn claim(
        &mut self,
        at: u64,
        now: Instant,
    ) -> Option<(u64, Vec<BudgetClaim>, Vec<cliproxy_domain::RateClaim>)> {
        self.asked = self.asked.filter(|asked| asked + PATIENCE > at);
        let due = self.purse.is_due() || self.rate.is_due() || at >= self.next;
        if self.asked.is_some() || !due {
            return None;
        }
        (self.req, self.asked, self.next) = (self.req + 1, Some(at), at + ROUND);
        let mut budgets = self.left.claims();
        budgets.extend(self.purse.claims(now));
        self.sent.insert(self.req, (now, budgets.clone()));
        Some((self.req, budgets, vec![self.rate.claim(self.req, now)]))
    }
}
