//! The store in memory: for tests and simulations, with the same effects as the others and faults on demand.
//!
//! Nothing here depends on anything but what it is given: the same calls give the same answers.

mod book;
mod faults;
mod state;
#[cfg(test)]
mod tests;

pub use faults::Faults;

use crate::{
    Change, CheckCount, ConfigSummary, Cursor, HintChange, NewConfig, NodeBatches, NodeRecord, Store,
    StoreError, StoreFuture, StoredConfig, StoredRequest,
};
use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, LedgerRow, ProviderName,
    UrgentEvent, WallTime,
};
use faults::Fate;
use parking_lot::Mutex;
use state::State;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// A database that lives as long as one of its handles. Clones are further connections to the same one, as
/// several replicas or a restarted one have.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
}

/// What a [`MemoryStore`] held at one moment.
#[derive(Clone)]
pub struct Savepoint(State);

impl MemoryStore {
    /// Makes an empty database of that history.
    pub fn new(history: HistoryId) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(history))), faults: Arc::default() }
    }

    /// Gives the switches for faults, shared by all handles.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Remembers what is committed now.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.state.lock().clone())
    }

    /// Forgets all commits since `savepoint`, as a failover to a replica that lagged does. What follows is
    /// another history, named `history`.
    pub fn roll_back(&self, savepoint: &Savepoint, history: HistoryId) {
        let mut state = self.state.lock();
        *state = savepoint.0.clone();
        state.history = history;
    }

    /// Gives the ids of the recorded events, sorted.
    pub fn event_ids(&self) -> Vec<String> {
        self.state.lock().event_ids()
    }

    /// Runs one transaction that may write.
    async fn write<T>(&self, transaction: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let fate = self.faults.fate_of_a_commit().await?;
        let answer = transaction(&mut self.state.lock());
        match fate {
            Fate::Answered => Ok(answer),
            Fate::AnswerLost => Err(StoreError::CommitUnknown("the answer to the commit was lost".into())),
        }
    }

    /// Runs one transaction that only reads.
    async fn read<T>(&self, transaction: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        self.faults.check_available()?;
        Ok(transaction(&self.state.lock()))
    }
}

impl Store for MemoryStore {
    fn history(&self) -> StoreFuture<'_, HistoryId> {
        Box::pin(self.read(|state| state.history.clone()))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.write(|_| ()))
    }

    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(self.read(|state| state.active_config().cloned()))
    }

    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(self.read(move |state| state.config(id).cloned()))
    }

    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId> {
        Box::pin(self.write(|state| state.put_config(new)))
    }

    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>> {
        Box::pin(self.write(move |state| state.apply_batches(&nodes, now)))
    }

    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(self.read(move |state| state.usage(&minutes)))
    }

    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>> {
        Box::pin(self.read(move |state| state.answered_share(&minutes)))
    }

    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |state| state.record_events(events, now)))
    }

    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>> {
        Box::pin(self.write(|state| state.change(change)))
    }

    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)> {
        Box::pin(self.read(State::hints))
    }

    fn forget_cooldowns(&self, ended_before: WallTime, _fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |state| state.forget_cooldowns(ended_before)))
    }

    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(move |state| state.book.outcome(&request_id)))
    }

    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(self.read(move |state| state.book.audit(&query)))
    }

    fn record_checks(&self, checks: Vec<CheckCount>, _fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.write(|state| state.book.record_checks(checks)))
    }

    fn checks(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, (u64, u64)>> {
        Box::pin(self.read(move |state| state.book.checks(&minutes)))
    }

    fn record_requests(&self, requests: Vec<StoredRequest>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |state| state.book.record_requests(requests, now)))
    }

    fn request(&self, id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(move |state| state.book.request(&id)))
    }

    fn configs(&self, limit: u32) -> StoreFuture<'_, Vec<ConfigSummary>> {
        Box::pin(self.read(move |state| state.configs(limit)))
    }

    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>> {
        Box::pin(self.read(move |state| state.changes_since(version, limit)))
    }

    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.write(|state| state.see_node(node)))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        Box::pin(self.read(State::nodes))
    }
}
