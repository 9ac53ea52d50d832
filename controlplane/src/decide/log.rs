//! The change log as this replica follows it: the one place where numbers come from.

use super::Memory;
use crate::{metrics::PlaneMetrics, publish::Publish, state::State};
use cliproxy_domain::{Hint, HintVersion};
use cliproxy_store::{HintChange, StoreError};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How many changes are read from the log at a time.
const PAGE: u32 = 1_000;

/// Takes numbered changes over into the state and sends them to the nodes, in rising order, whoever made them.
pub(crate) struct Log {
    state: Arc<State>,
    publish: Arc<Publish>,
    memory: Memory,
    metrics: PlaneMetrics,
    /// Held from the look at the newest number to its change: two at once could overtake each other.
    turn: Mutex<()>,
}

impl Log {
    pub(crate) fn new(
        state: Arc<State>,
        publish: Arc<Publish>,
        memory: Memory,
        metrics: PlaneMetrics,
    ) -> Self {
        Self { state, publish, memory, metrics, turn: Mutex::default() }
    }

    /// Takes what a commit of this replica numbered, and what others had numbered before. What the commit numbered may
    /// be less than is new: an earlier one may have committed without saying so.
    ///
    /// # Errors
    /// Fails when the store does not answer; repeating it is safe.
    pub(crate) async fn take(&self, numbered: Vec<HintChange>) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let known = self.state.hints.version();
        match numbered.first() {
            Some(first) if first.version == known.next() => self.spread(&numbered),
            _ => self.spread(&self.since(known).await?),
        }
        Ok(())
    }

    /// Takes what others numbered.
    ///
    /// # Errors
    /// Fails when the store does not answer.
    pub(crate) async fn follow(&self) -> Result<(), StoreError> {
        self.take(Vec::new()).await
    }

    /// Forgets what was said here and never committed.
    ///
    /// # Errors
    /// Fails when the store does not answer.
    pub(crate) async fn forget_uncommitted(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.spread(&self.since(self.state.hints.version()).await?);
        let (version, hints) = self.state.store.hints().await?;
        self.state.hints.restore(version, hints);
        Ok(())
    }

    /// Goes on with a store that has another history. Gives what it has lost.
    ///
    /// # Errors
    /// Fails when the store does not answer.
    pub(crate) async fn rebase(&self) -> Result<Vec<Hint>, StoreError> {
        let _turn = self.turn.lock().await;
        let (version, hints) = self.state.store.hints().await?;
        Ok(self.state.hints.rebase(version, hints))
    }

    fn spread(&self, changes: &[HintChange]) {
        for news in self.state.hints.numbered(changes) {
            if let Hint::Health(word) = &news.after {
                self.metrics.health(&word.provider, word.state);
            }
            self.memory.learn(&news);
        }
        self.publish.numbered(changes);
    }

    /// Gives all changes after `known`; all hints under the newest number when the log no longer reaches back.
    async fn since(&self, known: HintVersion) -> Result<Vec<HintChange>, StoreError> {
        let mut all = Vec::new();
        let mut after = known;
        loop {
            let Some(page) = self.state.store.changes_since(after, PAGE).await? else {
                return self.everything(known).await;
            };
            let is_last = page.len() < PAGE as usize;
            after = page.last().map_or(after, |last| last.version);
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    async fn everything(&self, known: HintVersion) -> Result<Vec<HintChange>, StoreError> {
        let (version, hints) = self.state.store.hints().await?;
        if version < known {
            // Of another history, which whoever follows the store finds out: its numbers are not of this one.
            return Ok(Vec::new());
        }
        let number = |hint| HintChange { version, hint };
        Ok(hints.into_iter().map(number).collect())
    }
}
