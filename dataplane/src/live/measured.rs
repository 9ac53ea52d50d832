//! What the node itself measured of each target lately: what balancing goes by while no control plane says more.

use cliproxy_domain::{LedgerRow, ModelName, ProviderName, Signal, WallTime};
use cliproxy_engine::measured::Sums;
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
    sums: Sums,
}

impl Measurements {
    /// Adds the rows of one window of the ledger, and forgets what is older than `window`. Tells whether anything
    /// changed.
    pub(super) fn fold(&mut self, rows: &[LedgerRow], window: Duration, now: WallTime) -> bool {
        let mut changed = self.forget(window, now);
        for row in rows {
            let sums = Sums::of(row);
            if sums.is_empty() {
                continue;
            }
            let target = (row.key.provider.clone(), row.key.model.clone());
            if !self.targets.contains_key(&target) && self.targets.len() >= MAX_TARGETS {
                continue;
            }
            let parts = self.targets.entry(target).or_default();
            if parts.back().is_none_or(|part| now.since(part.began) >= window / PARTS) {
                parts.push_back(Part { began: now, sums: Sums::default() });
            }
            if let Some(part) = parts.back_mut() {
                part.sums.add(&sums);
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
            let mut all = Sums::default();
            parts.iter().for_each(|part| all.add(&part.sums));
            Signal { revision: 0, provider: provider.clone(), model: model.clone(), measured: all.means() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{AttemptCounts, LedgerKey, TokenUsage};

    const WINDOW: Duration = Duration::from_secs(300);

    fn row(attempts: AttemptCounts) -> LedgerRow {
        LedgerRow {
            key: LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() }.into(),
            attempts,
            tokens: TokenUsage::default(),
            cost_nanos: 0,
        }
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
