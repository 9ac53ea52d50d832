//! What became of the requests.

use std::{fmt, ops::Range, time::Duration};

/// How long the connections of a process that was killed may look open to whoever uses one next.
const DYING: Duration = Duration::from_millis(250);

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which it was, from 0.
    pub number: usize,
    /// The node that was asked, or asked last.
    pub node: String,
    /// When, since the traffic began.
    pub at: Duration,
    /// How long it took to its end.
    pub took: Duration,
    /// How it ended.
    pub end: End,
}

impl Asked {
    /// Tells whether it was open at any moment of a time since the traffic began.
    pub fn is_open_within(&self, time: &Range<Duration>) -> bool {
        self.at <= time.end && time.start <= self.at + self.took
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With 200 and a whole answer.
    Answered,
    /// With another status and this text.
    Refused(u16, String),
    /// The connection was lost before the answer was whole, or it came too late.
    Broken(String),
    /// There was no connection to be had.
    Unreachable(String),
    /// It was not sent, as too many were without an answer.
    Withheld,
}

impl End {
    /// Tells whether the node had not begun to serve, so that a load balancer would have left it out.
    pub(super) fn is_not_ready(&self) -> bool {
        match self {
            End::Unreachable(_) => true,
            End::Refused(503, text) => text.contains("\"not_ready\""),
            _ => false,
        }
    }
}

/// All requests, in the order in which they were asked.
#[derive(Clone, Debug, Default)]
pub struct Record {
    asked: Vec<Asked>,
}

impl Record {
    /// Puts requests into order.
    pub fn new(mut asked: Vec<Asked>) -> Self {
        asked.sort_by_key(|asked| (asked.at, asked.number));
        Self { asked }
    }

    /// Gives all.
    pub fn all(&self) -> &[Asked] {
        &self.asked
    }

    /// Gives those that were not answered well.
    pub fn failures(&self) -> Vec<&Asked> {
        self.asked.iter().filter(|asked| asked.end != End::Answered).collect()
    }

    /// Gives the failures that cannot be laid on a process that was killed at some moment of a time: what it may cost is
    /// requests of `node` that were open then, or began within moments after, as its connections may look open still.
    pub fn failures_beside(&self, node: &str, killed: &Range<Duration>) -> Vec<&Asked> {
        let dying = killed.start..killed.end + DYING;
        let is_cost = |asked: &Asked| asked.node == node && asked.is_open_within(&dying);
        self.failures().into_iter().filter(|asked| !is_cost(asked)).collect()
    }

    /// Gives the longest time in which no request was answered well, from one answer to the next.
    pub fn longest_gap(&self) -> Duration {
        let well = self.asked.iter().filter(|asked| asked.end == End::Answered);
        let mut ends: Vec<Duration> = well.map(|asked| asked.at + asked.took).collect();
        ends.sort_unstable();
        ends.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
    }

    /// Gives the time that so many percent of the good answers did not pass; zero without any.
    pub fn percentile(&self, percent: usize) -> Duration {
        let well = self.asked.iter().filter(|asked| asked.end == End::Answered);
        let mut times: Vec<Duration> = well.map(|asked| asked.took).collect();
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let [half, high, most] = [50, 99, 100].map(|percent| ms(self.percentile(percent)));
        write!(
            f,
            "{} requests, {} failed, longest gap {:.0} ms, p50 {half:.1} ms, p99 {high:.1} ms, max {most:.0} ms",
            self.asked.len(),
            self.failures().len(),
            ms(self.longest_gap()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(node: &str, at: u64, took: u64, end: End) -> Asked {
        let ms = Duration::from_millis;
        Asked { number: 0, node: node.into(), at: ms(at), took: ms(took), end }
    }

    #[test]
    fn only_what_a_killed_node_held_is_laid_on_its_death() {
        let broken = || End::Broken(String::new());
        let record = Record::new(vec![
            asked("a", 0, 10, broken()),
            asked("a", 90, 20, broken()),
            asked("a", 300, 1, broken()),
            asked("b", 95, 10, broken()),
            asked("a", 400, 1, broken()),
        ]);
        let killed = Duration::from_millis(100)..Duration::from_millis(101);
        let beside: Vec<u128> =
            record.failures_beside("a", &killed).iter().map(|asked| asked.at.as_millis()).collect();
        assert_eq!(beside, [0, 95, 400]);
    }

    #[test]
    fn a_gap_is_measured_between_good_answers() {
        let record = Record::new(vec![
            asked("a", 0, 10, End::Answered),
            asked("a", 20, 5, End::Refused(503, String::new())),
            asked("a", 30, 80, End::Answered),
            asked("a", 40, 10, End::Answered),
        ]);
        assert_eq!(record.longest_gap(), Duration::from_millis(60));
        assert_eq!(record.percentile(50), Duration::from_millis(10));
        assert_eq!(record.percentile(100), Duration::from_millis(80));
    }
}
