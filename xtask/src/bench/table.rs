//! Turns the rounds of all scenarios into one table.

use super::{Path, Round, scenario::Scenario};
use std::fmt::{self, Display};

/// The middle and the ends of a few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Gives the spread of `values`, if there are any.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Self { median, min, max })
    }
}

const HEAD: [&str; 9] = [
    "scenario",
    "path",
    "CPU s",
    "per",
    "requests/s",
    "p50 added",
    "p99 added",
    "CPU ratio to bare (min..max)",
    "to cliproxy (min..max)",
];

/// One table with a line for each scenario and path.
pub(super) struct Table {
    lines: Vec<[String; HEAD.len()]>,
}

impl Table {
    /// Makes a table without lines.
    pub(super) fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// Adds the lines of one scenario.
    pub(super) fn add(&mut self, scenario: &Scenario, paths: &[Path], rounds: &[Round]) {
        for &path in paths {
            let cpu = Spread::of(rounds.iter().filter_map(|round| round[path].cpu_seconds));
            let rate = rounds.iter().map(|round| scenario.amount.requests as f64 / round[path].seconds);
            self.lines.push([
                scenario.name().to_owned(),
                path.name().to_owned(),
                cpu.map_or_else(nothing, |cpu| format!("{:.3}", scenario.cost_of(cpu.median))),
                if cpu.is_some() { scenario.cost_unit().to_owned() } else { nothing() },
                Spread::of(rate).map_or_else(nothing, |rate| format!("{:.0}", rate.median)),
                delay(path, rounds, |round, path| round[path].p50_us),
                delay(path, rounds, |round, path| round[path].p99_us),
                ratio(rounds, path, Path::Bare),
                match path {
                    Path::Translated | Path::Limited => ratio(rounds, path, Path::Gateway),
                    Path::Straight | Path::Bare | Path::Gateway => nothing(),
                },
            ]);
        }
    }
}

/// Shows a direct connection's delay as it is, and what a proxy adds to it in the same round.
fn delay(path: Path, rounds: &[Round], of: impl Fn(&Round, Path) -> f64) -> String {
    if path == Path::Straight {
        let spread = Spread::of(rounds.iter().map(|round| of(round, path)));
        return spread.map_or_else(nothing, |spread| format!("({:.0} µs)", spread.median));
    }
    let added = rounds.iter().map(|round| of(round, path) - of(round, Path::Straight));
    Spread::of(added).map_or_else(nothing, |spread| format!("{:+.0} µs", spread.median))
}

/// Compares the cost of a path with that of another in the same round.
fn ratio(rounds: &[Round], path: Path, to: Path) -> String {
    let ratios = rounds.iter().filter_map(|round| {
        let other = round[to].cpu_seconds.filter(|&seconds| seconds > 0.0)?;
        Some(round[path].cpu_seconds? / other)
    });
    Spread::of(ratios)
        .map_or_else(nothing, |ratio| format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.min, ratio.max))
}

fn nothing() -> String {
    "-".to_owned()
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = HEAD.map(str::to_owned);
        let width = |column: usize| {
            let cells = self.lines.iter().chain([&head]).map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let rule: [String; HEAD.len()] = std::array::from_fn(|column| "-".repeat(width(column)));
        for line in [&head, &rule].into_iter().chain(&self.lines) {
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Measured, client::Client, scenario::Kind};

    #[test]
    fn the_middle_of_an_even_number_of_values_lies_between_two() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([3.0, 9.0, 1.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of([]), None);
    }

    fn round(bare: f64, gateway: f64) -> Round {
        let measured =
            |cpu_seconds, p50_us| Measured { cpu_seconds, seconds: 10.0, p50_us, p99_us: 2.0 * p50_us };
        Round {
            straight: measured(None, 100.0),
            bare: measured(Some(bare), 150.0),
            gateway: measured(Some(gateway), 180.0),
            translated: measured(Some(1.5 * gateway), 190.0),
            limited: measured(Some(1.1 * gateway), 185.0),
        }
    }

    #[test]
    fn ratios_and_added_delays_are_taken_within_a_round_before_their_median() {
        let mut table = Table::new();
        let rounds = [round(0.5, 1.0), round(1.0, 1.2), round(2.0, 2.6)];
        let paths = [Path::Straight, Path::Bare, Path::Gateway, Path::Translated, Path::Limited];
        table.add(&Scenario::new(Kind::Chat1k, Client::Chat, false), &paths, &rounds);
        let text = table.to_string();
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
        assert_eq!(lines[2][1..], ["straight", "-", "-", "10000", "(100 µs)", "(200 µs)", "-", "-"]);
        assert_eq!(
            lines[3][1..],
            ["bare", "0.100", "10k requests", "10000", "+50 µs", "+100 µs", "1.00 (1.00..1.00)", "-"]
        );
        assert_eq!(
            lines[4][1..],
            ["cliproxy", "0.120", "10k requests", "10000", "+80 µs", "+160 µs", "1.30 (1.20..2.00)", "-"]
        );
        assert_eq!(lines[5][1..3], ["translated", "0.180"]);
        assert_eq!(lines[5][7..], ["1.95 (1.80..3.00)", "1.50 (1.50..1.50)"]);
        assert_eq!((lines[6][1], lines[6][8]), ("limited", "1.10 (1.10..1.10)"));
    }
}
