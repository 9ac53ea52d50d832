//! Sums of what was done, until they are reported.
//!
//! Requests add to atomics, without a lock and without a queue: memory is bounded by the number of keys, and
//! windows that cannot be sent yet merge by themselves. A key that nothing was added to for a while is removed, so
//! that names of yesterday do not take the place of today's.

use cliproxy_domain::{AttemptCounts, LedgerRow, TokenUsage, UsageKey};
use papaya::Guard as _;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// The sums of one node since they were last taken.
#[derive(Default)]
pub struct Ledger {
    rows: papaya::HashMap<UsageKey, Arc<Sums>>,
    /// Sums that are no longer found, but that a request which found them before may still add to. Locked while
    /// sums are taken, so that one window is closed after the other.
    leaving: Mutex<Vec<(UsageKey, Arc<Sums>)>>,
}

/// Keys at most. Clients choose models within a provider's patterns; beyond this they are counted as `other`.
const MAX_KEYS: usize = 10_000;

/// Empty windows in a row after which a key is removed.
const IDLE_WINDOWS: u32 = 10;

const FIELDS: usize = 19;

#[derive(Default)]
struct Sums {
    values: [AtomicU64; FIELDS],
    /// Empty windows in a row. Only [`Ledger::take`] looks at it.
    idle: AtomicU32,
}

impl Sums {
    fn add(&self, values: [u64; FIELDS]) {
        for (sum, value) in self.values.iter().zip(values) {
            if value != 0 {
                sum.fetch_add(value, Relaxed);
            }
        }
    }

    /// Takes each sum by itself: a request that ends meanwhile may be split over two windows, never lost.
    fn take(&self) -> [u64; FIELDS] {
        self.values.each_ref().map(|sum| if sum.load(Relaxed) == 0 { 0 } else { sum.swap(0, Relaxed) })
    }

    /// Takes note of a window that was empty, and tells whether there were many.
    fn was_idle(&self) -> bool {
        self.idle.fetch_add(1, Relaxed) + 1 >= IDLE_WINDOWS
    }
}

impl Ledger {
    /// Adds one attempt, and what it cost in billionths of a US dollar.
    pub fn add(&self, key: UsageKey, attempts: AttemptCounts, tokens: TokenUsage, cost_nanos: u64) {
        let values = flat(attempts, tokens, cost_nanos);
        let rows = self.rows.pin();
        if let Some(sums) = rows.get(&key) {
            sums.add(values);
            return;
        }
        let key = if rows.len() < MAX_KEYS { key } else { UsageKey { model: "other".into(), ..key } };
        rows.get_or_insert_with(key, || Arc::new(Sums::default())).add(values);
    }

    /// Takes all sums that are not zero, sorted by key, and starts anew. Removes keys that were idle for long.
    pub fn take(&self) -> Vec<LedgerRow> {
        let mut leaving = self.leaving.lock();
        let mut taken = take_leaving(&mut leaving);
        let rows = self.rows.guard();
        for (key, sums) in self.rows.iter(&rows) {
            let values = sums.take();
            if values != [0; FIELDS] {
                sums.idle.store(0, Relaxed);
                taken.push(row(key, values));
            } else if sums.was_idle() && self.rows.remove(key, &rows).is_some() {
                // A request may have found the sums, and add to them only now.
                leaving.push((key.clone(), Arc::clone(sums)));
            }
        }
        // Lets the map drop what was removed soon, not only when a whole batch of it has gathered.
        rows.flush();
        taken.sort_by(|a, b| a.key.cmp(&b.key));
        // A key that has come back has other sums than those of it that leave.
        taken.dedup_by(|again, first| {
            let same = again.key == first.key;
            if same {
                first.add(again);
            }
            same
        });
        taken
    }
}

/// Takes what was added to removed sums, and forgets those that nobody can add to any more. A request adds to what
/// the map's own `Arc` holds, and the map drops that only when no request can see it: once ours is the last, all has
/// been added.
fn take_leaving(leaving: &mut Vec<(UsageKey, Arc<Sums>)>) -> Vec<LedgerRow> {
    let mut taken = Vec::new();
    leaving.retain_mut(|(key, sums)| {
        let held = Arc::get_mut(sums).is_none();
        // After that look, not before: else the last to add could come in between.
        let values = sums.take();
        if values != [0; FIELDS] {
            taken.push(row(key, values));
        }
        held
    });
    taken
}

fn row(key: &UsageKey, values: [u64; FIELDS]) -> LedgerRow {
    let (attempts, tokens, cost_nanos) = unflat(values);
    LedgerRow { key: key.clone(), attempts, tokens, cost_nanos }
}

fn flat(a: AttemptCounts, t: TokenUsage, cost_nanos: u64) -> [u64; FIELDS] {
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
        a.streams,
        a.stream_us,
        a.first_event_us,
        t.input,
        t.output,
        t.cache_read,
        t.cache_write,
        t.reasoning,
        t.estimated,
        cost_nanos,
    ]
}

fn unflat(values: [u64; FIELDS]) -> (AttemptCounts, TokenUsage, u64) {
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
        input,
        output,
        cache_read,
        cache_write,
        reasoning,
        estimated,
        cost_nanos,
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
            streams,
            stream_us,
            first_event_us,
        },
        TokenUsage { input, output, cache_read, cache_write, reasoning, estimated },
        cost_nanos,
    )
}

#[cfg(test)]
mod tests;
