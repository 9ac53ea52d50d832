//! What a seed decides.

use cliproxy_host::Entropy;

pub(crate) struct Draw(Entropy);

impl Draw {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Entropy::seeded(seed))
    }

    /// Draws a number from `least` to `most`, both included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.0.next_u64() % (most - least + 1)
    }

    /// Draws whether what happens once in so many times happens now; never for 0.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        times > 0 && self.0.next_u64().is_multiple_of(times)
    }

    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    pub(crate) fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[(self.0.next_u64() % all.len() as u64) as usize]
    }
}
