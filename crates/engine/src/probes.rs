//! Who probes a provider, how often, and what the answer means.

use cliproxy_domain::{HealthPolicy, NodeId, ProviderName};
use std::{cmp::Reverse, time::Duration};
use xxhash_rust::xxh3::Xxh3;

/// A day, which a daily budget is spread over.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Gives the `wanted` nodes that probe `provider`, in order: the first is the prober, the next gives a second opinion
/// and takes over when the first is lost.
///
/// By rendezvous hashing: the order of `nodes` does not matter, and a node that goes or comes moves only its own share
/// of the providers.
pub fn assign(provider: &ProviderName, nodes: &[NodeId], wanted: usize) -> Vec<NodeId> {
    let mut ranked: Vec<(Reverse<u64>, &NodeId)> =
        nodes.iter().map(|node| (Reverse(score(provider, node)), node)).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(wanted).map(|(_, node)| node.clone()).collect()
}

fn score(provider: &ProviderName, node: &NodeId) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(provider.as_str().as_bytes());
    // Names may not be read across their border.
    hash.update(&[0]);
    hash.update(node.as_str().as_bytes());
    hash.digest()
}

/// Gives the mean time between two probes of one provider over the whole cluster: the policy's interval, or longer
/// where the daily budget asks for it.
pub fn interval(policy: &HealthPolicy) -> Duration {
    // The shortest pause that jitter makes of it must keep the budget as well.
    let budget = DAY.mul_f64(1.0 / SHORTEST_PART) / policy.daily_budget.max(1);
    policy.interval.max(budget)
}

/// The least that jitter leaves of an interval.
const SHORTEST_PART: f64 = 0.9;
/// The most that jitter adds to that, as a part of the interval.
const JITTER: f64 = 0.2;

/// Gives the pause before an assigned prober's next probe: [`interval`] with a jitter of 10 % to either side. `draw` is
/// from `[0, 1)`.
pub fn next_probe(policy: &HealthPolicy, draw: f64) -> Duration {
    scaled(interval(policy), SHORTEST_PART + JITTER * part(draw))
}

/// Gives the pause before the next probe of a node that is cut off from the control plane, where `node_count` nodes
/// were connected when it last heard of them. Each of them probes for itself, so that much less often, and with full
/// jitter, since they were cut off together. `draw` is from `[0, 1)`.
pub fn next_probe_alone(policy: &HealthPolicy, node_count: u32, draw: f64) -> Duration {
    let mean = interval(policy).saturating_mul(node_count.max(1));
    // Not nothing, or an unlucky draw would be followed by the next.
    scaled(mean, 0.1 + 1.8 * part(draw))
}

fn part(draw: f64) -> f64 {
    if draw.is_finite() { draw.clamp(0.0, 1.0) } else { 0.5 }
}

fn scaled(duration: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

/// Tells whether a probe's answer counts as healthy: any status below 500 other than 401 and 403. A 429 says that the
/// provider answers; that it was asked too often is for cooldowns. None stands for no answer.
pub fn is_healthy(status: Option<u16>) -> bool {
    status.is_some_and(|status| status < 500 && !matches!(status, 401 | 403))
}

#[cfg(test)]
mod tests;
