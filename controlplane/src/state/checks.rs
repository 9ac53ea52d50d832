//! How many probes each provider passed, until the store has counted them, and when the last one ended.

use cliproxy_domain::{ProviderName, Snapshot, WallTime};
use cliproxy_store::CheckCount;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How many counts may wait for the store; of more the oldest are dropped.
const WAITING: usize = 10_000;
/// Of how many providers it is remembered when they were checked.
const PROVIDERS: usize = 10_000;

/// The checks of all providers.
#[derive(Default)]
pub(crate) struct Checks(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// All and those that were passed, by the minute.
    waiting: BTreeMap<(WallTime, ProviderName), (u64, u64)>,
    last: BTreeMap<ProviderName, WallTime>,
}

impl Checks {
    /// Counts a check that ended at `at`. One counts for all replicas.
    pub(crate) fn count(&self, provider: &ProviderName, passed: bool, at: WallTime) {
        let minute = WallTime(at.0.div_euclid(60_000).saturating_mul(60_000));
        self.0.lock().add(minute, provider.clone(), (1, u64::from(passed)));
    }

    /// Notes that a check ended at `at`.
    pub(crate) fn heard(&self, provider: &ProviderName, at: WallTime) {
        let mut inner = self.0.lock();
        if inner.last.len() >= PROVIDERS && !inner.last.contains_key(provider) {
            return;
        }
        let last = inner.last.entry(provider.clone()).or_insert(at);
        *last = at.max(*last);
    }

    /// Tells when a provider's last check ended; `None` when there was none since the start.
    pub(crate) fn last(&self, provider: &ProviderName) -> Option<WallTime> {
        self.0.lock().last.get(provider).copied()
    }

    /// Takes what waits for the store.
    pub(crate) fn take(&self) -> Vec<CheckCount> {
        let waiting = std::mem::take(&mut self.0.lock().waiting);
        let count = |((minute, provider), (checks, passed))| CheckCount { minute, provider, checks, passed };
        waiting.into_iter().map(count).collect()
    }

    /// Puts back what the store did not take.
    pub(crate) fn put_back(&self, counts: Vec<CheckCount>) {
        let mut inner = self.0.lock();
        for CheckCount { minute, provider, checks, passed } in counts {
            inner.add(minute, provider, (checks, passed));
        }
    }

    /// Forgets when providers were checked that are not configured.
    pub(crate) fn keep_configured(&self, snapshot: &Snapshot) {
        self.0.lock().last.retain(|provider, _| snapshot.providers.contains_key(provider));
    }
}

impl Inner {
    fn add(&mut self, minute: WallTime, provider: ProviderName, (checks, passed): (u64, u64)) {
        let counts = self.waiting.entry((minute, provider)).or_default();
        *counts = (counts.0 + checks, counts.1 + passed);
        while self.waiting.len() > WAITING {
            self.waiting.pop_first();
        }
    }
}
