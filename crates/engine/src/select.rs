//! In which order the candidates are tried, and what is left out for which reason.

mod turn;

use crate::{
    candidates::{Candidate, CandidateSet},
    cooldown::Stage,
    outlook::{CredentialOutlook, Outlook, ProviderOutlook},
};
use cliproxy_domain::{Cooldown, CooldownCause, CredentialName, Exclusion, NodeId, Target, WallTime};
use std::time::Duration;
use turn::turn;

/// One upstream call that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is called.
    pub target: Target,
    /// With which key.
    pub credential: CredentialName,
}

/// Tells how many upstream calls are open.
pub trait Load {
    /// Gives the open calls of this node with the credential at `credential` of the provider at `slot`.
    fn in_flight(&self, slot: usize, credential: usize) -> u32;
}

/// No calls are open: for decisions that nobody follows.
pub struct Idle;

impl Load for Idle {
    fn in_flight(&self, _: usize, _: usize) -> u32 {
        0
    }
}

/// What a decision is made on, beside the candidates.
pub struct Scene<'a, L> {
    /// What is known of the providers.
    pub outlook: &'a Outlook,
    /// When.
    pub now: WallTime,
    /// Counts the requests that this node has ordered for the same candidates.
    pub ticket: u64,
    /// What the request's session hashes to, when it has one that should stay on one credential.
    pub session: Option<u64>,
    /// Whether a stream was asked for.
    pub streaming: bool,
    /// Who decides.
    pub node: &'a NodeId,
    /// Whether the control plane is away, so that nobody else hands out permits.
    pub cut_off: bool,
    /// How many calls are open.
    pub load: &'a L,
}

/// One choice, as places in the candidates and in the provider's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The candidate's place in the set.
    pub candidate: usize,
    /// The credential's place in the provider's.
    pub credential: usize,
    /// Whether its rest is past its end: whoever takes it must first take the one permit.
    pub probes: bool,
}

/// What is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The candidate's place in the set.
    pub candidate: usize,
    /// The credential's place; none when the whole target is left out.
    pub credential: Option<usize>,
    /// Why.
    pub reason: Exclusion,
    /// Why it rests.
    pub cause: Option<CooldownCause>,
    /// When it is back, as far as that is known.
    pub until: Option<WallTime>,
}

/// The order in which a request is tried, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// First to last: different targets before different credentials of the same target, lower tiers first.
    pub picks: Vec<Pick>,
    /// What is not tried now.
    pub excluded: Vec<Excluded>,
    /// When the first of what is left out is back; none when nothing is, or nobody knows.
    pub soonest: Option<WallTime>,
    /// More than half of the targets are unhealthy, so that health was not looked at.
    pub health_ignored: bool,
}

impl Order {
    /// Names a pick of `set`.
    pub fn choice(&self, set: &CandidateSet, outlook: &Outlook, pick: Pick) -> Option<Choice> {
        let candidate = set.candidates.get(pick.candidate)?;
        let credential = outlook.providers.get(candidate.slot)?.credentials.get(pick.credential)?;
        Some(Choice { target: candidate.target.clone(), credential: credential.name.clone() })
    }

    fn exclude(&mut self, excluded: Excluded) {
        if let Some(until) = excluded.until {
            self.soonest = Some(self.soonest.map_or(until, |soonest| soonest.min(until)));
        }
        self.excluded.push(excluded);
    }
}

/// One candidate that can be tried, with its usable credentials.
pub(crate) struct Ready<'a> {
    pub(crate) index: usize,
    pub(crate) candidate: &'a Candidate,
    pub(crate) provider: &'a ProviderOutlook,
    pub(crate) credentials: Vec<Usable<'a>>,
}

/// One credential that can be tried.
pub(crate) struct Usable<'a> {
    pub(crate) index: usize,
    pub(crate) credential: &'a CredentialOutlook,
    pub(crate) probes: bool,
    /// The part of its share that it takes: below 1 for a while after a rest.
    pub(crate) part: f64,
}

/// Orders the candidates of `set` for one request.
///
/// Smooth weighted round robin over the ticket, so that with equal weights any N consecutive tickets over N targets
/// begin with N different ones. Credentials of a target are taken in turn by their weights, with the same ticket.
pub fn order<L: Load>(scene: &Scene<'_, L>, set: &CandidateSet) -> Order {
    let mut order = Order { health_ignored: health_is_ignored(scene.outlook, set), ..Order::default() };
    let mut ready = Vec::with_capacity(set.candidates.len());
    for (index, candidate) in set.candidates.iter().enumerate() {
        let Some(provider) = scene.outlook.providers.get(candidate.slot) else { continue };
        let credentials = usable(scene, &mut order, index, candidate, provider);
        if !credentials.is_empty() {
            ready.push(Ready { index, candidate, provider, credentials });
        }
    }
    let tier_of = |ready: &Ready<'_>| (ready.candidate.priority, ready.candidate.behind);
    ready.sort_by_key(tier_of);
    let mut spares = Vec::new();
    for tier in ready.chunk_by(|a, b| tier_of(a) == tier_of(b)) {
        let weights: Vec<u32> = tier.iter().map(|ready| ready.candidate.weight).collect();
        for place in turn(&weights, scene.ticket) {
            let chosen = &tier[place];
            // The share of tickets that reach this target advances one at a time, so the quotient is its own count.
            let own_ticket = scene.ticket / tier.len() as u64;
            let weights: Vec<u32> =
                chosen.credentials.iter().map(|usable| usable.credential.weight).collect();
            let mut in_turn = turn(&weights, own_ticket).into_iter().map(|i| Pick {
                candidate: chosen.index,
                credential: chosen.credentials[i].index,
                probes: chosen.credentials[i].probes,
            });
            order.picks.extend(in_turn.next());
            spares.extend(in_turn);
        }
    }
    order.picks.extend(spares);
    order
}

/// Tells whether more than half of the targets are unhealthy: the fault is then more likely to be near than at all of
/// them.
fn health_is_ignored(outlook: &Outlook, set: &CandidateSet) -> bool {
    let down =
        |candidate: &&Candidate| outlook.providers.get(candidate.slot).is_some_and(ProviderOutlook::is_down);
    set.candidates.iter().filter(down).count() * 2 > set.candidates.len()
}

/// Gives the credentials of a target that can be tried, and notes the others.
fn usable<'a, L: Load>(
    scene: &Scene<'a, L>,
    order: &mut Order,
    index: usize,
    candidate: &Candidate,
    provider: &'a ProviderOutlook,
) -> Vec<Usable<'a>> {
    let target = Excluded {
        candidate: index,
        credential: None,
        reason: Exclusion::Unhealthy,
        cause: None,
        until: None,
    };
    if provider.is_down() && !order.health_ignored {
        order.exclude(target);
        return Vec::new();
    }
    if let Some(quota) = provider.quota.filter(|quota| quota.left == 0) {
        order.exclude(Excluded { reason: Exclusion::QuotaExhausted, until: quota.resets_at, ..target });
        return Vec::new();
    }
    if provider.credentials.is_empty() {
        order.exclude(Excluded { reason: Exclusion::NoCredential, ..target });
        return Vec::new();
    }
    let mut credentials = Vec::with_capacity(provider.credentials.len());
    let risen = provider.risen(scene.now);
    for (at, credential) in provider.credentials.iter().enumerate() {
        let (probes, part) = match provider.governing(credential, candidate.target.model.as_str(), scene.now)
        {
            None | Some((_, Stage::Over)) => (false, 1.0),
            Some((_, Stage::Rising(part))) => (false, part),
            Some((_, Stage::HalfOpen(permit))) if may_probe(scene, permit.node.as_ref()) => (true, 1.0),
            Some((rest, stage)) => {
                let (reason, until) = match stage {
                    Stage::Resting if rest.cause == CooldownCause::QuotaExhausted => {
                        (Exclusion::QuotaExhausted, Some(rest.until))
                    }
                    Stage::Resting => (Exclusion::Cooldown, Some(rest.until)),
                    _ => (Exclusion::CircuitHalfOpenBusy, Some(scene.now.plus(VERDICT))),
                };
                order.exclude(Excluded {
                    credential: Some(at),
                    reason,
                    cause: Some(rest.cause),
                    until,
                    ..target.clone()
                });
                continue;
            }
        };
        credentials.push(Usable { index: at, credential, probes, part: part.min(risen) });
    }
    credentials
}

/// How long the others wait for the verdict of the one that probes.
pub const VERDICT: Duration = Duration::from_secs(1);

/// Tells whether this node may send the request that finds out whether a rest goes on. Only who has the permit, or
/// everyone for himself when nobody hands out permits.
fn may_probe<L>(scene: &Scene<'_, L>, permit: Option<&NodeId>) -> bool {
    scene.cut_off || permit.is_some_and(|holder| holder == scene.node)
}

/// Gives the word whose permit whoever takes this pick must take first; none when it needs none.
pub fn probed<'a>(
    outlook: &'a Outlook,
    set: &CandidateSet,
    pick: Pick,
    now: WallTime,
) -> Option<&'a Cooldown> {
    let candidate = set.candidates.get(pick.candidate)?;
    let provider = outlook.providers.get(candidate.slot)?;
    let credential = provider.credentials.get(pick.credential)?;
    let (rest, stage) = provider.governing(credential, candidate.target.model.as_str(), now)?;
    matches!(stage, Stage::HalfOpen(_)).then_some(rest)
}

#[cfg(test)]
mod tests;
