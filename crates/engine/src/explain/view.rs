//! A decision seen again: what the strategy made of each tier, and where the session belongs.

use crate::{
    affinity::home,
    candidates::CandidateSet,
    select::{Load, Order, Pick, Ranking, Ready, Scene, Standing, Survey, provider_weights, ranking, tier},
};
use cliproxy_domain::Strategy;

/// A decision with what it was made from.
pub(super) struct View<'a, L> {
    pub(super) scene: &'a Scene<'a, L>,
    pub(super) set: &'a CandidateSet,
    pub(super) order: &'a Order,
    pub(super) survey: Survey<'a>,
    /// What the strategy made of each tier, also where a session came before it.
    rankings: Vec<Ranking>,
    /// What the session calls its own, as places of a candidate and a credential.
    pub(super) home: Option<(usize, usize)>,
}

/// One pick as the decision saw it.
pub(super) struct Seen {
    /// The place of its tier among the tiers, and its own in that.
    tier: usize,
    place: usize,
    /// What the strategy made of it; none for round robin.
    pub(super) standing: Option<Standing>,
    /// The part of its share that it takes.
    pub(super) part: f64,
}

impl<'a, L: Load> View<'a, L> {
    pub(super) fn of(scene: &'a Scene<'a, L>, set: &'a CandidateSet, order: &'a Order) -> Self {
        let survey =
            Survey::of(scene, set, &mut Order { health_ignored: order.health_ignored, ..Order::default() });
        let rankings = survey.tiers().map(|tier| Ranking::of(set.strategy, scene, tier)).collect();
        let home = scene.session.and_then(|session| home_of(session, scene, set, &survey));
        Self { scene, set, order, survey, rankings, home }
    }

    pub(super) fn tier(&self, tier: usize) -> &[Ready<'a>] {
        self.survey.tiers().nth(tier).unwrap_or_default()
    }

    /// Gives what the strategy made of a tier that has a target.
    pub(super) fn by_strategy(&self, tier: usize) -> Option<&Ranking> {
        self.rankings.get(tier)
    }

    /// Finds a pick; none when the order was made from something else.
    pub(super) fn seen(&self, pick: Pick) -> Option<Seen> {
        let is_meant = |ready: &Ready<'_>| ready.index == pick.candidate;
        let found = self.survey.tiers().enumerate();
        let (tier, place) =
            found.into_iter().find_map(|(at, tier)| Some((at, tier.iter().position(is_meant)?)))?;
        let usable = self.survey.credentials(self.tier(tier).get(place)?);
        let part = usable.iter().find(|usable| usable.index == pick.credential)?.part;
        let standing = self.by_strategy(tier)?.standing(place).copied();
        Some(Seen { tier, place, standing, part })
    }

    pub(super) fn is_home(&self, pick: Pick) -> bool {
        self.home == Some((pick.candidate, pick.credential))
    }

    /// Tells whether a pick shares with one that the strategy likes a little better.
    pub(super) fn is_near(&self, seen: &Seen) -> bool {
        let Some(ranking) = self.by_strategy(seen.tier) else { return false };
        let known = seen.standing.filter(|standing| standing.score.is_some());
        known.is_some_and(|standing| ranking.is_top(seen.place) && standing.key > ranking.lowest())
    }
}

/// Finds what the session calls its own: of the first tier that is configured, also of what cannot be tried now. Where
/// the cost comes first, of the targets that cost least.
fn home_of<L: Load>(
    session: u64,
    scene: &Scene<'_, L>,
    set: &CandidateSet,
    survey: &Survey<'_>,
) -> Option<(usize, usize)> {
    if set.strategy == Strategy::Cost {
        let first = survey.tiers().next()?;
        let ranking = ranking(scene, set.strategy, first);
        let weights = provider_weights(scene.outlook, set, first.first()?.tier());
        let cheapest = (0..first.len()).filter(|place| ranking.is_top(*place)).map(|place| &first[place]);
        return home(session, cheapest.map(|ready| (ready.index, ready.candidate, ready.provider)), &weights);
    }
    let first = set.candidates.iter().map(tier).min()?;
    let weights = provider_weights(scene.outlook, set, first);
    let of_tier = set.candidates.iter().enumerate().filter(|(_, candidate)| tier(candidate) == first);
    let known = of_tier.filter_map(|(index, candidate)| {
        Some((index, candidate, scene.outlook.providers.get(candidate.slot)?))
    });
    home(session, known, &weights)
}
