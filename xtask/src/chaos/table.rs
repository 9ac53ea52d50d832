//! What was found, and what was promised.

use std::{fmt, time::Duration};

/// How long something took, each time.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn add(&mut self, took: Duration) {
        let place = self.0.partition_point(|known| *known <= took);
        self.0.insert(place, took);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives the one that half of them were within; nothing of none.
    pub(super) fn median(&self) -> Duration {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// Gives the longest; nothing of none.
    pub(super) fn most(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// One promise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// What was done, as `control plane killed`.
    pub(super) fault: String,
    /// What is counted or measured, with its unit.
    pub(super) figure: &'static str,
    /// What was found.
    pub(super) found: f64,
    /// What it may be at most; none where it is only told.
    pub(super) most: Option<f64>,
}

impl Row {
    /// Says what was found, and what it may be at most.
    pub(super) fn new(fault: &str, figure: &'static str, found: f64, most: f64) -> Self {
        Self { fault: fault.to_owned(), figure, found, most: Some(most) }
    }

    /// Says what was found, where nothing is promised.
    pub(super) fn told(fault: &str, figure: &'static str, found: f64) -> Self {
        Self { fault: fault.to_owned(), figure, found, most: None }
    }

    fn is_kept(&self) -> bool {
        self.most.is_none_or(|most| self.found <= most)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.most.map(|most| format!("{most:.0}")).unwrap_or_default();
        let verdict = if self.is_kept() { "" } else { "  NOT KEPT" };
        write!(f, "{:37} {:44} {:>10.0} {most:>8}{verdict}", self.fault, self.figure, self.found)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Row>);

impl Table {
    /// Adds one.
    pub(super) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// Counts the promises that were not kept.
    pub(super) fn broken(&self) -> usize {
        self.0.iter().filter(|row| !row.is_kept()).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:37} {:44} {:>10} {:>8}", "fault", "figure", "found", "at most")?;
        for row in &self.0 {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_times_are_within_the_median_and_all_within_the_most() {
        let mut times = Times::default();
        assert_eq!((times.median(), times.most()), (Duration::ZERO, Duration::ZERO));
        [30, 10, 40, 20].map(Duration::from_millis).into_iter().for_each(|took| times.add(took));
        assert_eq!((times.median().as_millis(), times.most().as_millis(), times.count()), (20, 40, 4));
    }

    #[test]
    fn a_promise_that_is_not_kept_is_counted_and_shown() {
        let mut table = Table::default();
        table.add(Row::new("killed", "failed requests", 0.0, 0.0));
        table.add(Row::told("killed", "requests", 1e6));
        table.add(Row::new("killed", "gap, ms", 251.0, 250.0));
        assert_eq!(table.broken(), 1);
        assert_eq!(table.to_string().matches("NOT KEPT").count(), 1);
    }
}
