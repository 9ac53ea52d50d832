//! What a node misses when it connects: by the versions that it has, wherever it had them from.

use super::{super::outbox, Session};
use cliproxy_domain::ConfigId;
use cliproxy_proto::convert::config::Hashes;
use cliproxy_store::{HintChange, StoreError, StoreFuture, StoredConfig};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How many changes of the hint log are read for a node that resumes; one that misses more gets all hints.
const RESUME_LIMIT: u32 = 1_000;
/// How long the store may take to say what a node misses. A node is not kept waiting by a store that hangs.
const STORE: Duration = Duration::from_millis(500);

impl Session {
    /// Queues what the node misses.
    pub(in super::super) async fn resume(&mut self) {
        self.resume_hints().await;
        self.resume_config().await;
    }

    /// Queues the hints that the node misses: by the log since the ones it has, else all that are stored; and those
    /// that are not.
    async fn resume_hints(&mut self) {
        let state = Arc::clone(&self.context.state);
        let have = self.node.have_hints;
        let now = state.clock.wall();
        // What is merged here and waits for the store has no number yet: without a store nobody is told it by numbers.
        let by_number = self.same_history() && *state.database.borrow();
        let missed = match by_number {
            true if have == state.hints.version() => Some(Vec::new()),
            true => self.missed_hints().await,
            false => None,
        };
        if let Some(changes) = missed {
            // This replica may not have read so far itself; what it reads later is no news to the node.
            self.hints_sent = have;
            if let Some(last) = changes.last() {
                let (to, nonce) = (last.version, self.nonce());
                let values = changes.iter().map(|change| &change.hint);
                let delta = outbox::hints_delta(values, have, to, now, &nonce);
                self.sent_hints(to);
                self.outbox.push_back(delta);
            }
        } else {
            let (version, values) = state.hints.stored();
            let nonce = self.nonce();
            self.sent_hints(version);
            self.outbox.extend(outbox::hints_whole(&values, version, now, &nonce));
        }
        let passing = state.hints.passing();
        if !passing.is_empty() {
            self.queue_unnumbered(&passing);
        }
    }

    /// Gives the changes that the node missed, where the log has them and they are few.
    async fn missed_hints(&self) -> Option<Vec<HintChange>> {
        let missed = self.context.state.store.changes_since(self.node.have_hints, RESUME_LIMIT);
        let missed = self.asked("the changes that a node missed", missed).await;
        missed.ok().flatten().filter(|changes| changes.len() < RESUME_LIMIT as usize)
    }

    /// Finds out what the node runs and queues what it misses.
    async fn resume_config(&mut self) {
        let have = self.node.have_config;
        if self.same_history() && have != ConfigId(0) {
            let newest = self.config.borrow().clone();
            let is_newest = |newest: &super::ActiveConfig| {
                newest.id == have && newest.entries.hash() == self.node.config_hash
            };
            self.on = match newest.as_deref().filter(|newest| is_newest(newest)) {
                Some(newest) => Some((have.0, newest.entries.hashes())),
                None => match self.stored(have).await {
                    Ok(stored) => stored.filter(|stored| stored.hash == self.node.config_hash).map(known),
                    Err(_) => {
                        self.ahead = have;
                        None
                    }
                },
            };
        }
        self.offer_config();
    }

    pub(super) async fn stored(&self, id: ConfigId) -> Result<Option<StoredConfig>, StoreError> {
        self.asked("the configuration that a node runs", self.context.state.store.config(id)).await
    }

    async fn asked<T>(&self, what: &'static str, answer: StoreFuture<'_, T>) -> Result<T, StoreError> {
        let late = |_| Err(StoreError::Unavailable(format!("no answer within {STORE:?}")));
        let answer = tokio::time::timeout(STORE, answer).await.unwrap_or_else(late);
        answer.inspect_err(|error| {
            self.context.metrics.store_errors.inc();
            tracing::warn!(%error, node = %self.node.node, what, "the store does not say what a node misses");
        })
    }
}

/// Gives the hashes of a stored configuration.
pub(super) fn known(stored: StoredConfig) -> (u64, Hashes) {
    let hashes: Hashes = stored
        .entries
        .into_iter()
        .map(|entry| ((entry.kind, entry.key), entry.hash))
        .collect::<BTreeMap<_, _>>();
    (stored.id.0, hashes)
}
