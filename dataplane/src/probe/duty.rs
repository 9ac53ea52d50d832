//! Which providers this node asks, and when.

use cliproxy_domain::{HealthPolicy, NodeId, ProbeAssignment, ProviderName, Snapshot};
use cliproxy_engine::probes::{next_probe, next_probe_alone};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long after it was made a prober the node waits for its first probe at most: long enough that the providers of a
/// node that starts are not all asked at the same moment.
const FIRST: Duration = Duration::from_secs(1);

/// The probes that this node owes.
#[derive(Default)]
pub(super) struct Duties {
    by: BTreeMap<ProviderName, Duty>,
    /// How many nodes were connected when that was last said.
    node_count: u32,
    alone: bool,
}

struct Duty {
    due: Instant,
    /// The probes that were wanted at once and have been sent.
    at_once: u64,
    /// One is on its way.
    running: bool,
    /// Counts them, so that credentials take turns.
    turn: usize,
}

impl Duties {
    /// Takes note of who should probe what: the cluster's assignments, or, where the node is `alone`, it itself
    /// everything. `draw` gives numbers from 0 to 1.
    pub(super) fn assign(
        &mut self,
        snapshot: &Snapshot,
        assignments: &[ProbeAssignment],
        node: &NodeId,
        alone: bool,
        now: Instant,
        draw: impl Fn() -> f64,
    ) {
        let policy = &snapshot.policy.health_check;
        if let Some(count) = assignments.iter().map(|assignment| assignment.node_count).max() {
            self.node_count = count;
        }
        let mut wanted: BTreeMap<&ProviderName, u64> = BTreeMap::new();
        for provider in snapshot.providers.values() {
            if !policy.enabled || !provider.health_check.enabled {
                continue;
            }
            let assignment = assignments.iter().find(|known| known.provider == provider.name);
            let mine = assignment.filter(|known| known.nodes.contains(node));
            match mine {
                Some(assignment) if !alone => wanted.insert(&provider.name, assignment.at_once),
                _ if alone => wanted.insert(&provider.name, 0),
                _ => None,
            };
        }
        self.by.retain(|provider, _| wanted.contains_key(provider));
        let was_alone = std::mem::replace(&mut self.alone, alone);
        let becomes_alone = alone && !was_alone;
        let many = self.node_count > 1;
        for (provider, at_once) in wanted {
            let duty = self.by.entry(provider.clone()).or_insert_with(|| {
                // All nodes were cut off together, and each now asks for itself.
                let most =
                    if alone && many { spread(policy, self.node_count) } else { FIRST.min(policy.interval) };
                Duty { due: now + most.mul_f64(draw()), at_once, running: false, turn: 0 }
            });
            if becomes_alone && many {
                duty.due = now + spread(policy, self.node_count).mul_f64(draw());
            }
            if at_once > duty.at_once {
                duty.at_once = at_once;
                duty.due = now;
            }
        }
    }

    /// Asks for a probe of a provider at once, where this node probes it.
    pub(super) fn at_once(&mut self, provider: &ProviderName, now: Instant) {
        if let Some(duty) = self.by.get_mut(provider) {
            duty.due = now;
        }
    }

    /// Gives the providers that are to be asked now, each with the number of its probe; the next probe of each is
    /// planned.
    pub(super) fn take_due(
        &mut self,
        policy: &HealthPolicy,
        now: Instant,
        draw: impl Fn() -> f64,
    ) -> Vec<(ProviderName, usize)> {
        let mut due = Vec::new();
        for (provider, duty) in &mut self.by {
            if duty.running || duty.due > now {
                continue;
            }
            let pause = if self.alone {
                next_probe_alone(policy, self.node_count, draw())
            } else {
                next_probe(policy, draw())
            };
            duty.due = now + pause;
            duty.running = true;
            due.push((provider.clone(), duty.turn));
            duty.turn = duty.turn.wrapping_add(1);
        }
        due
    }

    /// Takes note that the probe of a provider has ended.
    pub(super) fn ended(&mut self, provider: &ProviderName) {
        if let Some(duty) = self.by.get_mut(provider) {
            duty.running = false;
        }
    }

    /// Tells when the next probe is due; none when none is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by.values().filter(|duty| !duty.running).map(|duty| duty.due).min()
    }

    /// Tells how many nodes were connected when that was last said.
    pub(super) fn node_count(&self) -> u32 {
        self.node_count
    }

    /// Counts the providers that this node asks.
    pub(super) fn len(&self) -> usize {
        self.by.len()
    }
}

/// Gives the time over which the nodes of a cluster spread their probes when each asks for itself.
fn spread(policy: &HealthPolicy, node_count: u32) -> Duration {
    cliproxy_engine::probes::interval(policy).saturating_mul(node_count)
}

#[cfg(test)]
mod tests;
