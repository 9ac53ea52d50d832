//! Sums of what was done, until they are reported.
//!
//! Requests add to atomics, without a lock and without a queue: memory is bounded by the number of keys, and
//! windows that cannot be sent yet merge by themselves.

use cliproxy_domain::{AttemptCounts, LedgerKey, LedgerRow, TokenUsage};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The sums of one node since they were last taken.
#[derive(Default)]
pub struct Ledger {
    rows: papaya::HashMap<LedgerKey, Arc<Sums>>,
}

/// Keys at most. Clients choose models within a provider's patterns; beyond this they are counted as `other`.
const MAX_KEYS: usize = 10_000;

const FIELDS: usize = 15;

#[derive(Default)]
struct Sums([AtomicU64; FIELDS]);

impl Sums {
    fn add(&self, values: [u64; FIELDS]) {
        for (sum, value) in self.0.iter().zip(values) {
            if value != 0 {
                sum.fetch_add(value, Relaxed);
            }
        }
    }

    /// Takes each sum by itself: a request that ends meanwhile may be split over two windows, never lost.
    fn take(&self) -> [u64; FIELDS] {
        std::array::from_fn(|i| if self.0[i].load(Relaxed) == 0 { 0 } else { self.0[i].swap(0, Relaxed) })
    }
}

impl Ledger {
    /// Adds one attempt.
    pub fn add(&self, key: LedgerKey, attempts: AttemptCounts, tokens: TokenUsage) {
        let values = flat(attempts, tokens);
        let rows = self.rows.pin();
        if let Some(sums) = rows.get(&key) {
            sums.add(values);
            return;
        }
        let key = if rows.len() < MAX_KEYS { key } else { LedgerKey { model: "other".into(), ..key } };
        rows.get_or_insert_with(key, || Arc::new(Sums::default())).add(values);
    }

    /// Takes all sums that are not zero, sorted by key, and starts anew.
    pub fn take(&self) -> Vec<LedgerRow> {
        let rows = self.rows.pin();
        let mut taken: Vec<LedgerRow> = rows
            .iter()
            .filter_map(|(key, sums)| {
                let values = sums.take();
                (values != [0; FIELDS]).then(|| {
                    let (attempts, tokens) = unflat(values);
                    LedgerRow { key: key.clone(), attempts, tokens }
                })
            })
            .collect();
        taken.sort_by(|a, b| a.key.cmp(&b.key));
        taken
    }
}

fn flat(a: AttemptCounts, t: TokenUsage) -> [u64; FIELDS] {
    [
        a.ok,
        a.err_4xx,
        a.rate_limited,
        a.err_5xx,
        a.timeout,
        a.connect,
        a.cancelled,
        a.retried,
        a.latency_us,
        t.input,
        t.output,
        t.cache_read,
        t.cache_write,
        t.reasoning,
        t.estimated,
    ]
}

fn unflat(values: [u64; FIELDS]) -> (AttemptCounts, TokenUsage) {
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
        input,
        output,
        cache_read,
        cache_write,
        reasoning,
        estimated,
    ] = values;
    (
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
        },
        TokenUsage { input, output, cache_read, cache_write, reasoning, estimated },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(model: &str) -> LedgerKey {
        LedgerKey { provider: "p".into(), credential: "c".into(), model: model.into() }
    }

    #[test]
    fn sums_are_taken_once_and_lose_nothing_under_contention() {
        let ledger = Arc::new(Ledger::default());
        let one = TokenUsage { input: 3, output: 1, ..TokenUsage::default() };
        let counts = AttemptCounts { ok: 1, latency_us: 5, ..AttemptCounts::default() };
        let adders: Vec<_> = (0..4)
            .map(|i| {
                let ledger = Arc::clone(&ledger);
                std::thread::spawn(move || {
                    (0..2_000).for_each(|_| ledger.add(key(&format!("m{}", i % 2)), counts, one))
                })
            })
            .collect();
        let mut total = (AttemptCounts::default(), TokenUsage::default());
        let mut fold = |rows: Vec<LedgerRow>| {
            for row in rows {
                total.0 += row.attempts;
                total.1 += row.tokens;
            }
        };
        while !adders.iter().all(|adder| adder.is_finished()) {
            fold(ledger.take());
        }
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        fold(ledger.take());
        assert_eq!((total.0.ok, total.0.latency_us), (8_000, 40_000));
        assert_eq!((total.1.input, total.1.output), (24_000, 8_000));
        assert!(ledger.take().is_empty());
    }

    #[test]
    fn models_beyond_the_bound_are_counted_as_other() {
        let ledger = Ledger::default();
        for i in 0..MAX_KEYS + 5 {
            ledger.add(
                key(&format!("m{i}")),
                AttemptCounts { ok: 1, ..Default::default() },
                TokenUsage::default(),
            );
        }
        let rows = ledger.take();
        assert_eq!(rows.len(), MAX_KEYS + 1);
        assert_eq!(rows.iter().find(|row| row.key == key("other")).unwrap().attempts.ok, 5);
    }
}
