//! Where a session belongs: every node computes the same credential for it without asking another, so that the
//! provider's prompt cache goes on serving it.
//!
//! Weighted rendezvous hashing in two steps. The session draws a score for each provider, and for each credential of
//! a provider; the highest provider's highest credential is its own. What is left out moves no session but its own,
//! to each session's next choice, and these come back when it does. A session has the same credential of a provider
//! for all of its models: what a provider keeps for a client, it keeps by account.
//!
//! Written down since nodes of different builds and platforms must agree: a digest is XXH3-64 with seed 0 over the
//! parts, each after its length as 8 bytes, little end first. A provider's seed is the digest of its name, a
//! credential's that of the provider's name and its own. A draw is XXH3-64 over session and seed, 8 bytes each, little
//! end first. With `u`, a draw's upper 53 bits and a half over 2^53, the score is `weight / -ln(u)`.

use crate::{
    candidates::Candidate,
    outlook::{CredentialOutlook, ProviderOutlook},
    select::{Load, Ready, Scene, Survey, Usable, unit},
};
use cliproxy_domain::ModelName;
use std::cmp::Ordering;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// How much more than its share of the open calls a credential takes.
const BOUND: f64 = 1.25;

/// Hashes what names a session. Parts are kept apart: `["ab", "c"]` is not `["a", "bc"]`.
pub fn session_hash(parts: &[&[u8]]) -> u64 {
    digest(parts)
}

/// Gives what a session's draws for a provider begin with.
pub(crate) fn provider_seed(provider: &str) -> u64 {
    digest(&[provider.as_bytes()])
}

/// Gives what a session's draws for a credential begin with.
pub(crate) fn credential_seed(provider: &str, credential: &str) -> u64 {
    digest(&[provider.as_bytes(), credential.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> u64 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest()
}

fn draw(session: u64, seed: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&session.to_le_bytes());
    bytes[8..].copy_from_slice(&seed.to_le_bytes());
    xxh3_64(&bytes)
}

/// Scores a choice of `weight` for a session: the highest is its own.
pub(crate) fn score(session: u64, seed: u64, weight: f64) -> f64 {
    let half = 1.0 / (1u64 << 54) as f64;
    weight / -ln(unit(draw(session, seed)) + half)
}

/// Gives the natural logarithm of a number above 0 and up to 1. By additions, multiplications and divisions alone,
/// which every platform rounds alike; those of the platforms differ in their last digits.
fn ln(value: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52).unwrap_or(0) - 1023;
    let mantissa = f64::from_bits(bits & MANTISSA | ONE);
    // Between the roots of a half and of two, where the series is short.
    let (mantissa, exponent) = if mantissa > std::f64::consts::SQRT_2 {
        (mantissa / 2.0, exponent + 1)
    } else {
        (mantissa, exponent)
    };
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for divisor in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * square + 1.0 / divisor;
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * series
}

/// Compares two targets by the scores of their providers, the higher first. Two models of one provider draw again.
pub(crate) fn compare_targets(
    session: u64,
    (a, model_of_a): (f64, &ModelName),
    (b, model_of_b): (f64, &ModelName),
) -> Ordering {
    let again = |model: &ModelName| draw(session, digest(&[model.as_str().as_bytes()]));
    b.total_cmp(&a).then_with(|| again(model_of_b).cmp(&again(model_of_a)))
}

/// Finds what a session calls its own: the place of a candidate and of one of its provider's credentials, among
/// `candidates` with their places, whether or not they can be tried now. None when there is no credential at all.
/// `weights` has the weights of all targets of a provider in the tier, by its slot.
pub(crate) fn home<'a>(
    session: u64,
    candidates: impl Iterator<Item = (usize, &'a Candidate, &'a ProviderOutlook)>,
    weights: &[u64],
) -> Option<(usize, usize)> {
    let scored = candidates.filter(|(_, _, provider)| !provider.credentials.is_empty()).map(|found| {
        let weight = weights.get(found.1.slot).copied().unwrap_or(1);
        (score(session, found.2.seed, weight as f64), found)
    });
    let (_, (index, _, provider)) = scored.min_by(|(score_a, a), (score_b, b)| {
        compare_targets(session, (*score_a, &a.1.target.model), (*score_b, &b.1.target.model))
    })?;
    let own = |credential: &CredentialOutlook| score(session, credential.seed, f64::from(credential.weight));
    let credentials = provider.credentials.iter().enumerate();
    let (at, _) = credentials.min_by(|(_, a), (_, b)| own(b).total_cmp(&own(a)))?;
    Some((index, at))
}

/// Why a credential stands behind others although a session prefers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Late {
    /// It does not.
    No,
    /// It takes only a part of its sessions yet, and this is not one of them.
    Rising,
    /// It has more open calls than its share.
    Busy,
}

/// One credential as a session sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// Its place among the survey's usable credentials.
    pub(crate) usable: usize,
    /// Whether it stands behind.
    pub(crate) late: Late,
    score: f64,
}

struct Row {
    place: usize,
    late: Late,
    score: f64,
    from: usize,
    to: usize,
}

/// The targets of a group and their credentials, as a session prefers them.
#[derive(Default)]
pub(crate) struct Seating {
    rows: Vec<Row>,
    seats: Vec<Seat>,
}

impl Seating {
    /// Seats the targets of `tier` that `group` names by their places, in place of those that sat before. `weights` has
    /// the weights of all targets of a provider in the tier, by its slot.
    pub(crate) fn seat<L: Load>(
        &mut self,
        scene: &Scene<'_, L>,
        session: u64,
        survey: &Survey<'_>,
        tier: &[Ready<'_>],
        group: &[usize],
        weights: &[u64],
    ) {
        self.rows.clear();
        self.seats.clear();
        let bounds = Bounds::of(scene, survey, tier, group);
        for place in group {
            let ready = &tier[*place];
            let from = self.seats.len();
            for (usable, known) in ready.places().zip(survey.credentials(ready)) {
                let late = if bounds.are_passed(scene, survey, ready, known) {
                    Late::Busy
                } else if returns(session, known) {
                    Late::No
                } else {
                    Late::Rising
                };
                let score = score(session, known.credential.seed, f64::from(known.credential.weight));
                self.seats.push(Seat { usable, late, score });
            }
            let seats = &mut self.seats[from..];
            seats.sort_unstable_by(|a, b| {
                (a.late.cmp(&b.late)).then(b.score.total_cmp(&a.score)).then(a.usable.cmp(&b.usable))
            });
            let Some(first) = seats.first() else { continue };
            let weight = weights.get(ready.candidate.slot).copied().unwrap_or(1);
            self.rows.push(Row {
                place: *place,
                late: first.late,
                score: score(session, ready.provider.seed, weight as f64),
                from,
                to: self.seats.len(),
            });
        }
        let named = |row: &Row| (row.score, &tier[row.place].candidate.target.model);
        self.rows.sort_unstable_by(|a, b| {
            let late = a.late.cmp(&b.late);
            late.then_with(|| compare_targets(session, named(a), named(b))).then(a.place.cmp(&b.place))
        });
    }

    /// Gives each target's place in its tier with its credentials, first to last.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (usize, &[Seat])> {
        self.rows.iter().map(|row| (row.place, &self.seats[row.from..row.to]))
    }
}

/// Tells whether a credential that takes a part of its share takes this session. The part of the sessions grows and
/// none changes its mind, so that each moves back once; the draw is not the one that chose the credential, which is
/// high for all that did.
fn returns(session: u64, usable: &Usable<'_>) -> bool {
    usable.part >= 1.0 || unit(draw(!session, usable.credential.seed)) < usable.part
}

/// How many open calls are too many.
struct Bounds {
    /// Open calls for each unit of capacity at which a credential has as many as it may; none while there are none.
    each: Option<f64>,
}

impl Bounds {
    fn of<L: Load>(scene: &Scene<'_, L>, survey: &Survey<'_>, tier: &[Ready<'_>], group: &[usize]) -> Self {
        let (mut open, mut capacities) = (0u64, 0.0);
        for ready in group.iter().map(|place| &tier[*place]) {
            for known in survey.credentials(ready) {
                open += u64::from(scene.load.in_flight(ready.candidate.slot, known.index));
                capacities += capacity(survey, ready, known);
            }
        }
        let each = BOUND * (open + 1) as f64 / capacities;
        Self { each: (open > 0 && each.is_finite()).then_some(each) }
    }

    /// Tells whether one more call would be more than [`BOUND`] times the credential's share of all open calls.
    fn are_passed<L: Load>(
        &self,
        scene: &Scene<'_, L>,
        survey: &Survey<'_>,
        ready: &Ready<'_>,
        known: &Usable<'_>,
    ) -> bool {
        let Some(each) = self.each else { return false };
        let open = f64::from(scene.load.in_flight(ready.candidate.slot, known.index));
        // A product that is whole but for its last digit is whole.
        open + 1.0 > (each * capacity(survey, ready, known) - 1e-9).ceil()
    }
}

/// Gives a credential's part of its target's weight, as far as it has returned.
fn capacity(survey: &Survey<'_>, ready: &Ready<'_>, known: &Usable<'_>) -> f64 {
    let all: u64 = survey.credentials(ready).iter().map(|known| u64::from(known.credential.weight)).sum();
    let share = f64::from(known.credential.weight) / all.max(1) as f64;
    f64::from(ready.candidate.weight) * share * known.part
}
