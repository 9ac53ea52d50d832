//! What was found, and what was promised.

use std::fmt;

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
        write!(f, "{:32} {:44} {:>10.0} {most:>8}{verdict}", self.fault, self.figure, self.found)
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
        writeln!(f, "{:32} {:44} {:>10} {:>8}", "fault", "figure", "found", "at most")?;
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
    fn a_promise_that_is_not_kept_is_counted_and_shown() {
        let mut table = Table::default();
        table.add(Row::new("killed", "failed requests", 0.0, 0.0));
        table.add(Row::told("killed", "requests", 1e6));
        table.add(Row::new("killed", "gap, ms", 251.0, 250.0));
        assert_eq!(table.broken(), 1);
        assert_eq!(table.to_string().matches("NOT KEPT").count(), 1);
    }
}
