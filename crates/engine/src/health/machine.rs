//! The state of one provider, and what changes it.

use super::{
    Evidence,
    voice::{Voice, plural},
};
use crate::probes::interval;
use cliproxy_domain::{HealthPolicy, HealthState, NodeId, WallTime};
use std::{collections::BTreeMap, time::Duration};

/// A source is forgotten when it said nothing for so many intervals.
const FORGOTTEN_AFTER: u32 = 3;
/// However short the interval is: calls are told of once a second, and somewhat late.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many nodes are followed; what more of them say is not heard.
const NODES: usize = 1_000;
/// How many nodes a reason names.
const NAMED: usize = 3;

/// Whether one provider answers.
///
/// `unhealthy_threshold` failures in a row make a node say that it does not; probes and calls of one node are one row.
/// Where one node is connected, its word is enough. Where there are more, two sources must agree: two nodes, or a node's
/// probes and its calls; and more nodes must say so than were answered meanwhile, since one node's broken way out is no
/// outage. `healthy_threshold` successes in a row at any node end it, as does the first success while nothing is known.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    state: HealthState,
    since: WallTime,
    /// The latest time that was seen.
    now: WallTime,
    voices: BTreeMap<NodeId, Voice>,
    is_unsettled: bool,
}

/// A change of a provider's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is now.
    pub state: HealthState,
    /// Since when.
    pub since: WallTime,
    /// Whether it was down before, so that traffic should return bit by bit.
    pub recovered: bool,
    /// For people: what it was decided on, as `3 probes in a row failed (503)`.
    pub why: String,
}

impl Machine {
    /// Takes up what was known before a restart.
    pub fn restored(state: HealthState, since: WallTime) -> Self {
        Self { state, since, now: since, ..Self::default() }
    }

    /// Gives the state.
    pub fn state(&self) -> HealthState {
        self.state
    }

    /// Tells since when it is in that state.
    pub fn since(&self) -> WallTime {
        self.since
    }

    /// Tells whether a node has reason to say that the provider fails, and no other was answered since: another should
    /// probe it as well, for as long as this holds. Always false where one node is connected, and while the provider is
    /// down.
    pub fn wants_second_opinion(&self) -> bool {
        self.is_unsettled
    }

    /// Takes note of `evidence`, with `nodes` connected. Its time is to be by the clock of whoever decides, and not in
    /// the future. Evidence from before the state's beginning is not heard.
    pub fn note(&mut self, policy: &HealthPolicy, nodes: usize, evidence: &Evidence) -> Option<Change> {
        self.forget(policy, evidence.at);
        if evidence.at < self.since || evidence.at < self.oldest(policy) {
            return None;
        }
        if self.voices.len() >= NODES && !self.voices.contains_key(&evidence.node) {
            return None;
        }
        let voice = self.voices.entry(evidence.node.clone()).or_default();
        voice.note(evidence);
        let change = if evidence.ok {
            let successes = voice.successes;
            self.after_success(policy, successes, evidence.at)
        } else {
            self.judge(policy, nodes, evidence.at)
        };
        self.is_unsettled = self.is_suspicion_unsettled(policy, nodes);
        change
    }

    /// Lets time pass with nothing heard, and takes note of how many nodes are connected. To be called every second or
    /// so, and when a node comes or goes.
    pub fn pass(&mut self, policy: &HealthPolicy, nodes: usize, now: WallTime) -> Option<Change> {
        self.forget(policy, now);
        let change = self.judge(policy, nodes, now);
        self.is_unsettled = self.is_suspicion_unsettled(policy, nodes);
        change
    }

    /// Forgets what a node said that is connected no more.
    pub fn lost(&mut self, node: &NodeId) {
        self.voices.remove(node);
    }

    /// Starts anew, as an operator says that it recovered.
    pub fn reset_to_unknown(&mut self, now: WallTime) -> Option<Change> {
        self.voices.clear();
        self.is_unsettled = false;
        let changes = self.state != HealthState::Unknown;
        // What happened before is not heard either way.
        let change = self.change(HealthState::Unknown, now, "an operator said that it recovered".to_owned());
        changes.then_some(change)
    }

    /// Notes that a whole round of recoveries did not help; none when it is not unhealthy.
    pub fn to_failed(&mut self, attempts: u32, now: WallTime) -> Option<Change> {
        if self.state != HealthState::Unhealthy {
            return None;
        }
        let why = format!("{} did not help", recoveries(attempts));
        Some(self.change(HealthState::Failed, now, why))
    }

    /// Notes that the probe of a recovery was answered, which is enough; none when the provider is not down.
    pub fn recovered_by_probe(&mut self, now: WallTime) -> Option<Change> {
        if !self.state.is_down() {
            return None;
        }
        Some(self.change(HealthState::Healthy, now, "the probe of a recovery was answered".to_owned()))
    }

    #[cfg(test)]
    pub(super) fn nodes_heard(&self) -> usize {
        self.voices.len()
    }

    fn after_success(&mut self, policy: &HealthPolicy, successes: u32, at: WallTime) -> Option<Change> {
        let why = match self.state {
            HealthState::Healthy => return None,
            HealthState::Unknown => "it answered".to_owned(),
            HealthState::Unhealthy | HealthState::Failed if successes < policy.healthy_threshold.max(1) => {
                return None;
            }
            HealthState::Unhealthy | HealthState::Failed => {
                format!("{} in a row", plural(successes, "answer"))
            }
        };
        Some(self.change(HealthState::Healthy, at, why))
    }

    fn judge(&mut self, policy: &HealthPolicy, nodes: usize, at: WallTime) -> Option<Change> {
        if self.state.is_down() {
            return None;
        }
        let threshold = policy.unhealthy_threshold.max(1);
        let failing = || self.voices.iter().filter(|(_, voice)| voice.words(threshold) > 0);
        let words: u32 = failing().map(|(_, voice)| voice.words(threshold)).sum();
        // Only an answer from after they all began to fail speaks against them.
        let since = failing().filter_map(|(_, voice)| voice.failing_since).max()?;
        let answered = |voice: &Voice| voice.words(threshold) == 0 && voice.answered_since(since);
        let answers = self.voices.values().filter(|voice| answered(voice)).count();
        let needed = if nodes > 1 { 2 } else { 1 };
        if words < needed || failing().count() <= answers {
            return None;
        }
        let why = reason(failing());
        Some(self.change(HealthState::Unhealthy, at, why))
    }

    /// Tells whether some node has reason to say that the provider fails, a probe of its own that failed, or so many
    /// calls that it is its word, and no other was answered since. It stays so until the others' word is complete: who
    /// is asked to look once can never say that it failed often enough.
    fn is_suspicion_unsettled(&self, policy: &HealthPolicy, nodes: usize) -> bool {
        if nodes <= 1 || self.state.is_down() {
            return false;
        }
        let threshold = policy.unhealthy_threshold.max(1);
        let suspicious = self.voices.values().filter(|voice| voice.is_suspicious(threshold));
        let Some(since) = suspicious.filter_map(|voice| voice.failing_since).min() else { return false };
        !self.voices.values().any(|voice| !voice.is_suspicious(threshold) && voice.answered_since(since))
    }

    fn change(&mut self, state: HealthState, at: WallTime, why: String) -> Change {
        let recovered = self.state.is_down() && !state.is_down();
        for voice in self.voices.values_mut() {
            if state.is_down() {
                voice.successes = 0;
            } else if recovered {
                // Calls that failed before it was down would bring it down again at once.
                voice.forget_failures();
            }
        }
        (self.state, self.since) = (state, at);
        self.is_unsettled = false;
        Change { state, since: at, recovered, why }
    }

    fn oldest(&self, policy: &HealthPolicy) -> WallTime {
        self.now.minus(interval(policy).saturating_mul(FORGOTTEN_AFTER).max(REMEMBERED))
    }

    fn forget(&mut self, policy: &HealthPolicy, now: WallTime) {
        self.now = self.now.max(now);
        let oldest = self.oldest(policy);
        self.voices.retain(|_, voice| voice.forget_before(oldest));
    }
}

fn recoveries(attempts: u32) -> String {
    if attempts == 1 { "1 recovery".to_owned() } else { format!("{attempts} recoveries") }
}

fn reason<'a>(failing: impl Iterator<Item = (&'a NodeId, &'a Voice)>) -> String {
    let failing: Vec<_> = failing.collect();
    if let [(_, voice)] = failing.as_slice() {
        return voice.describe();
    }
    let named: Vec<String> =
        failing.iter().take(NAMED).map(|(node, voice)| format!("{} at {node}", voice.describe())).collect();
    let others = failing.len().saturating_sub(NAMED);
    let tail = if others > 0 {
        format!("; the same at {}", plural(u32::try_from(others).unwrap_or(u32::MAX), "other node"))
    } else {
        String::new()
    };
    named.join("; ") + &tail
}
