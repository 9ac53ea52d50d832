//! How a configuration comes into force.

use crate::{
    error::ApplyError,
    metrics::PlaneMetrics,
    state::{ActiveConfig, State},
};
use cliproxy_domain::{ConfigId, Snapshot};
use cliproxy_proto::convert::config::{Entry, EntrySet};
use cliproxy_store::{ConfigEntry, NewConfig, StoreError};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The way in for configurations. Clones are the same.
#[derive(Clone)]
pub struct Handle {
    state: Arc<State>,
    metrics: PlaneMetrics,
    // Two at once could come into force in another order than they were numbered.
    one_at_a_time: Arc<Mutex<()>>,
}

impl Handle {
    pub(super) fn new(state: Arc<State>, metrics: PlaneMetrics) -> Self {
        Self { state, metrics, one_at_a_time: Arc::default() }
    }

    /// Numbers a configuration, puts it into force and sends every node what differs. A configuration equal to
    /// the one in force keeps its number and sends nothing.
    ///
    /// # Errors
    ///
    /// Fails when nodes would refuse it, and when the store does not number it; the one before stays in force.
    pub async fn apply(
        &self,
        snapshot: Snapshot,
        author: &str,
        reason: &str,
    ) -> Result<ConfigId, ApplyError> {
        let entries = EntrySet::from_snapshot(&snapshot);
        // What a node would do with it.
        entries.to_snapshot()?;
        let _turn = self.one_at_a_time.lock().await;
        let new = NewConfig {
            hash: entries.hash(),
            entries: entries.iter().map(stored).collect(),
            author: author.to_owned(),
            reason: reason.to_owned(),
            at: self.state.clock.wall(),
        };
        let id = self.number(new).await?;
        let providers = snapshot.providers.len();
        let active = Arc::new(ActiveConfig { id, snapshot, entries });
        let applied = Arc::clone(&active);
        let changed = self.state.config.send_if_modified(|current| {
            let changed = current.as_ref().is_none_or(|current| current.id != id);
            *current = Some(active);
            changed
        });
        self.metrics.of_providers(&applied.snapshot);
        for provider in applied.snapshot.providers.keys() {
            if let Some(word) = self.state.hints.health(provider) {
                self.metrics.health(provider, word.state);
            }
        }
        if changed {
            self.metrics.config_version.set(i64::try_from(id.0).unwrap_or(i64::MAX));
            tracing::info!(config = %id, author, reason, providers, "a configuration is in force");
        }
        Ok(id)
    }

    /// Numbers a configuration. When the store does not say whether it did, it is asked once more: it gives the
    /// number that it gave before.
    async fn number(&self, new: NewConfig) -> Result<ConfigId, StoreError> {
        let counted = |_: &StoreError| {
            self.metrics.store_errors.inc();
        };
        match self.state.store.put_config(new.clone()).await.inspect_err(counted) {
            Err(StoreError::CommitUnknown(_)) => self.state.store.put_config(new).await.inspect_err(counted),
            answer => answer,
        }
    }
}

fn stored(entry: &Entry) -> ConfigEntry {
    ConfigEntry { kind: entry.kind, key: entry.key.clone(), hash: entry.hash }
}
