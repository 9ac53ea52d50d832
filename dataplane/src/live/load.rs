//! How many upstream calls are open with each credential.

use cliproxy_domain::{CredentialName, ProviderName, Snapshot};
use cliproxy_engine::Load;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// Gauges by names, so that calls that outlive a change of configuration still count.
#[derive(Default)]
pub(super) struct Gauges(HashMap<(ProviderName, CredentialName), Arc<AtomicU32>>);

impl Gauges {
    /// Lays the gauges out for `snapshot`, and forgets those of what it does not have and nobody uses.
    pub(super) fn lay_out(&mut self, snapshot: &Snapshot) -> OpenCalls {
        let credentials = |provider: &cliproxy_domain::Provider| {
            let gauge = |credential: &cliproxy_domain::Credential| {
                let key = (provider.name.clone(), credential.name.clone());
                Arc::clone(self.0.entry(key).or_default())
            };
            provider.credentials.iter().map(gauge).collect()
        };
        let mut credentials = credentials;
        let calls = OpenCalls(snapshot.providers.values().map(&mut credentials).collect());
        self.0.retain(|_, gauge| Arc::strong_count(gauge) > 1);
        calls
    }
}

/// Open calls by the places of provider and credential in one configuration.
pub(super) struct OpenCalls(Vec<Vec<Arc<AtomicU32>>>);

impl OpenCalls {
    /// Counts a call as open until what it gives is dropped.
    pub(super) fn open(&self, slot: usize, credential: usize) -> Option<OpenCall> {
        let gauge = self.0.get(slot)?.get(credential)?;
        gauge.fetch_add(1, Relaxed);
        Some(OpenCall(Arc::clone(gauge)))
    }
}

impl Load for OpenCalls {
    fn in_flight(&self, slot: usize, credential: usize) -> u32 {
        self.0.get(slot).and_then(|gauges| gauges.get(credential)).map_or(0, |gauge| gauge.load(Relaxed))
    }
}

/// An open call.
#[derive(Debug)]
#[must_use = "the call counts as open until this is dropped"]
pub struct OpenCall(Arc<AtomicU32>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
