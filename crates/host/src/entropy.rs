//! Randomness that can be repeated.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A source of random numbers for jitter and ids, and, by [`Entropy::secret`] alone, for secrets. From one seed it gives
/// one sequence.
///
/// Clones share the sequence. Drawing takes no lock.
#[derive(Clone, Debug)]
pub struct Entropy {
    state: Arc<AtomicU64>,
    is_seeded: bool,
}

/// The increment of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Entropy {
    /// Starts the sequence of `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { state: Arc::new(AtomicU64::new(seed)), is_seeded: true }
    }

    /// Starts a sequence that differs from process to process, from the operating system's randomness.
    pub fn from_system() -> Self {
        Self { is_seeded: false, ..Self::seeded(RandomState::new().hash_one("cliproxy")) }
    }

    /// Draws 64 random bits.
    pub fn next_u64(&self) -> u64 {
        let mut z = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed).wrapping_add(GOLDEN_GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws 256 bits that nobody can guess, from the operating system. Only what was given a seed, as tests and simulations
    /// do, repeats itself here as well.
    ///
    /// # Errors
    /// Fails when the operating system gives none.
    pub fn secret(&self) -> io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        if self.is_seeded {
            bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next_u64().to_le_bytes()));
        } else {
            getrandom::fill(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Draws a number in `[0, 1)`.
    pub fn fraction(&self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        let draw = |e: &Entropy| (0..5).map(|_| e.next_u64()).collect::<Vec<_>>();
        assert_eq!(draw(&a), draw(&b));
        assert_ne!(draw(&a), draw(&Entropy::seeded(8)));
    }

    #[test]
    fn secrets_come_from_the_system_and_repeat_only_under_a_seed() {
        let drawn = |entropy: Entropy| entropy.secret().unwrap();
        assert_eq!(drawn(Entropy::seeded(7)), drawn(Entropy::seeded(7)));
        let system = Entropy::from_system();
        let same_sequence = Entropy {
            is_seeded: true,
            state: Arc::new(AtomicU64::new(system.state.load(Ordering::Relaxed))),
        };
        assert_ne!(drawn(system.clone()), drawn(same_sequence), "it does not follow from the sequence");
        assert_ne!(drawn(system.clone()), drawn(system));
    }

    #[test]
    fn fractions_spread_over_the_unit_interval() {
        let entropy = Entropy::seeded(1);
        let mean = (0..10_000).map(|_| entropy.fraction()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "mean is {mean}");
    }
}
