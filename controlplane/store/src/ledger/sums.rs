//! The counters of one cell, in the one order that all stores write them.

use cliproxy_domain::{AttemptCounts, LedgerRow, TokenUsage, UsageKey};

/// How many counters a cell has.
pub const COUNTERS: usize = 19;

/// The most that a counter of a cell holds: databases have signed integers. A counter that would pass it stays
/// there, so that a node that reports nonsense cannot make sums overflow or a transaction fail.
pub const CELL_MAX: u64 = i64::MAX as u64;

/// The counters of one cell: attempts, then tokens, each in the order of the fields of
/// [`AttemptCounts`] and [`TokenUsage`], then the cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums([u64; COUNTERS]);

impl Sums {
    /// Takes the counters of a row, each cut to [`CELL_MAX`].
    pub fn of(row: &LedgerRow) -> Self {
        let (attempts, tokens) = (&row.attempts, &row.tokens);
        let counters = [
            attempts.ok,
            attempts.err_4xx,
            attempts.rate_limited,
            attempts.err_5xx,
            attempts.timeout,
            attempts.connect,
            attempts.cancelled,
            attempts.retried,
            attempts.latency_us,
            attempts.streams,
            attempts.stream_us,
            attempts.first_event_us,
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write,
            tokens.reasoning,
            tokens.estimated,
            row.cost_nanos,
        ];
        Self(counters.map(|counter| counter.min(CELL_MAX)))
    }

    /// Wraps counters that are in the order of this type.
    pub fn new(counters: [u64; COUNTERS]) -> Self {
        Self(counters)
    }

    /// Adds what belongs into the same cell; no counter passes [`CELL_MAX`].
    pub fn add(&mut self, other: &Sums) {
        for (counter, more) in self.0.iter_mut().zip(other.0) {
            *counter = counter.saturating_add(more).min(CELL_MAX);
        }
    }

    /// Adds the counters of another cell, as answers do; no counter passes `u64::MAX`.
    pub fn add_cell(&mut self, other: &Sums) {
        for (counter, more) in self.0.iter_mut().zip(other.0) {
            *counter = counter.saturating_add(more);
        }
    }

    /// Gives the counters as a database takes them, in order.
    pub fn as_signed(&self) -> [i64; COUNTERS] {
        self.0.map(|counter| i64::try_from(counter).unwrap_or(i64::MAX))
    }

    /// Gives the attempts among the counters.
    pub fn attempts(&self) -> AttemptCounts {
        let [
            ok,
            err_4xx,
            rate_limited,
            err_5xx,
            timeout,
            connect,
            cancelled,
            retried,
            latency_us,
            streams,
            stream_us,
            first_event_us,
            ..,
        ] = self.0;
        AttemptCounts {
            ok,
            err_4xx,
            rate_limited,
            err_5xx,
            timeout,
            connect,
            cancelled,
            retried,
            latency_us,
            streams,
            stream_us,
            first_event_us,
        }
    }

    /// Gives the tokens among the counters.
    pub fn tokens(&self) -> TokenUsage {
        let [.., input, output, cache_read, cache_write, reasoning, estimated, _] = self.0;
        TokenUsage { input, output, cache_read, cache_write, reasoning, estimated }
    }

    /// Gives the cost among the counters.
    pub fn cost_nanos(&self) -> u64 {
        let [.., cost_nanos] = self.0;
        cost_nanos
    }

    /// Makes them the row of `key`.
    pub fn into_row(self, key: UsageKey) -> LedgerRow {
        LedgerRow { key, attempts: self.attempts(), tokens: self.tokens(), cost_nanos: self.cost_nanos() }
    }
}
