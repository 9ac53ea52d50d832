//! `round_robin`: each in turn, by weight.

use super::ranking::Ranking;

/// Makes all candidates of a tier equals.
pub(super) fn rank(ticket: u64) -> Ranking {
    Ranking::level(ticket)
}
