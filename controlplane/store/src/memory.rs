//! The store in memory: for tests and simulations, with the same effects as the others and faults on demand.
//!
//! Nothing here depends on anything but what it is given: the same calls give the same answers.
//!
//! A simulation makes one [`MemoryStore`] with its own clock ([`MemoryStore::with_clock`]), and gives each replica of the
//! control plane a connection of its own ([`MemoryStore::connect`]). Faults are those of the whole database
//! ([`MemoryStore::faults`]), as an outage, or those of one connection ([`MemoryStore::connection_faults`]), as a replica
//! that is cut off from its database or no longer hears its doorbell. A standby that takes over without the last commits
//! is [`MemoryStore::roll_back`].

mod book;
mod connection;
mod faults;
mod limits;
mod state;
#[cfg(test)]
mod tests;
mod usage;

pub use faults::{Faults, Odds, Strike};

use crate::{
    Change, CheckCount, ConfigSummary, Cursor, HintChange, LeaseBooks, Leased, Leasing, NewConfig,
    NodeBatches, NodeRecord, Post, ReleaseEscrow, Released, Store, StoreError, StoreFuture, StoredConfig,
    StoredRequest, UsageQuery, UsageSum,
};
use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, Lease, LeaseName, LedgerRow,
    ProviderName, ReplicaId, UrgentEvent, WallTime,
};
use connection::{Connection, Connections};
use parking_lot::Mutex;
use state::State;
use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};
use tokio::sync::watch;

/// One connection to a database that lives as long as one of its connections. Clones are the same connection.
#[derive(Clone)]
pub struct MemoryStore {
    database: Arc<Database>,
    connection: Arc<Connection>,
    /// Whether no other process can use the database.
    alone: bool,
}

struct Database {
    state: Mutex<State>,
    faults: Faults,
    clock: Box<dyn Fn() -> WallTime + Send + Sync>,
    /// Whether the clock tells dates, and not only how much time has passed.
    tells_dates: bool,
    connections: Connections,
}

/// What a [`MemoryStore`] held at one moment.
#[derive(Clone)]
pub struct Savepoint(State);

impl MemoryStore {
    /// Makes an empty database of that history, whose leases go by tokio's clock.
    pub fn new(history: HistoryId) -> Self {
        Self::going_by(history, tokio_time(), false)
    }

    /// As [`MemoryStore::new`], but leases go by `clock`, which is the one clock of the database: replicas have theirs.
    pub fn with_clock(history: HistoryId, clock: impl Fn() -> WallTime + Send + Sync + 'static) -> Self {
        Self::going_by(history, clock, true)
    }

    fn going_by(
        history: HistoryId,
        clock: impl Fn() -> WallTime + Send + Sync + 'static,
        tells_dates: bool,
    ) -> Self {
        let connections = Connections::default();
        let connection = connections.open();
        let state = Mutex::new(State::new(history));
        let clock = Box::new(clock);
        let database = Database { state, faults: Faults::default(), clock, tells_dates, connections };
        Self { database: Arc::new(database), connection, alone: false }
    }

    /// Opens another connection, as another replica or a restarted one does. It has no faults of its own yet.
    pub fn connect(&self) -> Self {
        let connection = self.database.connections.open();
        Self { database: Arc::clone(&self.database), connection, alone: false }
    }

    /// Gives the same connection to a database of one process, as SQLite's is: it has no doorbell.
    pub fn of_one_process(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Gives the switches for faults of the whole database.
    pub fn faults(&self) -> &Faults {
        &self.database.faults
    }

    /// Gives the switches for faults of this connection alone.
    pub fn connection_faults(&self) -> &Faults {
        &self.connection.faults
    }

    /// Remembers what is committed now.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.database.state.lock().clone())
    }

    /// Forgets all commits since `savepoint`, leases among them, as a failover to a replica that lagged does. What
    /// follows is another history, named `history`.
    pub fn roll_back(&self, savepoint: &Savepoint, history: HistoryId) {
        {
            let mut state = self.database.state.lock();
            *state = savepoint.0.clone();
            state.history = history;
        }
        self.ring();
    }

    /// Gives the ids of the recorded events, sorted.
    pub fn event_ids(&self) -> Vec<String> {
        self.database.state.lock().event_ids()
    }

    /// Takes a version of the hint line for a value that this memory cannot hold.
    #[cfg(test)]
    fn take_version(&self) {
        self.database.state.lock().take_version();
    }

    /// Runs one transaction that may write.
    async fn write<T>(&self, transaction: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        self.try_write(|state| Ok(transaction(state))).await
    }

    /// As [`MemoryStore::write`]. A transaction that fails has written nothing. One during which the store becomes
    /// unavailable is not committed; nor is one whose caller goes away before its time has passed.
    async fn try_write<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pass().await?;
        let (strike, delay, by) = self.next_strike();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            self.pass().await?;
        }
        match strike {
            Strike::None | Strike::AnswerLost | Strike::StoppedAfter => {}
            Strike::Refused => return Err(StoreError::Unavailable("crashed before the commit".into())),
            Strike::CommitLost => return Err(commit_unknown()),
            Strike::StoppedBefore => by.stop().await,
        }
        let answer = self.commit(transaction)?;
        match strike {
            Strike::AnswerLost => Err(commit_unknown()),
            Strike::StoppedAfter => by.stop().await,
            _ => Ok(answer),
        }
    }

    /// Gives what strikes the next transaction, how long its commit takes, and whose fault it is.
    fn next_strike(&self) -> (Strike, Duration, &Faults) {
        let (of_all, delay) = self.database.faults.next();
        if of_all != Strike::None {
            return (of_all, delay, &self.database.faults);
        }
        let (of_one, more) = self.connection.faults.next();
        (of_one, delay + more, &self.connection.faults)
    }

    fn commit<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (answer, is_news) = {
            let mut state = self.database.state.lock();
            let before = state.news;
            let answer = transaction(&mut state)?;
            (answer, state.news != before)
        };
        if is_news {
            self.ring();
        }
        Ok(answer)
    }

    /// Runs one transaction that only reads.
    async fn read<T>(&self, transaction: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        self.pass().await?;
        Ok(transaction(&self.database.state.lock()))
    }

    async fn pass(&self) -> Result<(), StoreError> {
        self.connection.faults.pass().await?;
        self.database.faults.pass().await
    }

    fn ring(&self) {
        if !self.database.faults.is_deaf() {
            self.database.connections.ring();
        }
    }
}

fn commit_unknown() -> StoreError {
    StoreError::CommitUnknown("the answer to the commit was lost".into())
}

/// Tells how long it is since this was made, by tokio's clock: a test that pauses or advances that moves this too.
#[expect(clippy::disallowed_methods, reason = "the database has a clock of its own; this one is for tests")]
fn tokio_time() -> impl Fn() -> WallTime {
    let made = tokio::time::Instant::now();
    move || WallTime(0).plus(tokio::time::Instant::now().saturating_duration_since(made))
}

impl Store for MemoryStore {
    fn history(&self) -> StoreFuture<'_, HistoryId> {
        Box::pin(self.read(|state| state.history.clone()))
    }

    fn time(&self) -> StoreFuture<'_, Option<WallTime>> {
        Box::pin(self.read(|_| self.database.tells_dates.then(|| (self.database.clock)())))
    }

    fn doorbell(&self) -> Option<watch::Receiver<u64>> {
        (!self.alone).then(|| self.connection.bell.subscribe())
    }

    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease> {
        Box::pin(self.write(move |state| state.lead(lease, holder, (self.database.clock)(), ttl)))
    }

    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |state| state.resign(&fence)))
    }

    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(self.write(|state| state.post(replica, body)))
    }

    fn newest_post(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.read(State::newest_post))
    }

    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>> {
        Box::pin(self.read(move |state| state.posts_since(number, limit)))
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

    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(move |state| state.config_text(id)))
    }

    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId> {
        Box::pin(self.try_write(|state| state.put_config(new)))
    }

    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>> {
        Box::pin(self.write(move |state| state.usage.apply_batches(&nodes, now)))
    }

    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(self.read(move |state| state.usage.usage(&minutes)))
    }

    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>> {
        Box::pin(self.read(move |state| state.usage.usage_by(&query)))
    }

    fn late_usage(&self, hours: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(self.read(move |state| state.usage.late_usage(&hours)))
    }

    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.try_write(move |state| {
            state.check(fence.as_ref())?;
            state.tidy(now, (self.database.clock)());
            Ok(())
        }))
    }

    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>> {
        Box::pin(self.read(move |state| state.usage.answered_share(&minutes)))
    }

    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |state| state.record_events(events, now)))
    }

    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>> {
        Box::pin(self.try_write(|state| {
            state.check(change.fence.as_ref())?;
            Ok(state.change(change))
        }))
    }

    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)> {
        Box::pin(self.read(State::hints))
    }

    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.try_write(move |state| {
            state.check(fence.as_ref())?;
            state.forget_cooldowns(ended_before);
            Ok(())
        }))
    }

    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(move |state| state.book.outcome(&request_id)))
    }

    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(self.read(move |state| state.book.audit(&query)))
    }

    fn record_checks(&self, checks: Vec<CheckCount>, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.try_write(move |state| {
            state.check(fence.as_ref())?;
            state.book.record_checks(checks);
            Ok(())
        }))
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

    fn lease(&self, leasing: Leasing) -> StoreFuture<'_, Leased> {
        Box::pin(self.write(move |state| {
            let leased = state.limits.lease(&leasing, (self.database.clock)());
            if !leased.crossed.is_empty() {
                state.book.write(leased.audit(leasing.now), None);
            }
            leased
        }))
    }

    fn leases(&self, now: WallTime) -> StoreFuture<'_, LeaseBooks> {
        Box::pin(self.read(move |state| state.limits.leases(now, (self.database.clock)())))
    }

    fn release_escrow(&self, release: ReleaseEscrow) -> StoreFuture<'_, Vec<Released>> {
        Box::pin(self.write(move |state| state.limits.release(&release)))
    }

    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.write(|state| state.see_node(node)))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        Box::pin(self.read(State::nodes))
    }
}
