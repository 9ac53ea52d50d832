//! What the node itself measured of each target lately: what balancing goes by while no control plane says more.

use cliproxy_domain::{
    AttemptCounts, LedgerRow, Measured, ModelName, ProviderName, Signal, TokenUsage, WallTime,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Into how many parts the latency window is cut. The oldest leaves as a whole.
const PARTS: u32 = 30;
/// Targets at most; clients choose models within a provider's patterns.
const MAX_TARGETS: usize = 2_000;

/// Sums by target, in parts of the latency window.
#[derive(Default)]
pub(super) struct Measurements {
    targets: BTreeMap<(ProviderName, ModelName), VecDeque<Part>>,
}

struct Part {
    began: WallTime,
    attempts: AttemptCounts,
    tokens: TokenUsage,
}

impl Measurements {
    /// Adds the rows of one window of the ledger, and forgets what is older than `window`. Tells whether anything
    /// changed.
    pub(super) fn fold(&mut self, rows: &[LedgerRow], window: Duration, now: WallTime) -> bool {
        let mut changed = self.forget(window, now);
        for row in rows.iter().filter(|row| row.attempts.ok > 0) {
            let target = (row.key.provider.clone(), row.key.model.clone());
            if !self.targets.contains_key(&target) && self.targets.len() >= MAX_TARGETS {
                continue;
            }
            let parts = self.targets.entry(target).or_default();
            if parts.back().is_none_or(|part| now.since(part.began) >= window / PARTS) {
                let (attempts, tokens) = Default::default();
                parts.push_back(Part { began: now, attempts, tokens });
            }
            if let Some(part) = parts.back_mut() {
                part.attempts += row.attempts;
                part.tokens += row.tokens;
                changed = true;
            }
        }
        changed
    }

    fn forget(&mut self, window: Duration, now: WallTime) -> bool {
        let mut changed = false;
        self.targets.retain(|_, parts| {
            while parts.front().is_some_and(|part| now.since(part.began) > window) {
                parts.pop_front();
                changed = true;
            }
            !parts.is_empty()
        });
        changed
    }

    /// Gives the means of each target.
    pub(super) fn signals(&self) -> impl Iterator<Item = Signal> {
        self.targets.iter().map(|((provider, model), parts)| {
            let (mut attempts, mut tokens) = (AttemptCounts::default(), TokenUsage::default());
            for part in parts {
                attempts += part.attempts;
                tokens += part.tokens;
            }
            Signal {
                revision: 0,
                provider: provider.clone(),
                model: model.clone(),
                measured: means(&attempts, &tokens),
            }
        })
    }
}

fn means(attempts: &AttemptCounts, tokens: &TokenUsage) -> Measured {
    let wholes = attempts.ok.saturating_sub(attempts.streams);
    let whole_us = attempts.latency_us.saturating_sub(attempts.stream_us);
    Measured {
        streams: attempts.streams,
        first_event_us: attempts.first_event_us.checked_div(attempts.streams).unwrap_or(0),
        wholes,
        whole_us: whole_us.checked_div(wholes).unwrap_or(0),
        input_tokens: tokens.input,
        output_tokens: tokens.output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::LedgerKey;

    const WINDOW: Duration = Duration::from_secs(300);

    fn row(attempts: AttemptCounts) -> LedgerRow {
        LedgerRow {
            key: LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() },
            attempts,
            tokens: TokenUsage { input: 30, output: 10, ..TokenUsage::default() },
        }
    }

    #[test]
    fn streams_and_whole_answers_are_averaged_apart() {
        let mut own = Measurements::default();
        let attempts = AttemptCounts {
            ok: 3,
            latency_us: 9_000,
            streams: 2,
            stream_us: 8_000,
            first_event_us: 400,
            ..AttemptCounts::default()
        };
        assert!(own.fold(&[row(attempts)], WINDOW, WallTime(1_000)));
        let expected = Measured {
            streams: 2,
            first_event_us: 200,
            wholes: 1,
            whole_us: 1_000,
            input_tokens: 30,
            output_tokens: 10,
        };
        assert_eq!(own.signals().next().unwrap().measured, expected);
    }

    #[test]
    fn what_failed_is_not_measured_and_what_is_old_is_forgotten() {
        let mut own = Measurements::default();
        let failed = AttemptCounts { rate_limited: 9, ..AttemptCounts::default() };
        assert!(!own.fold(&[row(failed)], WINDOW, WallTime(0)));
        let ok = AttemptCounts { ok: 1, latency_us: 5, ..AttemptCounts::default() };
        own.fold(&[row(ok)], WINDOW, WallTime(0));
        assert!(!own.fold(&[], WINDOW, WallTime(300_000)));
        assert_eq!(own.signals().count(), 1);
        assert!(own.fold(&[], WINDOW, WallTime(300_001)));
        assert_eq!(own.signals().count(), 0);
    }
}
