//! What can be tried at all, and what is left out for which reason.

use super::{Excluded, Load, Order, Scene, VERDICT};
use crate::{
    candidates::{Candidate, CandidateSet},
    cooldown::Stage,
    outlook::{CredentialOutlook, ProviderOutlook},
};
use cliproxy_domain::{Cooldown, CooldownCause, Exclusion, NodeId, WallTime};
use std::ops::Range;

/// One candidate that can be tried.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    /// Its place in the set.
    pub(crate) index: usize,
    pub(crate) candidate: &'a Candidate,
    pub(crate) provider: &'a ProviderOutlook,
    /// The part of its share that it takes: that of its fullest credential.
    pub(crate) part: f64,
    from: usize,
    to: usize,
}

/// One credential that can be tried.
#[derive(Debug)]
pub(crate) struct Usable<'a> {
    /// Its place among the provider's.
    pub(crate) index: usize,
    pub(crate) credential: &'a CredentialOutlook,
    /// Whether its rest is past its end, so that whoever takes it finds out whether that goes on.
    pub(crate) probes: bool,
    /// The part of its share that it takes: below 1 for a while after a rest.
    pub(crate) part: f64,
}

/// All that can be tried.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    /// The targets, the lower tiers first.
    pub(crate) ready: Vec<Ready<'a>>,
    /// Their credentials.
    pub(crate) usable: Vec<Usable<'a>>,
}

impl Ready<'_> {
    /// Gives the places of its credentials among all usable ones.
    pub(crate) fn places(&self) -> Range<usize> {
        self.from..self.to
    }

    /// Counts its credentials.
    pub(crate) fn count(&self) -> usize {
        self.to - self.from
    }

    pub(crate) fn tier(&self) -> Tier {
        tier(self.candidate)
    }
}

/// A tier: its priority, and whether it stands behind the others of that. The lower goes first.
pub(crate) type Tier = (u32, bool);

/// Names the tier of a candidate.
pub(crate) fn tier(candidate: &Candidate) -> Tier {
    (candidate.priority, candidate.behind)
}

impl<'a> Survey<'a> {
    /// Looks at all candidates of `set`, and notes in `order` what is left out.
    pub(crate) fn of<L: Load>(scene: &Scene<'a, L>, set: &'a CandidateSet, order: &mut Order) -> Self {
        let count = set.candidates.len();
        let mut survey = Self { ready: Vec::with_capacity(count), usable: Vec::with_capacity(2 * count) };
        for (index, candidate) in set.candidates.iter().enumerate() {
            let from = survey.usable.len();
            let Some(provider) = scene.outlook.providers.get(candidate.slot) else {
                // Not part of the configuration that the outlook is laid out for, so that no key of it is known.
                order.exclude(whole(index, Exclusion::NoCredential));
                continue;
            };
            if !scene.allows(&candidate.target.provider) {
                order.exclude(whole(index, Exclusion::NotAllowed));
                continue;
            }
            if let Some(excluded) = target_excluded(order.health_ignored, index, provider, scene.now) {
                order.exclude(excluded);
                continue;
            }
            let part = survey.credentials_of(scene, order, index, candidate, provider);
            let to = survey.usable.len();
            if to > from {
                survey.ready.push(Ready { index, candidate, provider, part, from, to });
            }
        }
        if !survey.ready.is_sorted_by_key(Ready::tier) {
            survey.ready.sort_by_key(Ready::tier);
        }
        survey
    }

    /// Gives what can be tried tier by tier, the first to be tried first.
    pub(crate) fn tiers(&self) -> impl Iterator<Item = &[Ready<'a>]> {
        self.ready.chunk_by(|a, b| a.tier() == b.tier())
    }

    /// Gives the usable credentials of a target.
    pub(crate) fn credentials(&self, ready: &Ready<'_>) -> &[Usable<'a>] {
        &self.usable[ready.places()]
    }

    /// Adds the credentials of a target that can be tried, notes the others, and gives the largest part of a share
    /// that one of them takes.
    fn credentials_of<L: Load>(
        &mut self,
        scene: &Scene<'a, L>,
        order: &mut Order,
        index: usize,
        candidate: &Candidate,
        provider: &'a ProviderOutlook,
    ) -> f64 {
        let model = candidate.target.model.as_str();
        let risen = provider.risen(scene.now);
        let mut fullest: f64 = 0.0;
        for (at, credential) in provider.credentials.iter().enumerate() {
            let (probes, part) = match provider.governing(credential, model, scene.now) {
                None | Some((_, Stage::Over)) => (false, 1.0),
                Some((_, Stage::Rising(part))) => (false, part),
                Some((_, Stage::HalfOpen(permit))) if may_probe(scene, permit.node.as_ref()) => (true, 1.0),
                Some((rest, stage)) => {
                    order.exclude(resting(index, at, rest, &stage, scene.now));
                    continue;
                }
            };
            let part = part.min(risen);
            fullest = fullest.max(part);
            self.usable.push(Usable { index: at, credential, probes, part });
        }
        fullest
    }
}

/// Tells why a whole target is left out; none when its credentials decide.
fn target_excluded(
    health_ignored: bool,
    index: usize,
    provider: &ProviderOutlook,
    now: WallTime,
) -> Option<Excluded> {
    if provider.is_down() && !health_ignored {
        return Some(whole(index, Exclusion::Unhealthy));
    }
    if let Some(quota) = provider.quota.filter(|quota| quota.is_used_up(now)) {
        return Some(Excluded { until: quota.resets_at, ..whole(index, Exclusion::QuotaExhausted) });
    }
    provider.credentials.is_empty().then(|| whole(index, Exclusion::NoCredential))
}

fn whole(candidate: usize, reason: Exclusion) -> Excluded {
    Excluded { candidate, credential: None, reason, cause: None, until: None }
}

/// Tells why a credential is left out that rests, or that another request is finding out about.
fn resting(candidate: usize, at: usize, rest: &Cooldown, stage: &Stage, now: WallTime) -> Excluded {
    let (reason, until) = match stage {
        Stage::Resting if rest.cause == CooldownCause::QuotaExhausted => {
            (Exclusion::QuotaExhausted, rest.until)
        }
        Stage::Resting => (Exclusion::Cooldown, rest.until),
        _ => (Exclusion::CircuitHalfOpenBusy, now.plus(VERDICT)),
    };
    Excluded { candidate, credential: Some(at), reason, cause: Some(rest.cause), until: Some(until) }
}

/// Tells whether more than half of the targets that may be used are unhealthy: the fault is then more likely to be near
/// than at all of them.
pub(super) fn health_is_ignored<L>(scene: &Scene<'_, L>, set: &CandidateSet) -> bool {
    let (mut all, mut down) = (0, 0);
    for candidate in set.candidates.iter().filter(|candidate| scene.allows(&candidate.target.provider)) {
        all += 1;
        let provider = scene.outlook.providers.get(candidate.slot);
        down += usize::from(provider.is_some_and(ProviderOutlook::is_down));
    }
    down * 2 > all
}

/// Tells whether this node may send the request that finds out whether a rest goes on. Only who has the permit, or
/// everyone for himself when nobody hands out permits.
fn may_probe<L>(scene: &Scene<'_, L>, permit: Option<&NodeId>) -> bool {
    scene.cut_off || permit.is_some_and(|holder| holder == scene.node)
}
