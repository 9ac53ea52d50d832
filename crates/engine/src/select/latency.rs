//! `latency`: the lowest recent latency; those near it share.

use super::{
    Ready,
    ranking::{Ranking, Standing},
};

/// So many answers within the window make a mean worth going by.
pub(crate) const ENOUGH: u64 = 5;
/// One request in so many goes first to a target with too few answers, where there is one.
pub(crate) const EXPLORED: u64 = 20;
/// How far above the lowest latency others still share: going by less would herd all traffic onto whoever was measured
/// last.
pub(crate) const NEAR: f64 = 1.1;

/// Ranks a tier: streams by the mean time to their first event, the rest by the mean of the whole time, kept apart.
///
/// Failures are in no mean, so that a fast one attracts nothing. Targets with too few answers come last, but for one
/// ticket in [`EXPLORED`], which goes to one of them first. The tickets between are numbered without these, so that
/// turns stay exact.
pub(super) fn rank(ticket: u64, streaming: bool, tier: &[Ready<'_>]) -> Ranking {
    let mut unknown = 0;
    let mut standings: Vec<Standing> = Vec::with_capacity(tier.len());
    for ready in tier {
        standings.push(match mean_ms(ready, streaming) {
            Some(mean) => Standing { key: mean, score: Some(mean), note: "" },
            None => {
                unknown += 1;
                Standing { key: f64::INFINITY, score: None, note: "too few answers lately" }
            }
        });
    }
    if unknown == 0 || unknown == tier.len() {
        return Ranking::by(standings, NEAR, ticket);
    }
    if ticket % EXPLORED < EXPLORED - 1 {
        return Ranking::by(standings, NEAR, ticket - ticket / EXPLORED);
    }
    for standing in standings.iter_mut().filter(|standing| standing.score.is_none()) {
        *standing =
            Standing { key: f64::NEG_INFINITY, score: None, note: "explored: too few answers lately" };
    }
    Ranking::by(standings, NEAR, ticket / EXPLORED)
}

/// Gives the mean that counts, in milliseconds; none where too few answers make it.
fn mean_ms(ready: &Ready<'_>, streaming: bool) -> Option<f64> {
    let measured = ready.provider.measured(ready.candidate.target.model.as_str())?;
    let (answers, mean_us) = if streaming {
        (measured.streams, measured.first_event_us)
    } else {
        (measured.wholes, measured.whole_us)
    };
    (answers >= ENOUGH).then_some(mean_us as f64 / 1_000.0)
}
