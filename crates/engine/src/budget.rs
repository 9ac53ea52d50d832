//! How many calls beyond a request's first may be made: a share of all requests, so that retries cannot storm.

use cliproxy_domain::WallTime;
use std::sync::atomic::{AtomicU64, Ordering};

/// A budget of extra calls. Each request earns `percent` of one, each extra call takes one; `floor` calls may be made in
/// any second, whether they were earned or not, so that a node with few requests can fail over.
///
/// What is earned is kept for a while, but not for ever: at most what [`KEPT_REQUESTS`] requests earn. Over any stretch
/// of time the calls that are allowed are therefore at most `percent` of its requests, plus that, plus `floor` for
/// each second begun. Exact: hundredths of a call in one integer, without locks.
#[derive(Debug)]
pub struct Budget {
    percent: u32,
    floor: u32,
    /// From the highest bit: what was earned in hundredths of a call, the second of the latest call, the calls of that
    /// second.
    state: AtomicU64,
}

/// So many requests' worth of extra calls is kept at most.
pub const KEPT_REQUESTS: u32 = 5_000;
/// Extra calls in any second, for retries: enough to carry the first burst of failures of a provider, all the calls that
/// were under way before its fifth error let it rest. A storm is prevented by the share, at rates where it matters.
pub const RETRY_FLOOR: u32 = 100;
/// Extra calls in any second, for hedging.
pub const HEDGE_FLOOR: u32 = 1;

/// One call, in hundredths.
const CALL: u32 = 100;
const USED_BITS: u32 = 8;
const SECOND_BITS: u32 = 28;
const USED_MOST: u32 = (1 << USED_BITS) - 1;
const SECOND_MOST: u32 = (1 << SECOND_BITS) - 1;
const LEVEL_MOST: u32 = (1 << (u64::BITS - USED_BITS - SECOND_BITS)) - 1;

/// The state, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    level: u32,
    second: u32,
    used: u32,
}

impl Budget {
    /// Makes a budget that has earned nothing yet. `floor` is at most 255.
    pub fn new(percent: u32, floor: u32) -> Self {
        Self { percent, floor: floor.min(USED_MOST), state: AtomicU64::new(0) }
    }

    /// Takes note of one request.
    pub fn earn(&self) {
        let most = self.percent.saturating_mul(KEPT_REQUESTS).min(LEVEL_MOST);
        let earned = |packed| {
            let state = State::unpack(packed);
            // Nothing is written while it is full, which is the usual case.
            let level = state.level.saturating_add(self.percent).min(most);
            (level != state.level).then(|| State { level, ..state }.pack())
        };
        // An error says that there was nothing to write.
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earned);
    }

    /// Takes one call out; false when there is none.
    pub fn take(&self, now: WallTime) -> bool {
        let second =
            u32::try_from(now.0.div_euclid(1_000).rem_euclid(i64::from(SECOND_MOST) + 1)).unwrap_or(0);
        let taken = |packed| {
            let state = State::unpack(packed);
            let used = if state.second == second { state.used } else { 0 };
            let level = match state.level.checked_sub(CALL) {
                Some(level) => level,
                None if used < self.floor => state.level,
                None => return None,
            };
            Some(State { level, second, used: (used + 1).min(USED_MOST) }.pack())
        };
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    /// Tells how many calls are earned, for metrics: rounded down, without the floor.
    pub fn earned(&self) -> u32 {
        State::unpack(self.state.load(Ordering::Relaxed)).level / CALL
    }
}

impl State {
    fn pack(self) -> u64 {
        let high = u64::from(self.level) << (SECOND_BITS + USED_BITS);
        high | u64::from(self.second) << USED_BITS | u64::from(self.used)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each part is masked to less than 32 bits")]
    fn unpack(packed: u64) -> Self {
        Self {
            level: (packed >> (SECOND_BITS + USED_BITS)) as u32,
            second: (packed >> USED_BITS) as u32 & SECOND_MOST,
            used: packed as u32 & USED_MOST,
        }
    }
}

#[cfg(test)]
mod tests;
