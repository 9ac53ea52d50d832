//! In which order the candidates are tried.

use crate::candidates::{Candidate, Exclusion};
use cliproxy_domain::{Credential, CredentialName, Snapshot, Target, WallTime};

/// One upstream call that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is called.
    pub target: Target,
    /// With which key.
    pub credential: CredentialName,
}

/// Tells until when a credential rests.
pub trait Rest {
    /// Gives the end of the rest of a provider's credential; `None` or a past time when it does not rest.
    fn until(&self, target: &Target, credential: &CredentialName) -> Option<WallTime>;
}

impl<F: Fn(&Target, &CredentialName) -> Option<WallTime>> Rest for F {
    fn until(&self, target: &Target, credential: &CredentialName) -> Option<WallTime> {
        self(target, credential)
    }
}

/// The order in which a request is tried, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// First to last: different targets before different credentials of the same target, lower tiers first.
    pub choices: Vec<Choice>,
    /// Targets that are not tried now.
    pub excluded: Vec<(Target, Exclusion)>,
    /// When the first of the resting credentials is back; set when something rests.
    pub soonest: Option<WallTime>,
}

/// Orders `candidates` for one request.
///
/// `ticket` counts the requests that this node has ordered for the same candidates: smooth weighted round robin
/// over it, so that with equal weights any N consecutive tickets over N targets begin with N different ones.
/// Credentials of a target are taken in turn by their weights, with the same ticket.
pub fn order(
    snapshot: &Snapshot,
    candidates: &[Candidate],
    rest: &impl Rest,
    now: WallTime,
    ticket: u64,
) -> Order {
    let mut order = Order::default();
    let mut ready: Vec<Ready<'_>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let Some(provider) = snapshot.providers.get(&candidate.target.provider) else { continue };
        let mut credentials = Vec::with_capacity(provider.credentials.len());
        for credential in &provider.credentials {
            match rest.until(&candidate.target, &credential.name).filter(|until| *until > now) {
                None => credentials.push(credential),
                Some(until) => {
                    order.soonest = Some(order.soonest.map_or(until, |soonest| soonest.min(until)))
                }
            }
        }
        if credentials.is_empty() {
            order.excluded.push((candidate.target.clone(), Exclusion::Cooldown));
        } else {
            ready.push(Ready { candidate, credentials });
        }
    }
    let tier_of = |ready: &Ready<'_>| (ready.candidate.priority, ready.candidate.behind);
    ready.sort_by_key(tier_of);
    let mut spares = Vec::new();
    for tier in ready.chunk_by(|a, b| tier_of(a) == tier_of(b)) {
        let weights: Vec<u32> = tier.iter().map(|ready| ready.candidate.weight).collect();
        for index in turn(&weights, ticket) {
            let chosen = &tier[index];
            // The share of tickets that reach this target advances one at a time, so the quotient is its own count.
            let own_ticket = ticket / tier.len() as u64;
            let weights: Vec<u32> = chosen.credentials.iter().map(|credential| credential.weight).collect();
            let mut in_turn = turn(&weights, own_ticket).into_iter().map(|i| Choice {
                target: chosen.candidate.target.clone(),
                credential: chosen.credentials[i].name.clone(),
            });
            order.choices.extend(in_turn.next());
            spares.extend(in_turn);
        }
    }
    order.choices.extend(spares);
    order
}

struct Ready<'a> {
    candidate: &'a Candidate,
    credentials: Vec<&'a Credential>,
}

/// The most steps that one pick may take; larger sums of weights are scaled down to it.
const MAX_PERIOD: u64 = 1_000;

/// Orders indexes of `weights` for a ticket: the one whose turn it is first, then those that follow in the
/// schedule, each once.
fn turn(weights: &[u32], ticket: u64) -> Vec<usize> {
    let count = weights.len();
    if weights.windows(2).all(|pair| pair[0] == pair[1]) {
        let first = usize::try_from(ticket % count.max(1) as u64).unwrap_or(0);
        return (0..count).map(|i| (first + i) % count).collect();
    }
    let weights = reduced(weights);
    let period: u64 = weights.iter().sum();
    let mut current = vec![0i64; count];
    let mut step = || smooth_step(&weights, &mut current, period);
    for _ in 0..ticket % period {
        step();
    }
    let mut order = Vec::with_capacity(count);
    // Every index comes up at least once in a period.
    for _ in 0..period {
        let index = step();
        if !order.contains(&index) {
            order.push(index);
            if order.len() == count {
                break;
            }
        }
    }
    order
}

/// One step of smooth weighted round robin, as nginx has it: each gains its weight, the richest is chosen and
/// pays the sum.
fn smooth_step(weights: &[u64], current: &mut [i64], period: u64) -> usize {
    let mut best = 0;
    for (i, weight) in weights.iter().enumerate() {
        current[i] += i64::try_from(*weight).unwrap_or(i64::MAX);
        if current[i] > current[best] {
            best = i;
        }
    }
    current[best] -= i64::try_from(period).unwrap_or(i64::MAX);
    best
}

/// Divides weights by their greatest common divisor, and scales them down to [`MAX_PERIOD`], each at least 1.
fn reduced(weights: &[u32]) -> Vec<u64> {
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let divisor = weights.iter().fold(0, |d, weight| gcd(d, u64::from(*weight).max(1)));
    let weights: Vec<u64> = weights.iter().map(|weight| u64::from(*weight).max(1) / divisor).collect();
    let sum: u64 = weights.iter().sum();
    if sum <= MAX_PERIOD {
        return weights;
    }
    weights.iter().map(|weight| (weight * MAX_PERIOD / sum).max(1)).collect()
}

#[cfg(test)]
mod tests;
