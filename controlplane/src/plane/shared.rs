//! Configurations that another replica numbered.

use super::{Handle, apply::sound};
use crate::{error::ApplyError, state::ActiveConfig};
use cliproxy_domain::{ConfigId, Snapshot};
use cliproxy_store::{ConfigSummary, StoreError};

impl Handle {
    /// Lists the newest configurations that the store has, the newest first.
    ///
    /// # Errors
    ///
    /// Fails when the store does not answer.
    pub async fn numbered(&self, limit: u32) -> Result<Vec<ConfigSummary>, StoreError> {
        self.state.store.configs(limit).await.inspect_err(|_| self.count_error())
    }

    /// Tells whether nodes are offered that configuration.
    pub fn is_offered(&self, id: ConfigId) -> bool {
        self.state.offered() == id
    }

    /// Gives the text that a configuration was made of; `None` when the store has none.
    ///
    /// # Errors
    ///
    /// Fails when the store does not answer.
    pub async fn text(&self, id: ConfigId) -> Result<Option<String>, StoreError> {
        self.state.store.config_text(id).await.inspect_err(|_| self.count_error())
    }

    /// Gives the hash under which a configuration would be numbered. It covers the keys, and tells nothing of them.
    ///
    /// # Errors
    ///
    /// Fails when nodes would refuse it.
    pub fn hash(snapshot: &Snapshot) -> Result<u64, ApplyError> {
        Ok(sound(snapshot)?.hash())
    }

    /// Puts in force what is numbered already, unless a newer one is in force.
    ///
    /// # Errors
    ///
    /// Fails when nodes would refuse it.
    pub async fn adopt(&self, id: ConfigId, snapshot: Snapshot) -> Result<(), ApplyError> {
        let entries = sound(&snapshot)?;
        let _turn = self.one_at_a_time.lock().await;
        if self.state.offered() > id {
            return Ok(());
        }
        let providers = snapshot.providers.len();
        if self.put_in_force(ActiveConfig { id, snapshot, entries }) {
            tracing::info!(config = %id, providers, "a configuration that the store had is in force");
        }
        Ok(())
    }

    /// Offers nodes no configuration from now on, as the newest cannot be made here: something else than the other
    /// replicas offer would be worse. Nodes go on with what they have; what is decided here goes by the one in force.
    pub async fn withhold(&self, id: ConfigId, why: &str) {
        let _turn = self.one_at_a_time.lock().await;
        let told = self.state.unmade.lock().replace((id, why.to_owned()));
        self.state.config.send_if_modified(|offered| offered.take().is_some());
        self.metrics.config_unmade.set(1);
        if told.is_none_or(|(known, _)| known != id) {
            tracing::error!(
                config = %id, why,
                "the newest configuration cannot be made here; nodes of this replica are offered none"
            );
        }
    }
}
