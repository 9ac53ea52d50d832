//! Faults by chance, repeated by their seed.

use super::Strike;
use std::time::Duration;

/// How many of a thousand transactions meet what. Together at most a thousand; the rest goes well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// [`Strike::Refused`].
    pub refused: u16,
    /// [`Strike::AnswerLost`].
    pub answer_lost: u16,
    /// [`Strike::CommitLost`].
    pub commit_lost: u16,
    /// Each takes between nothing and this long to commit, whatever becomes of it.
    pub delay: Duration,
}

/// What is drawn, one after the other.
#[derive(Debug)]
pub(super) struct Draw {
    odds: Odds,
    state: u64,
}

impl Draw {
    pub(super) fn new(seed: u64, odds: Odds) -> Self {
        Self { odds, state: seed }
    }

    /// Draws what strikes one transaction, and how long it takes.
    pub(super) fn next(&mut self) -> (Strike, Duration) {
        let Odds { refused, answer_lost, commit_lost, delay } = self.odds;
        let mut left = self.number() % 1_000;
        let mut strike = Strike::None;
        for (of_thousand, one) in
            [(refused, Strike::Refused), (answer_lost, Strike::AnswerLost), (commit_lost, Strike::CommitLost)]
        {
            match left.checked_sub(u64::from(of_thousand)) {
                Some(rest) => left = rest,
                None => {
                    strike = one;
                    break;
                }
            }
        }
        let most = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        (strike, Duration::from_micros(self.number() % most))
    }

    /// Steps the generator SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
