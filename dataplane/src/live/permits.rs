//! Who sends the one request that finds out whether a rest goes on.

use super::Live;
use cliproxy_domain::{Cooldown, CooldownKey, Hint, HintKey, NodeId, WallTime};
use cliproxy_engine::{
    cooldown::{Stage, stage},
    select::VERDICT,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Permits that are in use, and those that were asked for. Locked only where something is past its rest.
#[derive(Default)]
pub(super) struct Permits {
    taken: Mutex<HashMap<CooldownKey, Taken>>,
    wanted: Mutex<HashMap<CooldownKey, WallTime>>,
    next: AtomicU64,
}

struct Taken {
    /// Names the request that has it.
    by: u64,
    /// Epoch, round and number of the permit.
    permit: (u64, u32, u32),
    at: WallTime,
}

/// Wishes that are remembered at most, so that each is told once a second.
const MAX_WANTED: usize = 1_000;

/// The right to send the one request that finds out whether a rest goes on. Dropped, it is given back.
pub struct Probing {
    live: Arc<Live>,
    rest: Cooldown,
    by: u64,
}

impl Probing {
    /// Gives the rest that is found out about.
    pub fn rest(&self) -> &Cooldown {
        &self.rest
    }

    /// Ends the rest as the request was answered. Gives the word that ends it; none when something was said since.
    pub fn answered(self, node: &NodeId, now: WallTime) -> Option<Cooldown> {
        self.live.clear(&self.rest.key, (self.rest.epoch, self.rest.round), node, now)
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        let mut taken = self.live.permits.taken.lock();
        if taken.get(&self.rest.key).is_some_and(|taken| taken.by == self.by) {
            taken.remove(&self.rest.key);
        }
    }
}

impl Live {
    /// Takes the permit of a rest that is past its end, once for each grant: none when this node does not have it,
    /// another request is using it, or it is not wanted any more.
    ///
    /// Cut off from the control plane, a node has the permit of everything itself. It then grants anew what gave no
    /// verdict for a second, as the control plane does.
    pub fn take_permit(self: &Arc<Self>, rest: &Cooldown, node: &NodeId, now: WallTime) -> Option<Probing> {
        let mut taken = self.permits.taken.lock();
        // The caller may have looked before the verdict of another request.
        let Some(Hint::Cooldown(known)) = self.hint_of(&HintKey::Cooldown(rest.key.clone())) else {
            return None;
        };
        let Stage::HalfOpen(granted) = stage(&known, now) else { return None };
        let cut_off = self.is_cut_off();
        if !cut_off && granted.node.as_ref() != Some(node) {
            return None;
        }
        let permit = (known.epoch, known.round, granted.number);
        let in_use = taken.get(&rest.key).is_some_and(|taken| {
            let overdue = cut_off && now.since(taken.at) >= VERDICT;
            taken.permit >= permit && !overdue
        });
        if in_use {
            return None;
        }
        let by = self.permits.next.fetch_add(1, Relaxed);
        taken.insert(rest.key.clone(), Taken { by, permit, at: now });
        Some(Probing { live: Arc::clone(self), rest: known, by })
    }

    /// Notes that a request would have used the permit of a rest. Tells whether the control plane is to be asked for
    /// it now: at most once a second for each rest, and not while nobody can be asked.
    pub fn wants_permit(&self, key: &CooldownKey, now: WallTime) -> bool {
        if self.is_cut_off() {
            return false;
        }
        let mut wanted = self.permits.wanted.lock();
        if wanted.get(key).is_some_and(|at| now.since(*at) < VERDICT && *at <= now) {
            return false;
        }
        if wanted.len() >= MAX_WANTED {
            wanted.retain(|_, at| now.since(*at) < VERDICT);
        }
        if wanted.len() < MAX_WANTED {
            wanted.insert(key.clone(), now);
        }
        true
    }
}
