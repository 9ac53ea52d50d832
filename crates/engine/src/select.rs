//! In which order the candidates are tried, and what is left out for which reason.

mod arrangement;
mod cost;
mod latency;
mod quota_aware;
mod ranking;
mod round_robin;
mod turn;
mod usable;

use crate::{candidates::CandidateSet, cooldown::Stage, outlook::Outlook};
use arrangement::Arrangement;
use cliproxy_domain::{
    Cooldown, CooldownCause, CredentialName, Exclusion, NodeId, ProviderName, Target, WallTime,
};
use std::time::Duration;
pub(crate) use {
    arrangement::{provider_weights, ranking},
    latency::ENOUGH,
    quota_aware::unit as quota_unit,
    ranking::{Placed, Ranking, Standing},
    turn::unit,
    usable::{Ready, Survey, Usable, tier},
};

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

impl<L> Scene<'_, L> {
    /// Tells whether a provider may serve whoever asks.
    pub(crate) fn allows(&self, provider: &ProviderName) -> bool {
        self.only.is_empty() || self.only.contains(provider)
    }
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
    /// The providers that may serve whoever asks; empty for all.
    pub only: &'a [ProviderName],
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

/// How long the others wait for the verdict of the one that probes.
pub const VERDICT: Duration = Duration::from_secs(1);

/// Orders the candidates of `set` for one request.
///
/// Tier by tier; in a tier a session's own credential goes first, else the strategy ranks the targets and equals take
/// turns by weight over the ticket, so that with equal weights any N consecutive tickets over N targets begin with N
/// different ones. Credentials of a target take turns by their weights. Where a target's turn is counted, it is
/// counted by the ticket: nodes share nothing.
pub fn order<L: Load>(scene: &Scene<'_, L>, set: &CandidateSet) -> Order {
    let mut order = Order { health_ignored: usable::health_is_ignored(scene, set), ..Order::default() };
    let mut survey = Survey::of(scene, set, &mut order);
    let is_down = |excluded: &Excluded| excluded.reason == Exclusion::Unhealthy;
    if survey.ready.is_empty() && order.excluded.iter().any(is_down) {
        // The last resort: what seems to be down is worth a call when nothing else can be called.
        order = Order { health_ignored: true, ..Order::default() };
        survey = Survey::of(scene, set, &mut order);
    }
    let mut arrangement = Arrangement::new(scene, set, &survey);
    for tier in survey.tiers() {
        arrangement.add(tier);
    }
    order.picks = arrangement.picks;
    order.picks.append(&mut arrangement.spares);
    order
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
