//! How a strategy sees the candidates of a tier: which are equals at the top, and how the others follow.

use super::{Load, Ready, Scene, cost, latency, quota_aware, round_robin};
use cliproxy_domain::Strategy;

/// One candidate as a strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    /// What it is ordered by: the lower the earlier.
    pub(crate) key: f64,
    /// What people are shown of that: milliseconds, US dollars for 1,000 tokens, or the quota that is left.
    pub(crate) score: Option<f64>,
    /// For people, what else counted.
    pub(crate) note: &'static str,
}

/// The candidates of a tier as a strategy sees them.
#[derive(Debug, PartialEq)]
pub(crate) struct Ranking {
    /// One for each candidate of the tier; none at all when all are equals.
    standings: Vec<Standing>,
    /// Those with a key up to this are equals at the top.
    limit: f64,
    /// Counts the requests that the equals take in turn.
    pub(crate) ticket: u64,
}

/// A candidate of a tier, by its key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    /// What it is ordered by; the same for all equals.
    pub(crate) key: f64,
    /// Its place in the tier.
    pub(crate) place: usize,
}

impl Ranking {
    /// Ranks `tier` by `strategy`.
    pub(crate) fn of<L: Load>(strategy: Strategy, scene: &Scene<'_, L>, tier: &[Ready<'_>]) -> Self {
        match strategy {
            Strategy::RoundRobin => round_robin::rank(scene.ticket),
            Strategy::QuotaAware => quota_aware::rank(scene.ticket, tier),
            Strategy::Latency => latency::rank(scene.ticket, scene.streaming, tier),
            Strategy::Cost => cost::rank(scene.ticket, tier),
        }
    }

    /// Makes all candidates equals.
    pub(super) fn level(ticket: u64) -> Self {
        Self { standings: Vec::new(), limit: f64::INFINITY, ticket }
    }

    /// Ranks by `standings`, where those up to `tolerance` times the lowest key are equals at the top.
    pub(super) fn by(standings: Vec<Standing>, tolerance: f64, ticket: u64) -> Self {
        let ranking = Self { standings, limit: 0.0, ticket };
        Self { limit: ranking.lowest() * tolerance, ..ranking }
    }

    /// Gives how the candidate at `place` of the tier stands; none where all are equals.
    pub(crate) fn standing(&self, place: usize) -> Option<&Standing> {
        self.standings.get(place)
    }

    /// Tells whether the candidate at `place` is one of the equals at the top.
    pub(crate) fn is_top(&self, place: usize) -> bool {
        self.key(place) <= self.limit
    }

    /// Gives the lowest key; 0 where all are equals.
    pub(crate) fn lowest(&self) -> f64 {
        self.standings.iter().map(|standing| standing.key).reduce(f64::min).unwrap_or(0.0)
    }

    /// Gives the places of a tier of `count` with their keys, in the order of these.
    pub(crate) fn places(&self, count: usize) -> Vec<Placed> {
        // The equals at the top stay in the order of the tier, or their turns would change with every measurement.
        let key = |place| if self.is_top(place) { f64::NEG_INFINITY } else { self.key(place) };
        let mut places: Vec<Placed> = (0..count).map(|place| Placed { key: key(place), place }).collect();
        if !places.is_sorted_by_key(|placed| placed.key) {
            places.sort_unstable_by(|a, b| a.key.total_cmp(&b.key).then(a.place.cmp(&b.place)));
        }
        places
    }

    fn key(&self, place: usize) -> f64 {
        self.standings.get(place).map_or(0.0, |standing| standing.key)
    }
}
