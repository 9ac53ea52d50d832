//! Credentials that were given another key, until whoever leads has ended what rested for the old one.

use cliproxy_domain::{CredentialName, ProviderName};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// How long it is remembered, so that a replica that comes to lead does what the one before it could not any more.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Credentials that were given another key lately.
#[derive(Default)]
pub(crate) struct Rotated {
    waiting: Mutex<BTreeMap<(ProviderName, CredentialName), Instant>>,
    ready: Notify,
}

impl Rotated {
    /// Notes at `now` that credentials were given other keys. There are no more of them than are configured.
    pub(crate) fn push(&self, changed: Vec<(ProviderName, CredentialName)>, now: Instant) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, at| now.saturating_duration_since(*at) < REMEMBERED);
        waiting.extend(changed.into_iter().map(|credential| (credential, now)));
        self.ready.notify_one();
    }

    /// Waits until something was noted since the last time. Safe to cancel.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Takes what was noted a moment before `now`.
    pub(crate) fn take(&self, now: Instant) -> Vec<(ProviderName, CredentialName)> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < REMEMBERED;
        waiting.into_iter().filter(|(_, at)| is_recent(at)).map(|(credential, _)| credential).collect()
    }
}
