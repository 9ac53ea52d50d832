//! Finds what to try next: choices that do not rest by now, and whose target can take the request.

use super::{
    Attempter,
    prepared::{Pen, Prepared},
};
use crate::{decode::Call, route::Route};
use cliproxy_dialects::form::Refused;
use cliproxy_domain::Exclusion;
use cliproxy_engine::{CredentialOutlook, Outlook, Pick, ProviderOutlook, cooldown::Stage};
use std::sync::Arc;

/// Where the search for the next choice stands.
#[derive(Default)]
pub(super) struct Search {
    at: usize,
    /// Why the first of the targets that could not take the request could not.
    pub(super) refused: Option<Refused>,
}

impl Search {
    /// Finds the next choice. A credential may have been sent away since the route was decided, by an attempt of this
    /// very request.
    pub(super) fn next(&mut self, attempter: &Attempter, call: &Call, route: &Route) -> Option<Prepared> {
        while let Some(pick) = route.order.picks.get(self.at).copied() {
            self.at += 1;
            if rests(attempter, route, pick) {
                continue;
            }
            let Some(choice) = route.choice(pick) else { continue };
            let Some(upstream) = route.ground.known.upstream(&choice.target.provider) else { continue };
            let slot = route.ground.resolved.set.candidates[pick.candidate].slot;
            let (provider, model) = (choice.target.provider.clone(), choice.target.model.clone());
            let prepared = route.way(call, pick).and_then(|way| {
                let pen = Pen {
                    policy: route.ground.known.snapshot.policy.translation,
                    random: [attempter.entropy.next_u64(), attempter.entropy.next_u64()],
                    now: attempter.clock.wall(),
                };
                Prepared::new(call, Arc::clone(upstream), (pick, slot), choice, way, &pen)
            });
            match prepared {
                Ok(prepared) => return Some(prepared),
                Err(refused) => {
                    tracing::debug!(request_id = %call.id, %provider, %model,
                        reason = Exclusion::Capability.as_str(), field = %refused.field,
                        "a target is left out");
                    self.refused.get_or_insert(refused);
                }
            }
        }
        None
    }
}

/// Finds a pick in an outlook on the same configuration.
pub(super) fn place<'a>(
    route: &Route,
    outlook: &'a Outlook,
    pick: Pick,
) -> Option<(&'a ProviderOutlook, &'a CredentialOutlook)> {
    let candidate = route.ground.resolved.set.candidates.get(pick.candidate)?;
    let provider = outlook.providers.get(candidate.slot)?;
    Some((provider, provider.credentials.get(pick.credential)?))
}

/// Tells whether a pick rests by what is known now.
fn rests(attempter: &Attempter, route: &Route, pick: Pick) -> bool {
    let outlook = route.ground.known.outlook();
    let Some((provider, credential)) = place(route, &outlook, pick) else { return true };
    let model = &route.ground.resolved.set.candidates[pick.candidate].target.model;
    let governing = provider.governing(credential, model.as_str(), attempter.clock.wall());
    matches!(governing, Some((_, Stage::Resting)))
}
