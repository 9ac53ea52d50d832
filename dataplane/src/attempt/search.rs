//! Finds what to try next: choices that do not rest by now, and whose target can take the request.

use super::{
    Attempter,
    charge::{Charge, Patience, Shortage, Till},
    half_open::HalfOpen,
    prepared::{Pen, Prepared},
};
use crate::{
    decode::Call,
    refusal::Refusal,
    route::{Decided, Route, spent, unavailable},
};
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{CooldownCause, Exclusion, LedgerKey, WallTime};
use cliproxy_engine::{Excluded, Pick, cooldown::Stage, select::VERDICT};
use std::sync::Arc;

/// Where the search for the next choice stands.
#[derive(Default)]
pub(super) struct Search {
    at: usize,
    /// What was left out since the decision.
    left_out: Vec<Excluded>,
    /// Why the first of the targets that could not take the request could not.
    refused: Option<Refused>,
    /// The limits that stood in the way.
    short: Vec<(Pick, Shortage)>,
    /// The first choice that a budget had too little for, and might have more in a while.
    lacking: Option<Pick>,
    /// Something could be tried.
    has_found: bool,
    till: Till,
}

/// A choice that can be tried now.
pub(super) struct Found {
    pub(super) prepared: Prepared,
    /// There when this attempt finds out whether a rest goes on.
    pub(super) half_open: Option<HalfOpen>,
    /// What is reserved for it.
    pub(super) charge: Charge,
}

/// Why a choice cannot be tried now.
struct Out {
    reason: Exclusion,
    cause: Option<CooldownCause>,
    until: Option<WallTime>,
}

impl Search {
    /// Finds the next choice. A credential may have been sent away since the decision, by an attempt of this very
    /// request. Where a limit has too little for it in hand it waits, unless something goes on meanwhile: a moment while
    /// something else can be tried, and longer before the request is refused.
    pub(super) async fn next(
        &mut self,
        attempter: &Attempter,
        call: &Call,
        route: &Route,
        may_wait: bool,
    ) -> Option<Found> {
        let picks = &route.decided.order.picks;
        while let Some(pick) = picks.get(self.at).copied().filter(|_| !self.is_barred()) {
            self.at += 1;
            let is_last = self.at == picks.len() && !self.has_found;
            let patience = match may_wait {
                false => Patience::None,
                true if is_last => Patience::Last,
                true => Patience::Brief,
            };
            if let Some(found) = self.make_ready(attempter, call, route, pick, patience).await {
                return Some(found);
            }
        }
        if !may_wait || self.has_found || self.is_barred() {
            return None;
        }
        // What was waited for only a moment, as something else could be tried.
        let pick = self.lacking.take()?;
        self.forget(pick);
        self.make_ready(attempter, call, route, pick, Patience::Last).await
    }

    /// Makes a pick ready to be tried; none when it cannot be, which is noted.
    async fn make_ready(
        &mut self,
        attempter: &Attempter,
        call: &Call,
        route: &Route,
        pick: Pick,
        patience: Patience,
    ) -> Option<Found> {
        let half_open = match admitted(attempter, route, pick) {
            Ok(half_open) => half_open,
            Err(out) => {
                self.leave_out(pick, out);
                return None;
            }
        };
        match prepared(attempter, call, route, pick)? {
            Ok(prepared) => match self.till.charge(attempter, call, &prepared, patience).await {
                Ok(charge) => {
                    self.has_found = true;
                    return Some(Found { prepared, half_open, charge });
                }
                Err(shortage) => self.lacks(pick, shortage, patience),
            },
            Err(refused) => {
                self.refused.get_or_insert(refused);
                self.left_out.push(Excluded {
                    candidate: pick.candidate,
                    credential: None,
                    reason: Exclusion::Capability,
                    cause: None,
                    until: None,
                });
            }
        }
        None
    }

    /// Finds the same choice again; none when it rests by now, or another request is finding out about it.
    pub(super) async fn again(
        &mut self,
        attempter: &Attempter,
        call: &Call,
        route: &Route,
        found: Found,
    ) -> Option<Found> {
        let Found { prepared, .. } = found;
        let half_open = match admitted(attempter, route, prepared.pick) {
            Ok(half_open) => half_open,
            Err(out) => {
                self.leave_out(prepared.pick, out);
                return None;
            }
        };
        match self.till.charge(attempter, call, &prepared, Patience::Last).await {
            Ok(charge) => Some(Found { prepared, half_open, charge }),
            Err(shortage) => {
                self.lacks(prepared.pick, shortage, Patience::Last);
                None
            }
        }
    }

    /// Takes back what was found last and is not used: it is found again, if it can still be tried then.
    pub(super) fn take_back(&mut self, found: Found) {
        drop(found);
        self.at = self.at.saturating_sub(1);
    }

    /// Gives what was left out since the decision.
    pub(super) fn left_out(&self) -> &[Excluded] {
        &self.left_out
    }

    /// Says why nothing could be tried: the request's own fault where every target lacks what it needs, else that they
    /// are out for now.
    pub(super) fn nothing(self, call: &Call, route: &Route, now: WallTime) -> Nothing {
        let excluded = route.decided.nothing_tried(self.left_out);
        if let Some(refusal) = of_limits(self.short, &route.decided, excluded, now) {
            return Nothing::Unavailable(refusal);
        }
        let passes = excluded.iter().any(|excluded| !excluded.reason.is_lasting());
        match self.refused {
            Some(refused) if !passes => Nothing::Refused(refused),
            _ => Nothing::Unavailable(unavailable(&call.model, &route.decided, excluded, now)),
        }
    }

    fn leave_out(&mut self, pick: Pick, out: Out) {
        self.left_out.push(Excluded {
            candidate: pick.candidate,
            credential: Some(pick.credential),
            reason: out.reason,
            cause: out.cause,
            until: out.until,
        });
    }

    /// Leaves a pick out that a limit has too little for.
    fn lacks(&mut self, pick: Pick, shortage: Shortage, patience: Patience) {
        let Shortage { reason, until, .. } = shortage;
        if patience == Patience::Brief && shortage.may_come {
            self.lacking.get_or_insert(pick);
        }
        self.leave_out(pick, Out { reason, cause: None, until });
        self.short.push((pick, shortage));
    }

    /// Forgets that a limit had too little for a pick: it is asked again.
    fn forget(&mut self, pick: Pick) {
        self.short.retain(|(of, _)| *of != pick);
        let is_of =
            |out: &Excluded| out.candidate == pick.candidate && out.credential == Some(pick.credential);
        self.left_out.retain(|out| !is_of(out));
    }

    /// Tells whether a limit of the caller's own stands in the way of every target.
    fn is_barred(&self) -> bool {
        self.short.last().is_some_and(|(_, shortage)| shortage.is_callers)
    }
}

/// Gives what the client is told where limits alone keep it from every target: of its own one, else of the one that has
/// room first, also where that was known before any was tried. What can never take the request is told only where
/// nothing else is in the way.
fn of_limits(
    mut short: Vec<(Pick, Shortage)>,
    decided: &Decided,
    excluded: &[Excluded],
    now: WallTime,
) -> Option<Refusal> {
    if let Some((_, own)) = short.pop_if(|(_, shortage)| shortage.is_callers) {
        return Some(own.refusal);
    }
    let mut told: Vec<(Option<WallTime>, Refusal)> = Vec::new();
    for out in excluded.iter().filter(|out| !out.reason.is_lasting()) {
        let is_of = |(pick, shortage): &(Pick, Shortage)| {
            (out.candidate, out.credential) == (pick.candidate, Some(pick.credential))
                && out.reason == shortage.reason
        };
        told.push(match short.iter().position(is_of) {
            Some(at) => {
                let (_, shortage) = short.remove(at);
                (shortage.until, shortage.refusal)
            }
            None => spent(decided, out, now).map(|(until, refusal)| (Some(until), refusal))?,
        });
    }
    if told.is_empty() {
        told.extend(short.into_iter().map(|(_, shortage)| (shortage.until, shortage.refusal)));
    }
    // What never has room comes last.
    told.into_iter().min_by_key(|(until, _)| (until.is_none(), *until)).map(|(_, refusal)| refusal)
}

/// Why nothing could be tried.
pub(super) enum Nothing {
    /// No target can do what the request needs.
    Refused(Refused),
    /// All targets are out.
    Unavailable(Refusal),
}

/// Writes the body for a pick; none when it is of no provider that is configured.
fn prepared(
    attempter: &Attempter,
    call: &Call,
    route: &Route,
    pick: Pick,
) -> Option<Result<Prepared, Refused>> {
    let choice = route.decided.choice(pick)?;
    let upstream = route.decided.known.upstream(&choice.target.provider)?;
    let slot = route.decided.resolved.set.candidates.get(pick.candidate)?.slot;
    let (provider, model) = (choice.target.provider.clone(), choice.target.model.clone());
    let prepared = route.way(call, pick).and_then(|way| {
        let pen = Pen {
            policy: route.decided.known.snapshot.policy.translation,
            random: [attempter.entropy.next_u64(), attempter.entropy.next_u64()],
            now: attempter.clock.wall(),
        };
        Prepared::new(call, Arc::clone(upstream), (pick, slot), choice, way, &pen)
    });
    if let Err(refused) = &prepared {
        tracing::debug!(request_id = %call.id, %provider, %model, field = %refused.field,
            reason = Exclusion::Capability.as_str(), "a target is left out");
    }
    Some(prepared)
}

/// Tells whether a pick can be tried by what is known now; with the permit where it needs one.
fn admitted(attempter: &Attempter, route: &Route, pick: Pick) -> Result<Option<HalfOpen>, Out> {
    let (outlook, now) = (route.decided.known.outlook(), attempter.clock.wall());
    let Some((candidate, provider, credential)) = route.decided.place(&outlook, pick) else {
        return Ok(None);
    };
    let model = &candidate.target.model;
    match provider.governing(credential, model.as_str(), now) {
        Some((rest, Stage::Resting)) => {
            let spent = rest.cause == CooldownCause::QuotaExhausted;
            let reason = if spent { Exclusion::QuotaExhausted } else { Exclusion::Cooldown };
            Err(Out { reason, cause: Some(rest.cause), until: Some(rest.until) })
        }
        Some((rest, Stage::HalfOpen(_))) => {
            let subject = LedgerKey {
                provider: provider.name.clone(),
                credential: credential.name.clone(),
                model: model.clone(),
            };
            if let Some(probing) = attempter.live.take_permit(rest, &attempter.node, now) {
                return Ok(Some(HalfOpen::new(probing, subject, &attempter.witness)));
            }
            attempter.want_permit(rest, subject, now);
            let (reason, until) = (Exclusion::CircuitHalfOpenBusy, now.plus(VERDICT));
            Err(Out { reason, cause: Some(rest.cause), until: Some(until) })
        }
        _ => Ok(None),
    }
}
