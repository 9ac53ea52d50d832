//! What is measured of a target, as sums of the ledger's rows and as the means that balancing goes by: the same on a
//! node as on the control plane.

use cliproxy_domain::{LedgerRow, Measured};

/// Sums over some of a target's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    streams: u64,
    first_event_us: u64,
    wholes: u64,
    whole_us: u64,
    input: u64,
    output: u64,
}

impl Sums {
    /// Takes from a row what is measured: the times of answers in full, streams apart from others, and all tokens.
    pub fn of(row: &LedgerRow) -> Self {
        let attempts = &row.attempts;
        Self {
            streams: attempts.streams,
            first_event_us: attempts.first_event_us,
            wholes: attempts.ok.saturating_sub(attempts.streams),
            whole_us: attempts.latency_us.saturating_sub(attempts.stream_us),
            input: row.tokens.input,
            output: row.tokens.output,
        }
    }

    /// Tells whether there is nothing to be measured, as where all calls failed.
    pub fn is_empty(&self) -> bool {
        self.streams == 0 && self.wholes == 0 && self.input == 0 && self.output == 0
    }

    /// Adds others, no sum passing the highest number.
    pub fn add(&mut self, other: &Sums) {
        self.streams = self.streams.saturating_add(other.streams);
        self.first_event_us = self.first_event_us.saturating_add(other.first_event_us);
        self.wholes = self.wholes.saturating_add(other.wholes);
        self.whole_us = self.whole_us.saturating_add(other.whole_us);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
    }

    /// Gives the means; 0 where nothing was measured.
    pub fn means(&self) -> Measured {
        Measured {
            streams: self.streams,
            first_event_us: self.first_event_us.checked_div(self.streams).unwrap_or(0),
            wholes: self.wholes,
            whole_us: self.whole_us.checked_div(self.wholes).unwrap_or(0),
            input_tokens: self.input,
            output_tokens: self.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{AttemptCounts, LedgerKey, TokenUsage};

    fn row(attempts: AttemptCounts, input: u64, output: u64) -> LedgerRow {
        let key = LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() };
        LedgerRow {
            key: key.into(),
            attempts,
            tokens: TokenUsage { input, output, ..TokenUsage::default() },
            cost_nanos: 0,
        }
    }

    #[test]
    fn streams_and_whole_answers_have_means_of_their_own() {
        let answers = AttemptCounts {
            ok: 3,
            latency_us: 9_000,
            streams: 2,
            stream_us: 8_000,
            first_event_us: 400,
            ..AttemptCounts::default()
        };
        let mut sums = Sums::of(&row(answers, 30, 10));
        sums.add(&Sums::of(&row(AttemptCounts { ok: 1, latency_us: 3_000, ..Default::default() }, 2, 1)));
        let expected = Measured {
            streams: 2,
            first_event_us: 200,
            wholes: 2,
            whole_us: 2_000,
            input_tokens: 32,
            output_tokens: 11,
        };
        assert_eq!(sums.means(), expected);
    }

    #[test]
    fn a_fast_failure_is_no_time_and_tokens_of_a_broken_stream_are_tokens() {
        let failed = AttemptCounts { rate_limited: 9, ..AttemptCounts::default() };
        assert!(Sums::of(&row(failed, 0, 0)).is_empty());
        let broken = Sums::of(&row(AttemptCounts { cancelled: 1, ..AttemptCounts::default() }, 30, 10));
        let means = broken.means();
        assert!(!broken.is_empty());
        assert_eq!((means.streams, means.wholes, means.input_tokens, means.output_tokens), (0, 0, 30, 10));
    }
}
