//! The words on the health of providers: the cluster's, and this node's own while it is cut off.
//!
//! Words merge by their revisions, and those are the control plane's to give. So that a word of this node is in force
//! until the control plane is back, and never a moment longer, the node counts in a finer measure than the control
//! plane: its revision `r` is `r << 20` here, and the node's own words take the numbers between that and the next.
//! Once the control plane is heard again its last words are put back the same way, on top of the node's.

use crate::live::Live;
use cliproxy_domain::{Health, HealthState, Hint, HintKey, ProviderName, WallTime};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// Room for the node's own words between two of the control plane.
const OWN_BITS: u32 = 20;

/// The words on the health of providers.
pub struct HealthWords {
    live: Arc<Live>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the control plane said last, with its own revisions.
    said: BTreeMap<ProviderName, Health>,
    /// Added to its revisions, so that those of a new history are above those of the one before.
    base: u64,
    /// On whom the node has words of its own in force.
    own: BTreeMap<ProviderName, ()>,
}

/// What this node judges of a provider by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The provider.
    pub provider: ProviderName,
    /// Whether it answers.
    pub state: HealthState,
    /// Since when.
    pub since: WallTime,
    /// Whether it takes a rising share of traffic.
    pub recovered: bool,
    /// How often its connections were dropped.
    pub recoveries: u64,
    /// For people.
    pub why: String,
}

impl HealthWords {
    /// Says nothing yet.
    pub fn new(live: Arc<Live>) -> Self {
        Self { live, state: Mutex::default() }
    }

    /// Takes a word of the control plane. Where it counts more recoveries than were known, the node's connections to
    /// the provider are forgotten. Tells whether anything changed.
    pub fn heard(&self, health: Health, now: WallTime) -> bool {
        let mut state = self.state.lock();
        let word = match state.said.remove(&health.provider) {
            Some(said) => said.merge(health),
            None => health,
        };
        state.said.insert(word.provider.clone(), word.clone());
        let revision = state.base.saturating_add(word.revision).saturating_mul(1 << OWN_BITS);
        self.put(Health { revision, ..word }, now)
    }

    /// Puts a word of this node in force, until the control plane is heard again. Tells whether anything changed.
    pub fn judged(&self, judgement: Judgement, now: WallTime) -> bool {
        let mut state = self.state.lock();
        state.own.insert(judgement.provider.clone(), ());
        let Judgement { provider, state, since, recovered, recoveries, why } = judgement;
        self.put_on_top(Health { revision: 0, provider, state, since, recovered, recoveries, why }, now)
    }

    /// Puts the control plane's words back where this node had its own.
    pub fn reconnected(&self, now: WallTime) {
        let mut state = self.state.lock();
        for (provider, ()) in std::mem::take(&mut state.own) {
            let nothing = Health {
                revision: 0,
                provider: provider.clone(),
                state: HealthState::Unknown,
                since: now,
                recovered: false,
                recoveries: self.recoveries(&provider),
                why: String::new(),
            };
            let word = state.said.get(&provider).cloned().unwrap_or(nothing);
            self.put_on_top(word, now);
        }
    }

    /// From now on the control plane counts anew: whatever it says is newer than what is known.
    pub fn another_history(&self) {
        let mut state = self.state.lock();
        state.said.clear();
        let highest = self.live.healths().iter().map(|health| health.revision >> OWN_BITS).max();
        state.base = highest.map_or(state.base, |highest| highest.saturating_add(1));
    }

    /// Gives what the control plane said last, as it said it: for the node's next start.
    pub fn said(&self) -> Vec<Health> {
        self.state.lock().said.values().cloned().collect()
    }

    /// Gives what is in force for a provider.
    pub fn in_force(&self, provider: &ProviderName) -> Option<Health> {
        match self.live.hint_of(&HintKey::Health(provider.clone())) {
            Some(Hint::Health(health)) => Some(health),
            _ => None,
        }
    }

    fn recoveries(&self, provider: &ProviderName) -> u64 {
        self.in_force(provider).map_or(0, |health| health.recoveries)
    }

    fn put_on_top(&self, word: Health, now: WallTime) -> bool {
        let known = self.in_force(&word.provider).map_or(0, |health| health.revision);
        // The number that the control plane's next word has is not to be reached.
        let next = (known + 1).min(known | ((1 << OWN_BITS) - 1));
        self.put(Health { revision: next, ..word }, now)
    }

    fn put(&self, word: Health, now: WallTime) -> bool {
        let before = self.in_force(&word.provider).map(|known| known.recoveries);
        let (provider, recoveries) = (word.provider.clone(), word.recoveries);
        if before.is_some_and(|before| recoveries > before)
            && let Some(known) = self.live.known()
            && let Some(upstream) = known.upstream(&provider)
        {
            upstream.renew();
            tracing::info!(%provider, "the connections to a provider are opened anew");
        }
        self.live.hint(Hint::Health(word), now)
    }
}

#[cfg(test)]
mod tests;
