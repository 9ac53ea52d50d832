//! How a configuration comes into force.

use crate::{
    configurations::{Author, Parts, changes, parts_of, parts_of_stored},
    decide::Ids,
    error::ApplyError,
    metrics::PlaneMetrics,
    state::{ActiveConfig, State},
};
use cliproxy_domain::{AuditEntry, ConfigId, HistoryId, Snapshot, configuring::ConfigChanges};
use cliproxy_proto::convert::config::{Entry, EntrySet};
use cliproxy_store::{Change, ConfigEntry, NewConfig, StoreError};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The way in for configurations. Clones are the same.
#[derive(Clone)]
pub struct Handle {
    pub(super) state: Arc<State>,
    pub(super) metrics: PlaneMetrics,
    ids: Ids,
    // Two at once could come into force in another order than they were numbered.
    pub(super) one_at_a_time: Arc<Mutex<()>>,
}

/// What came into force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub config: ConfigId,
    /// The number of the one before, the same when nothing changed; 0 when there was none.
    pub before: ConfigId,
    /// What changed.
    pub changes: ConfigChanges,
}

/// A configuration that is to be numbered.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What it says.
    pub snapshot: Snapshot,
    /// The text that it was made of, for the other replicas. `None` where it stays here.
    pub text: Option<String>,
    /// The configuration that it must follow on; `None` for whichever is the newest.
    pub follows: Option<ConfigId>,
    /// Who wants it.
    pub author: Author,
}

impl Handle {
    pub(super) fn new(state: Arc<State>, metrics: PlaneMetrics, ids: Ids) -> Self {
        Self { state, metrics, ids, one_at_a_time: Arc::default() }
    }

    /// Does as [`Handle::change`] for somebody who has no address, and gives the number alone.
    ///
    /// # Errors
    ///
    /// As [`Handle::change`].
    pub async fn apply(
        &self,
        snapshot: Snapshot,
        author: &str,
        reason: &str,
    ) -> Result<ConfigId, ApplyError> {
        let author = Author { name: author.to_owned(), reason: reason.to_owned(), ..Author::default() };
        Ok(self.change(snapshot, &author).await?.config)
    }

    /// Numbers a configuration, puts it into force, sends every node what differs, and writes into the audit log who
    /// changed what, unless there was none before. A configuration equal to the one in force keeps its number and sends
    /// nothing, unless a node refuses it: then it gets a new one, and the node tries it again. Its text stays here.
    ///
    /// # Errors
    ///
    /// Fails when nodes would refuse it, and when the store does not number it; the one before stays in force.
    pub async fn change(&self, snapshot: Snapshot, author: &Author) -> Result<Applied, ApplyError> {
        self.propose(Proposal { snapshot, text: None, follows: None, author: author.clone() }).await
    }

    /// Does as [`Handle::change`], and leaves the text with the store for the other replicas.
    ///
    /// # Errors
    ///
    /// As [`Handle::change`]; and when another configuration is the newest than the one that it is to follow.
    pub async fn propose(&self, proposal: Proposal) -> Result<Applied, ApplyError> {
        let Proposal { snapshot, text, follows, author } = proposal;
        let entries = sound(&snapshot)?;
        let _turn = self.one_at_a_time.lock().await;
        let before = self.before().await?;
        let parts = parts_of(&entries);
        let new = NewConfig {
            hash: entries.hash(),
            entries: entries.iter().map(stored).collect(),
            author: author.name.clone(),
            reason: author.reason.clone(),
            at: self.state.clock.wall(),
            text,
            follows,
            above: self.passed_over(entries.hash()),
        };
        let id = self.number(new).await?;
        let providers = snapshot.providers.len();
        if self.put_in_force(ActiveConfig { id, snapshot, entries }) {
            let Author { name, from, reason } = &author;
            tracing::info!(config = %id, author = name, from, reason, providers, "a configuration is in force");
        }
        let (before, before_parts) = before.unwrap_or_default();
        let applied = Applied { config: id, before, changes: changes(&before_parts, &parts) };
        // The very first changes nothing that there was; the list of configurations has it.
        if before != id && before != ConfigId(0) {
            self.audit(&applied, &author).await;
        }
        Ok(applied)
    }

    /// Gives the number that a configuration of that hash must be above. One that is in force already is numbered anew
    /// where a node refuses it: whoever sends it again wants it tried again, at every replica's nodes.
    fn passed_over(&self, hash: u64) -> ConfigId {
        let Some(active) = self.state.active() else { return ConfigId(0) };
        let is_wanted_again = active.entries.hash() == hash && self.state.nodes.is_refused(active.id);
        if is_wanted_again { active.id.next() } else { active.id }
    }

    /// Gives the number of the configuration in force; 0 before one was applied.
    pub fn in_force(&self) -> ConfigId {
        self.state.active().map_or(ConfigId(0), |active| active.id)
    }

    /// Gives the configuration that nodes are offered, with its number; `None` when they are offered none.
    pub fn offered(&self) -> Option<(ConfigId, Snapshot)> {
        let offered = self.state.config.borrow();
        offered.as_ref().map(|offered| (offered.id, offered.snapshot.clone()))
    }

    /// Names the history of the store: numbers of configurations mean something within one only.
    pub fn history(&self) -> HistoryId {
        self.state.history()
    }

    /// Puts a configuration in force, and tells whether it is another one than before.
    pub(super) fn put_in_force(&self, active: ActiveConfig) -> bool {
        let active = Arc::new(active);
        let id = active.id;
        self.state.in_force.store(Some(Arc::clone(&active)));
        *self.state.unmade.lock() = None;
        let changed = self.state.config.send_if_modified(|offered| {
            let changed = offered.as_ref().is_none_or(|offered| offered.id != id);
            *offered = Some(Arc::clone(&active));
            changed
        });
        self.metrics.of_providers(&active.snapshot);
        for provider in active.snapshot.providers.keys() {
            if let Some(word) = self.state.hints.health(provider) {
                self.metrics.health(provider, word.state);
            }
        }
        self.metrics.config_version.set(i64::try_from(id.0).unwrap_or(i64::MAX));
        self.metrics.config_unmade.set(0);
        changed
    }

    /// Gives the configuration that is to be replaced: the one in force, else what the store had last.
    async fn before(&self) -> Result<Option<(ConfigId, Parts)>, StoreError> {
        if let Some(active) = self.state.active() {
            return Ok(Some((active.id, parts_of(&active.entries))));
        }
        let stored = self.state.store.active_config().await.inspect_err(|_| self.count_error())?;
        Ok(stored.map(|config| (config.id, parts_of_stored(&config))))
    }

    /// Numbers a configuration. When the store does not say whether it did, it is asked once more: it gives the
    /// number that it gave before.
    async fn number(&self, new: NewConfig) -> Result<ConfigId, ApplyError> {
        let mut answer = self.state.store.put_config(new.clone()).await;
        if matches!(answer, Err(StoreError::CommitUnknown(_))) {
            self.count_error();
            answer = self.state.store.put_config(new).await;
        }
        match answer {
            Err(StoreError::Superseded { newest }) => Err(ApplyError::Superseded { newest }),
            answer => Ok(answer.inspect_err(|_| self.count_error())?),
        }
    }

    /// Writes down who changed what. The configuration is in force by then, and its number, author and reason are
    /// stored with it: an entry that is lost is told in the log and undoes nothing.
    async fn audit(&self, applied: &Applied, author: &Author) {
        let entry = AuditEntry {
            id: self.ids.next(),
            at: self.state.clock.wall(),
            actor: author.name.clone(),
            from: author.from.clone(),
            action: "config_applied".to_owned(),
            provider: None,
            subject: format!("configuration {}", applied.config),
            reason: author.reason.clone(),
            before: as_json(&Before { config: applied.before }),
            after: as_json(&After { config: applied.config, changes: &applied.changes }),
        };
        let change = Change { audit: vec![entry], ..Change::default() };
        let mut written = self.state.store.change(change.clone()).await.inspect_err(|_| self.count_error());
        if written.is_err() {
            // Its id keeps it from being written twice.
            written = self.state.store.change(change).await.inspect_err(|_| self.count_error());
        }
        if let Err(error) = written {
            tracing::error!(
                %error, config = %applied.config, author = author.name, from = author.from, reason = author.reason,
                "a configuration is in force, but the audit log did not take its entry"
            );
        }
    }

    pub(super) fn count_error(&self) {
        self.metrics.store_errors.inc();
    }
}

#[derive(Serialize)]
struct Before {
    config: ConfigId,
}

#[derive(Serialize)]
struct After<'a> {
    config: ConfigId,
    #[serde(flatten)]
    changes: &'a ConfigChanges,
}

fn as_json(value: &impl Serialize) -> String {
    // Their keys are texts, so that this does not fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// Encodes a configuration, and does with it what a node would.
pub(super) fn sound(snapshot: &Snapshot) -> Result<EntrySet, ApplyError> {
    let entries = EntrySet::from_snapshot(snapshot);
    entries.to_snapshot()?;
    Ok(entries)
}

fn stored(entry: &Entry) -> ConfigEntry {
    ConfigEntry { kind: entry.kind, key: entry.key.clone(), hash: entry.hash }
}
