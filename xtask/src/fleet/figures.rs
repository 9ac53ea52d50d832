//! What was found, as a table.

use std::{fmt, time::Duration};

/// What is promised: how soon all but one in a hundred rests are known to the last node, what a connected node costs, and
/// how soon all are back that connect at once.
const REST: Duration = Duration::from_millis(250);
const NODE_KIB: f64 = 1_024.0;
const RESUMED: Duration = Duration::from_secs(10);

/// What was found.
pub(super) struct Figures {
    /// The memory of the control plane without any node, in KiB.
    idle_kib: u64,
    memory: Vec<(usize, u64)>,
    resumed: Option<(usize, Duration)>,
    rests: Vec<Duration>,
    /// Rows that were acknowledged, the time of all processors, and how long both took.
    load: Option<(u64, Duration, Duration)>,
}

impl Figures {
    pub(super) fn new(idle_kib: u64) -> Self {
        Self { idle_kib, memory: Vec::new(), resumed: None, rests: Vec::new(), load: None }
    }

    pub(super) fn memory(&mut self, nodes: usize, kib: u64) {
        self.memory.push((nodes, kib));
    }

    pub(super) fn resumed(&mut self, nodes: usize, took: Duration) {
        self.resumed = Some((nodes, took));
    }

    pub(super) fn rest(&mut self, took: Duration) {
        self.rests.push(took);
    }

    pub(super) fn load(&mut self, rows: u64, cpu: Duration, took: Duration) {
        self.load = Some((rows, cpu, took));
    }

    /// Gives what each of so many connected nodes costs, in KiB.
    fn each_kib(&self, nodes: usize, kib: u64) -> f64 {
        kib.saturating_sub(self.idle_kib) as f64 / nodes as f64
    }

    /// Names the promises that were not kept.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let rest = self.percentile(99);
        if rest > REST {
            broken.push(format!("a 429 is known to the last node within {REST:?} (p99): it was {rest:?}"));
        }
        for (nodes, kib) in &self.memory {
            let each = self.each_kib(*nodes, *kib);
            if each > NODE_KIB {
                broken.push(format!("a node costs {NODE_KIB} KiB at most: with {nodes} it was {each:.0}"));
            }
        }
        if let Some((nodes, took)) = self.resumed.filter(|(_, took)| *took > RESUMED) {
            broken.push(format!(
                "{nodes} nodes that connect at once are back within {RESUMED:?}: it was {took:?}"
            ));
        }
        broken
    }

    /// Gives the time that so many of a hundred trials were within.
    fn percentile(&self, of_hundred: usize) -> Duration {
        let mut sorted = self.rests.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * of_hundred).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<58} {:>12}", "memory without nodes", format!("{} KiB", self.idle_kib))?;
        for (nodes, kib) in &self.memory {
            let each = self.each_kib(*nodes, *kib);
            let what = format!("memory with {nodes} nodes, and for each of them");
            writeln!(f, "{what:<58} {:>12} {:>12}", format!("{kib} KiB"), format!("{each:.0} KiB"))?;
        }
        if let Some((nodes, took)) = self.resumed {
            let what = format!("{nodes} nodes that connect at once: until all have what they miss");
            writeln!(f, "{what:<58} {:>12}", format!("{:.2} s", took.as_secs_f64()))?;
        }
        if let Some((rows, cpu, took)) = self.load {
            let per_second = rows as f64 / took.as_secs_f64();
            let busy = 100.0 * cpu.as_secs_f64() / took.as_secs_f64();
            writeln!(f, "{:<58} {per_second:>12.0}", "rows of usage acknowledged each second, meanwhile")?;
            writeln!(f, "{:<58} {:>12}", "one processor's time for all of it", format!("{busy:.0} %"))?;
        }
        let millis = |took: Duration| format!("{:.1} ms", took.as_secs_f64() * 1e3);
        let what = format!("a 429 until the last node knows, {} trials", self.rests.len());
        for (name, of_hundred) in [("p50", 50), ("p99", 99), ("max", 100)] {
            writeln!(f, "{:<58} {:>12}", format!("{what}, {name}"), millis(self.percentile(of_hundred)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_found() {
        let mut figures = Figures::new(0);
        (1..=200).rev().for_each(|ms| figures.rest(Duration::from_millis(ms)));
        let found = [50, 99, 100].map(|of_hundred| figures.percentile(of_hundred).as_millis());
        assert_eq!(found, [100, 198, 200]);
        assert_eq!(Figures::new(0).percentile(50), Duration::ZERO);
    }

    #[test]
    fn promises_that_are_not_kept_are_named() {
        let mut figures = Figures::new(1_000);
        figures.memory(100, 1_000 + 100 * 1_024);
        figures.resumed(200, RESUMED);
        figures.rest(REST);
        assert_eq!(figures.broken(), Vec::<String>::new());
        figures.memory(200, 1_000 + 300 * 1_024);
        figures.resumed(200, RESUMED + Duration::from_millis(1));
        figures.rest(REST + Duration::from_millis(1));
        assert_eq!(figures.broken().len(), 3, "{:?}", figures.broken());
    }
}
