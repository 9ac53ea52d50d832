//! Where a session belongs: every node computes the same credential for it without asking another, so that the
//! provider's prompt cache goes on serving it.
//!
//! Weighted rendezvous hashing in two steps. The session draws a lot for each provider, and for each credential of a
//! provider; the lowest provider's lowest credential is its own. What is left out moves no session but its own, to
//! each session's next choice, and these come back when it does. A session has the same credential of a provider
//! for all of its models: what a provider keeps for a client, it keeps by account.
//!
//! Written down since nodes of different builds and platforms must agree: a digest is XXH3-64 with seed 0 over the
//! parts, each after its length as 8 bytes, little end first. A provider's seed is the digest of its name, a
//! credential's that of the provider's name and its own. A draw is XXH3-64 over session and seed, 8 bytes each, little
//! end first. With `u`, a draw's upper 53 bits and a half over 2^53, the lot is `-ln(u) / weight`.

use crate::{
    candidates::Candidate,
    outlook::ProviderOutlook,
    select::{Load, Placed, Ready, Scene, Survey, Usable, unit},
};
use cliproxy_domain::ModelName;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// How much more than its share of the open calls a credential takes.
const BOUND: f64 = 1.25;
/// Open calls from which on a credential can have more than its share: the calls that one client makes side by side
/// would else leave its cache, where nobody else calls.
const FLOOR: f64 = 4.0;

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

/// Draws the lot of a choice of `weight` for a session: the lowest is its own. Given as the bits of a number above 0
/// and below 1, which are ordered as the number is, and leave the two highest bits free.
fn lot(session: u64, seed: u64, weight: f64) -> u64 {
    let half = 1.0 / (1u64 << 54) as f64;
    // No logarithm of a draw is below -38.
    (-ln(unit(draw(session, seed)) + half) / (64.0 * weight.max(1.0))).to_bits()
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
    for term in [1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0] {
        series = series * square + term;
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * series
}

/// Draws between models of one provider, which have its lot alike: the lowest is the session's own.
fn draw_for_model(session: u64, model: &ModelName) -> u64 {
    draw(session, digest(&[model.as_str().as_bytes()]))
}

/// Finds what a session calls its own: the place of a candidate and of one of its provider's credentials, among
/// `candidates` with their places, whether or not they can be tried now. None when there is no credential at all.
/// `weights` has the weights of all targets of a provider in the tier, by its slot.
pub(crate) fn home<'a>(
    session: u64,
    candidates: impl Iterator<Item = (usize, &'a Candidate, &'a ProviderOutlook)>,
    weights: &[u64],
) -> Option<(usize, usize)> {
    let usable = candidates.filter(|(_, _, provider)| !provider.credentials.is_empty());
    let (index, _, provider) = usable.min_by_key(|(_, candidate, provider)| {
        let weight = weights.get(candidate.slot).copied().unwrap_or(1);
        let own = lot(session, provider.seed, weight as f64);
        (own, draw_for_model(session, &candidate.target.model))
    })?;
    let credentials = provider.credentials.iter().enumerate();
    let (at, _) = credentials.min_by_key(|(_, own)| lot(session, own.seed, f64::from(own.weight)))?;
    Some((index, at))
}

/// Why a credential stands behind others although a session prefers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Late {
    /// It does not.
    No,
    /// It takes only a part of its sessions yet, and this is not one of them.
    Rising,
    /// It has more open calls than its share, and not only a few.
    Busy,
}

impl Late {
    /// Puts this before a lot.
    fn before(self, lot: u64) -> u64 {
        (self as u64) << 62 | lot
    }
}

/// One credential as a session sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// Its place among the survey's usable credentials.
    pub(crate) usable: usize,
    /// Whether it stands behind.
    pub(crate) late: Late,
    lot: u64,
    /// Its open calls.
    open: u32,
    /// Its part of its target's weight, as far as it has returned.
    capacity: f64,
}

/// One target as a session sees it.
struct Row {
    place: usize,
    /// Whether its first credential stands behind, and the lot of its provider.
    key: u64,
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
        group: &[Placed],
        weights: &[u64],
    ) {
        self.rows.clear();
        self.rows.reserve(group.len());
        self.seats.clear();
        self.seats.reserve(survey.usable.len());
        for Placed { place, .. } in group {
            self.enter(scene, session, survey, *place, &tier[*place]);
        }
        let bound = self.bound();
        for row in &mut self.rows {
            let ready = &tier[row.place];
            let seats = &mut self.seats[row.from..row.to];
            for seat in seats.iter_mut() {
                if f64::from(seat.open) >= (seat.capacity * bound).max(FLOOR) {
                    seat.late = Late::Busy;
                } else if !returns(session, &survey.usable[seat.usable]) {
                    seat.late = Late::Rising;
                }
            }
            seats.sort_unstable_by_key(|seat| (seat.late.before(seat.lot), seat.usable));
            if group.len() > 1 {
                let weight = weights.get(ready.candidate.slot).copied().unwrap_or(1);
                let late = seats.first().map_or(Late::Busy, |first| first.late);
                row.key = late.before(lot(session, ready.provider.seed, weight as f64));
            }
        }
        self.rows.sort_unstable_by_key(|row| row.key);
        for same in self.rows.chunk_by_mut(|a, b| a.key == b.key).filter(|same| same.len() > 1) {
            let model = |row: &Row| &tier[row.place].candidate.target.model;
            same.sort_by_key(|row| (draw_for_model(session, model(row)), row.place));
        }
    }

    /// Enters a target with its credentials.
    fn enter<L: Load>(
        &mut self,
        scene: &Scene<'_, L>,
        session: u64,
        survey: &Survey<'_>,
        place: usize,
        ready: &Ready<'_>,
    ) {
        let from = self.seats.len();
        let known = survey.credentials(ready);
        let all: u64 = known.iter().map(|known| u64::from(known.credential.weight)).sum();
        let share = f64::from(ready.candidate.weight) / all as f64;
        for (usable, known) in ready.places().zip(known) {
            let weight = f64::from(known.credential.weight);
            self.seats.push(Seat {
                usable,
                late: Late::No,
                // The only one needs no lot.
                lot: if ready.count() > 1 { lot(session, known.credential.seed, weight) } else { 0 },
                open: scene.load.in_flight(ready.candidate.slot, known.index),
                capacity: share * weight * known.part,
            });
        }
        self.rows.push(Row { place, key: 0, from, to: self.seats.len() });
    }

    /// Gives the open calls for each unit of capacity from which on a credential is passed over: one more would be
    /// more than [`BOUND`] times its share of all, rounded up.
    fn bound(&self) -> f64 {
        let open: u64 = self.seats.iter().map(|seat| u64::from(seat.open)).sum();
        let capacity: f64 = self.seats.iter().map(|seat| seat.capacity).sum();
        // A product that is whole but for its last digits is whole.
        BOUND * (open + 1) as f64 / capacity * (1.0 - 1e-9)
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

#[cfg(test)]
mod tests;
