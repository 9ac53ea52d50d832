//! What all trials found together.

use std::{fmt, time::Duration};

/// What one trial found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// From the end of the 429 to the beginning of the last call of the other node; zero when none came after it.
    pub(super) delay: Duration,
    /// How many calls the other node began after the 429.
    pub(super) calls: usize,
}

/// The findings of all trials.
#[derive(Default)]
pub(super) struct Figures(Vec<Found>);

impl Figures {
    /// Adds a trial's.
    pub(super) fn add(&mut self, found: Found) {
        self.0.push(found);
    }

    /// Gives the least delay that so many percent of the trials do not pass.
    fn percentile(&self, percent: usize) -> Duration {
        let mut delays: Vec<Duration> = self.0.iter().map(|found| found.delay).collect();
        delays.sort_unstable();
        let rank = (delays.len() * percent).div_ceil(100).max(1);
        delays.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let most = self.0.iter().map(|found| found.calls).max().unwrap_or(0);
        let none = self.0.iter().filter(|found| found.calls == 0).count();
        writeln!(f, "from a 429 at node A to the last call of node B, {} trials:", self.0.len())?;
        let [half, high, max] = [50, 99, 100].map(|percent| ms(self.percentile(percent)));
        writeln!(f, "  p50 {half:.1} ms, p99 {high:.1} ms, max {max:.1} ms")?;
        write!(f, "  calls of B after the 429: at most {most}; none in {none} trials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_delays_that_were_found() {
        let mut figures = Figures::default();
        assert_eq!(figures.percentile(50), Duration::ZERO);
        for ms in (1..=200).rev() {
            figures.add(Found { delay: Duration::from_millis(ms), calls: 1 });
        }
        let found = [50, 99, 100].map(|percent| figures.percentile(percent).as_millis());
        assert_eq!(found, [100, 198, 200]);
    }
}
