//! The store in a SQLite file: the default, for one control plane.
//!
//! One connection writes, four read; the log is write-ahead and every commit is synced, so what was
//! acknowledged survives a power cut. Not for network file systems: they do not keep SQLite's locks.
#![deny(missing_docs)]

mod audit;
mod checks;
mod config;
mod events;
mod fault;
mod hints;
mod leases;
mod ledger;
mod limits;
mod nodes;
mod open;
mod posts;
mod requests;
mod sql;
#[cfg(test)]
mod tests;
mod tidy;
mod usage;

use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, Lease, LeaseName, LedgerRow,
    ProviderName, ReplicaId, UrgentEvent, WallTime,
};
use cliproxy_store::{
    Change, CheckCount, ConfigSummary, Cursor, HintChange, LeaseBooks, Leased, Leasing, NewConfig,
    NodeBatches, NodeRecord, Post, ReleaseEscrow, Released, Store, StoreError, StoreFuture, StoredConfig,
    StoredRequest, UsageQuery, UsageSum,
};
use fault::Fault;
use sqlx::{Sqlite, SqlitePool, Transaction};
use std::{collections::BTreeMap, fs::File, ops::Range, time::Duration};

/// A store over one SQLite file.
pub struct SqliteStore {
    /// None when it was opened to be read only.
    writer: Option<Writer>,
    readers: SqlitePool,
    history: HistoryId,
}

/// The one connection that writes, and the lock that keeps other processes from having one.
struct Writer {
    pool: SqlitePool,
    _lock: File,
}

impl SqliteStore {
    /// Closes all connections, which empties the write-ahead log into the database; whatever is asked later
    /// fails. The lock is held until the store is dropped.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.pool.close().await;
        }
    }

    /// Gives the ids of the recorded events, sorted.
    pub async fn event_ids(&self) -> Result<Vec<String>, StoreError> {
        Ok(events::ids(&self.readers).await?)
    }

    /// Begins a transaction that will write: it waits for its turn now, not in the middle.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let Some(writer) = &self.writer else {
            return Err(StoreError::Unavailable("it was opened to be read only".into()));
        };
        Ok(writer.pool.begin_with("BEGIN IMMEDIATE").await.map_err(Fault::from)?)
    }

    /// Begins a transaction whose reads all see the same commits.
    async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin().await.map_err(Fault::from)?)
    }
}

async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(fault::of_commit)
}

impl Store for SqliteStore {
    fn history(&self) -> StoreFuture<'_, HistoryId> {
        Box::pin(async { Ok(self.history.clone()) })
    }

    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let held = leases::lead(&mut transaction, &lease, holder, ttl).await?;
            commit(transaction).await?;
            Ok(held)
        })
    }

    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            leases::resign(&mut transaction, &fence).await?;
            commit(transaction).await
        })
    }

    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let number = posts::add(&mut transaction, &replica, &body).await?;
            commit(transaction).await?;
            Ok(number)
        })
    }

    fn newest_post(&self) -> StoreFuture<'_, u64> {
        Box::pin(async { Ok(posts::newest(&mut *self.begin_read().await?).await?) })
    }

    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>> {
        Box::pin(async move { Ok(posts::since(&mut *self.begin_read().await?, number, limit).await?) })
    }

    fn time(&self) -> StoreFuture<'_, Option<WallTime>> {
        Box::pin(async { Ok(None) })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            let mut transaction = self.begin().await?;
            sqlx::query(sql::PING).execute(&mut *transaction).await.map_err(Fault::from)?;
            commit(transaction).await
        })
    }

    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(async { Ok(config::active(&mut *self.begin_read().await?).await?) })
    }

    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(async move { Ok(config::numbered(&mut *self.begin_read().await?, id).await?) })
    }

    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>> {
        Box::pin(async move { Ok(config::text(&self.readers, id).await?) })
    }

    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId> {
        Box::pin(async {
            let mut transaction = self.begin().await?;
            let id = config::put(&mut transaction, new).await?;
            commit(transaction).await?;
            Ok(id)
        })
    }

    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let cursors = ledger::apply(&mut transaction, &nodes, now).await?;
            commit(transaction).await?;
            Ok(cursors)
        })
    }

    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(async { Ok(usage::sums(&self.readers, minutes).await?) })
    }

    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>> {
        Box::pin(async move { Ok(usage::by_period(&self.readers, &query).await?) })
    }

    fn late_usage(&self, hours: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(async { Ok(usage::late(&self.readers, hours).await?) })
    }

    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            leases::check(&mut transaction, fence.as_ref()).await?;
            tidy::tidy(&mut transaction, now).await?;
            commit(transaction).await
        })
    }

    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>> {
        Box::pin(async { Ok(usage::answered_share(&self.readers, minutes).await?) })
    }

    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            events::record(&mut transaction, &events, now).await?;
            commit(transaction).await
        })
    }

    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            leases::check(&mut transaction, change.fence.as_ref()).await?;
            // Before the rest, since a call that was carried out before changes nothing.
            if let Some(outcome) = &change.outcome
                && !audit::remember(&mut transaction, outcome).await?
            {
                return Ok(Vec::new());
            }
            let changes = hints::merge(&mut transaction, change.hints).await?;
            audit::write(&mut transaction, &change.audit).await?;
            commit(transaction).await?;
            Ok(changes)
        })
    }

    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)> {
        Box::pin(async { Ok(hints::all(&mut *self.begin_read().await?).await?) })
    }

    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            leases::check(&mut transaction, fence.as_ref()).await?;
            hints::forget(&mut transaction, ended_before).await?;
            commit(transaction).await
        })
    }

    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(async move { Ok(audit::outcome(&self.readers, &request_id).await?) })
    }

    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(async move { Ok(audit::read(&self.readers, &query).await?) })
    }

    fn record_checks(&self, checks: Vec<CheckCount>, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            leases::check(&mut transaction, fence.as_ref()).await?;
            checks::record(&mut transaction, &checks).await?;
            commit(transaction).await
        })
    }

    fn checks(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, (u64, u64)>> {
        Box::pin(async { Ok(checks::sums(&self.readers, minutes).await?) })
    }

    fn record_requests(&self, requests: Vec<StoredRequest>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            requests::record(&mut transaction, &requests, now).await?;
            commit(transaction).await
        })
    }

    fn request(&self, id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(async move { Ok(requests::read(&self.readers, &id).await?) })
    }

    fn configs(&self, limit: u32) -> StoreFuture<'_, Vec<ConfigSummary>> {
        Box::pin(async move { Ok(config::newest(&self.readers, limit).await?) })
    }

    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>> {
        Box::pin(
            async move { Ok(hints::changes_since(&mut *self.begin_read().await?, version, limit).await?) },
        )
    }

    fn lease(&self, leasing: Leasing) -> StoreFuture<'_, Leased> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let leased = limits::lease(&mut transaction, &leasing).await?;
            commit(transaction).await?;
            Ok(leased)
        })
    }

    fn leases(&self, now: WallTime) -> StoreFuture<'_, LeaseBooks> {
        Box::pin(async move { Ok(limits::all(&mut *self.begin_read().await?, now).await?) })
    }

    fn release_escrow(&self, release: ReleaseEscrow) -> StoreFuture<'_, Vec<Released>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let released = limits::release(&mut transaction, &release).await?;
            commit(transaction).await?;
            Ok(released)
        })
    }

    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()> {
        Box::pin(async {
            let mut transaction = self.begin().await?;
            nodes::see(&mut transaction, node).await?;
            commit(transaction).await
        })
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        Box::pin(async { Ok(nodes::all(&self.readers).await?) })
    }
}
