//! The order within tiers: whose turn it is among equals, and the credentials of each target.

use super::{
    Load, Pick, Ready, Scene, Survey,
    ranking::{Placed, Ranking},
    turn::{Member, in_turn},
    usable::{Tier, tier},
};
use crate::{
    affinity::{Late, Seating},
    candidates::CandidateSet,
    outlook::Outlook,
};
use cliproxy_domain::Strategy;

/// Puts what can be tried in order, tier by tier.
pub(super) struct Arrangement<'a, L> {
    scene: &'a Scene<'a, L>,
    set: &'a CandidateSet,
    survey: &'a Survey<'a>,
    /// The first credential of each target.
    pub(super) picks: Vec<Pick>,
    /// Their other credentials.
    pub(super) spares: Vec<Pick>,
    /// Targets that rise and belong behind the rest of their tier.
    late: Vec<Member>,
    /// The same where a session chose their credentials.
    late_picks: Vec<Pick>,
    // The rest is kept for its memory.
    members: Vec<Member>,
    keys: Vec<Member>,
    seating: Seating,
}

impl<'a, L: Load> Arrangement<'a, L> {
    pub(super) fn new(scene: &'a Scene<'a, L>, set: &'a CandidateSet, survey: &'a Survey<'a>) -> Self {
        Self {
            scene,
            set,
            survey,
            picks: Vec::with_capacity(survey.usable.len()),
            spares: Vec::with_capacity(survey.usable.len() - survey.ready.len()),
            late: Vec::new(),
            late_picks: Vec::new(),
            members: Vec::new(),
            keys: Vec::new(),
            seating: Seating::default(),
        }
    }

    /// Adds the targets of the next tier.
    pub(super) fn add(&mut self, tier: &[Ready<'_>]) {
        let ranking = ranking(self.scene, self.set.strategy, tier);
        let places = ranking.places(tier.len());
        match self.scene.session {
            Some(session) => self.add_for_session(session, tier, &places),
            None => self.add_in_turn(tier, ranking.ticket, &places),
        }
        let mut late = std::mem::take(&mut self.late);
        late.sort_by(|a, b| b.part.total_cmp(&a.part));
        for member in late.drain(..) {
            self.add_credentials(&tier[member.place], member.had);
        }
        self.late = late;
        self.picks.append(&mut self.late_picks);
    }

    fn add_in_turn(&mut self, tier: &[Ready<'_>], ticket: u64, places: &[Placed]) {
        let before = self.picks.len();
        let mut members = std::mem::take(&mut self.members);
        for equals in places.chunk_by(|a, b| a.key == b.key) {
            members.clear();
            members.extend(equals.iter().map(|Placed { place, .. }| {
                let ready = &tier[*place];
                Member::new(*place, ready.candidate.weight, ready.part)
            }));
            let decided = self.picks.len() > before;
            let lead = in_turn(&mut members, ticket, decided);
            for member in &members[..lead] {
                self.add_credentials(&tier[member.place], member.had);
            }
            self.late.extend_from_slice(&members[lead..]);
        }
        self.members = members;
    }

    fn add_for_session(&mut self, session: u64, tier: &[Ready<'_>], places: &[Placed]) {
        let Some(first) = tier.first() else { return };
        let weights = provider_weights(self.scene.outlook, self.set, first.tier());
        let mut seating = std::mem::take(&mut self.seating);
        for equals in places.chunk_by(|a, b| a.key == b.key) {
            seating.seat(self.scene, session, self.survey, tier, equals, &weights);
            // Where other groups follow, one of them takes the sessions that are not back yet.
            let others_follow = equals.last() != places.last();
            for (place, seats) in seating.targets() {
                let is_late = others_follow && seats.first().is_some_and(|seat| seat.late == Late::Rising);
                for (at, seat) in seats.iter().enumerate() {
                    let pick = self.named(&tier[place], seat.usable);
                    match at {
                        0 if is_late => self.late_picks.push(pick),
                        0 => self.picks.push(pick),
                        _ => self.spares.push(pick),
                    }
                }
            }
        }
        self.seating = seating;
    }

    /// Adds the credentials of a target for its own turn number `turn`.
    fn add_credentials(&mut self, ready: &Ready<'_>, turn: u64) {
        if ready.count() == 1 {
            return self.picks.push(self.named(ready, ready.places().start));
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(ready.places().map(|place| {
            let usable = &self.survey.usable[place];
            // The target takes no more turns than its fullest credential: what the others take is part of that.
            Member::new(place, usable.credential.weight, usable.part / ready.part)
        }));
        in_turn(&mut keys, turn, false);
        for (at, key) in keys.iter().enumerate() {
            let pick = self.named(ready, key.place);
            if at == 0 { self.picks.push(pick) } else { self.spares.push(pick) }
        }
        self.keys = keys;
    }

    fn named(&self, ready: &Ready<'_>, usable: usize) -> Pick {
        let known = &self.survey.usable[usable];
        Pick { candidate: ready.index, credential: known.index, probes: known.probes }
    }
}

/// Ranks a tier as the order goes by it.
///
/// What is saved on a session's cached prompt is more than what a faster target or a fuller quota gives, and less than
/// what a dearer one takes: of the strategies only the cost comes before a session's own credential.
pub(crate) fn ranking<L: Load>(scene: &Scene<'_, L>, strategy: Strategy, tier: &[Ready<'_>]) -> Ranking {
    match scene.session {
        Some(_) if strategy != Strategy::Cost => Ranking::level(scene.ticket),
        _ => Ranking::of(strategy, scene, tier),
    }
}

/// Sums the weights of each provider's targets in a tier, by slot. Those that cannot be tried are in it, so that what
/// rests of one model does not move the sessions of another.
pub(crate) fn provider_weights(outlook: &Outlook, set: &CandidateSet, of: Tier) -> Vec<u64> {
    let mut weights = vec![0; outlook.providers.len()];
    for candidate in set.candidates.iter().filter(|candidate| tier(candidate) == of) {
        if let Some(weight) = weights.get_mut(candidate.slot) {
            *weight += u64::from(candidate.weight);
        }
    }
    weights
}
