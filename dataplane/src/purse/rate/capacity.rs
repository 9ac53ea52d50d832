//! How much may be used: the share while it holds, and what is left of it when no control plane is heard.

use crate::purse::millis;
use cliproxy_domain::{LossMode, RateGrant, UpstreamLimit};
use parking_lot::Mutex;
use std::{
    sync::atomic::{
        AtomicBool, AtomicU8, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

/// How long after its share has ended a node begins to use its safe share, where that is more: by then the books have
/// noticed its silence, and what others used of it is no longer of the last minute.
const RAMP_MS: u64 = 75_000;

/// A refusal by the provider leaves so much of the capacity, in millionths; each second so much comes back.
const LEFT: u64 = 700_000;
const BACK_A_SECOND: u64 = 20_000;
const FULL: u64 = 1_000_000;
/// The least of it, so that it can be found out that the provider answers again.
const LEAST: u64 = 50_000;

/// What ends a share that does not end.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Capacity {
    limit: AtomicU64,
    /// The limit as it is configured; the one in force may be less. Changed under the lock, and by nobody else.
    configured: Mutex<u64>,
    share: AtomicU64,
    /// When the share ends, in milliseconds since the rate was made; 0 when there never was one.
    ends: AtomicU64,
    safe_share: AtomicU64,
    /// The mode, as [`place`] names it.
    on_loss: AtomicU8,
    cut_off: AtomicBool,
    /// What may be used in all until the provider's window is full again, and when that is.
    bound: AtomicU64,
    bound_ends: AtomicU64,
    /// The factor after the last refusal, in millionths, below its time.
    slowed: AtomicU64,
}

impl Capacity {
    /// Makes one without a share; `first_share` is the safe one until a grant says which it is.
    pub(super) fn new(limit: u64, on_loss: LossMode, first_share: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            configured: Mutex::new(limit),
            share: AtomicU64::new(0),
            ends: AtomicU64::new(0),
            safe_share: AtomicU64::new(first_share),
            on_loss: AtomicU8::new(place(on_loss)),
            cut_off: AtomicBool::new(false),
            bound: AtomicU64::new(0),
            bound_ends: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
        }
    }

    pub(super) fn alone(limit: u64, share: u64) -> Self {
        let capacity = Self::new(limit, LossMode::Strict, 0);
        capacity.share.store(share, SeqCst);
        capacity.ends.store(NEVER, SeqCst);
        capacity
    }

    /// Takes another configuration; `first_share` is as for a new one. A lower limit holds at once: what is held of it
    /// shrinks in proportion, as it does at the other nodes. A higher one is granted first. Tells whether anything changed.
    pub(super) fn configure(&self, limit: u64, on_loss: LossMode, first_share: u64) -> bool {
        let mode_changed = self.on_loss.swap(place(on_loss), Relaxed) != place(on_loss);
        let mut configured = self.configured.lock();
        let before = std::mem::replace(&mut *configured, limit);
        if limit == before {
            return mode_changed;
        }
        self.limit.store(limit, Relaxed);
        if self.ends.load(SeqCst) == 0 {
            self.safe_share.store(first_share, Relaxed);
        } else if limit < before {
            let part = |share: u64| {
                u64::try_from(u128::from(share) * u128::from(limit) / u128::from(before)).unwrap_or(share)
            };
            self.share.fetch_min(part(self.share.load(SeqCst)), SeqCst);
            self.safe_share.fetch_min(part(self.safe_share.load(Relaxed)), Relaxed);
        }
        true
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// Tells whether the node goes by a share, or by what it does without one.
    pub(super) fn is_known(&self, at: u64) -> bool {
        at < self.ends.load(SeqCst) || self.kept(at) > 0
    }

    /// Gives how much longer the share holds; none when it does not end.
    pub(super) fn ends_in(&self, at: u64) -> Option<Duration> {
        let ends = self.ends.load(Relaxed);
        (ends != NEVER).then(|| Duration::from_millis(ends.saturating_sub(at)))
    }

    /// Gives what may be used.
    pub(super) fn now(&self, at: u64) -> u64 {
        let share = self.kept(at);
        let slowed = u64::try_from(u128::from(share) * u128::from(self.factor(at)) / u128::from(FULL));
        let mut capacity = slowed.unwrap_or(share).max(share.min(1));
        if at < self.bound_ends.load(Relaxed) {
            capacity = capacity.min(self.bound.load(Relaxed));
        }
        capacity
    }

    /// Gives what the control plane has to reckon with.
    pub(super) fn kept(&self, at: u64) -> u64 {
        let (share, ends) = (self.share.load(SeqCst), self.ends.load(SeqCst));
        if at < ends {
            return share;
        }
        let safe = self.safe_share.load(Relaxed);
        let known = ends > 0;
        match mode(self.on_loss.load(Relaxed)) {
            // Before the first word it is waited for, if there is anybody to say it.
            _ if !known && !self.cut_off.load(Relaxed) => 0,
            LossMode::Strict => 0,
            LossMode::Optimistic => u64::MAX,
            LossMode::Safe if known && at < ends.saturating_add(RAMP_MS) => share.min(safe),
            LossMode::Safe => safe,
        }
    }

    /// Tells whether more might be used if a control plane were heard, and there is no share for when none is.
    pub(super) fn is_less_for_the_loss(&self, at: u64) -> bool {
        mode(self.on_loss.load(Relaxed)) == LossMode::Strict
            && self.kept(at) < self.limit()
            && self.rests_for(at).is_none()
    }

    /// Takes a share, counted from `sent`. Tells whether it is less than before.
    pub(super) fn grant(&self, grant: &RateGrant, sent: u64) -> bool {
        self.limit.store(grant.limit, Relaxed);
        self.safe_share.store(grant.safe_share, Relaxed);
        let before = self.share.load(SeqCst);
        let ends = sent.saturating_add(millis(grant.ttl));
        // What holds longer or is more comes last: nobody sees the old share with the new end.
        if grant.share < before {
            self.share.store(grant.share, SeqCst);
            self.ends.store(ends, SeqCst);
        } else {
            self.ends.store(ends, SeqCst);
            self.share.store(grant.share, SeqCst);
        }
        grant.share < before
    }

    /// Lowers the share to `most`.
    pub(super) fn shrink(&self, most: u64) {
        self.share.fetch_min(most, SeqCst);
    }

    pub(super) fn set_cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Relaxed);
    }

    /// Takes the provider's word on what is left for all nodes: of that this one has a part like its part of the limit.
    pub(super) fn bound(&self, said: &UpstreamLimit, used: u64, at: u64) {
        let (share, limit) = (self.kept(at), self.limit.load(Relaxed).max(1));
        // A node that has no part of the limit is told nothing of one: it may get one before the reset.
        if share == 0 && said.remaining > 0 {
            return;
        }
        let part = u128::from(said.remaining) * u128::from(share.min(limit));
        let left = u64::try_from(part.div_ceil(u128::from(limit))).unwrap_or(u64::MAX);
        // Nothing left is nothing until then, also when what was used is no longer of the last minute.
        self.bound.store(if left == 0 { 0 } else { used.saturating_add(left) }, Relaxed);
        self.bound_ends.store(at.saturating_add(millis(said.resets_in.saturating_sub(said.age))), Relaxed);
    }

    /// Gives how much longer nothing may be used by the provider's word; none when something may.
    pub(super) fn rests_for(&self, at: u64) -> Option<Duration> {
        let ends = self.bound_ends.load(Relaxed);
        (at < ends && self.bound.load(Relaxed) == 0).then(|| Duration::from_millis(ends - at))
    }

    /// Takes note of a refusal by the provider.
    pub(super) fn slow_down(&self, at: u64) {
        let factor = (self.factor(at) * LEFT / FULL).max(LEAST);
        self.slowed.store(at << 20 | factor.min(FULL - 1), Relaxed);
    }

    fn factor(&self, at: u64) -> u64 {
        let slowed = self.slowed.load(Relaxed);
        if slowed == 0 {
            return FULL;
        }
        let (since, factor) = (slowed >> 20, slowed & 0xf_ffff);
        let back = at.saturating_sub(since).saturating_mul(BACK_A_SECOND) / 1_000;
        factor.saturating_add(back).min(FULL)
    }
}

fn place(on_loss: LossMode) -> u8 {
    match on_loss {
        LossMode::Strict => 0,
        LossMode::Safe => 1,
        LossMode::Optimistic => 2,
    }
}

fn mode(place: u8) -> LossMode {
    match place {
        1 => LossMode::Safe,
        2 => LossMode::Optimistic,
        _ => LossMode::Strict,
    }
}
