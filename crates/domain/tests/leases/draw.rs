//! What a seed decides.

use std::cell::Cell;

/// Numbers by `splitmix64`, which any state will do for.
pub(crate) struct Draw(Cell<u64>);

impl Draw {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Draws a number from `least` to `most`, both included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    /// Draws one of so many.
    pub(crate) fn index(&self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}
