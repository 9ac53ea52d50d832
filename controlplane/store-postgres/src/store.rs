//! Each method of the trait: which lock its transaction begins with, and what it does.

use crate::{
    PostgresStore, audit, checks, config,
    doorbell::Doorbell,
    events,
    fault::Fault,
    hints, leases,
    ledger::{self, Applied},
    limits, nodes, posts, requests, sql, usage,
    work::Beginning,
};
use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, Lease, LeaseName, LedgerRow,
    ProviderName, ReplicaId, UrgentEvent, WallTime,
};
use cliproxy_store::{
    Change, CheckCount, ConfigSummary, Cursor, HintChange, LeaseBooks, Leased, Leasing, NewConfig,
    NodeBatches, NodeRecord, Post, ReleaseEscrow, Released, Store, StoreError, StoreFuture, StoredConfig,
    StoredRequest, UsageQuery, UsageSum,
};
use sqlx::PgConnection;
use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often reports are tried whose cursors were forgotten between being made and being locked.
const TRIES: u32 = 3;

impl PostgresStore {
    async fn apply(&self, nodes: Vec<NodeBatches>, now: WallTime) -> Result<Vec<Cursor>, StoreError> {
        let given = Arc::new(nodes);
        for _ in 0..TRIES {
            let applied =
                self.write(Beginning::Counting, (Arc::clone(&given), now), |connection, (nodes, now)| {
                    Box::pin(ledger::apply(connection, nodes, *now))
                });
            match applied.await? {
                Applied::Done(answers) => return Ok(answers),
                // In a transaction of its own: in this one, locks would be taken out of order.
                Applied::Unknown(keys) => {
                    self.write(Beginning::Plain, (keys, now), |connection, (keys, now)| {
                        Box::pin(ledger::add_cursors(connection, keys, *now))
                    })
                    .await?;
                }
            }
        }
        Err(StoreError::Unavailable("the cursors of nodes go away as soon as they are made".into()))
    }
}

/// Writes everything that a change has. The caller holds the lock of what is numbered, and commits.
async fn write_change(connection: &mut PgConnection, change: &Change) -> Result<Vec<HintChange>, Fault> {
    leases::check(connection, change.fence.as_ref()).await?;
    // Before the rest, since a call that was carried out before changes nothing.
    if let Some(outcome) = &change.outcome
        && !audit::remember(connection, outcome).await?
    {
        return Ok(Vec::new());
    }
    let changes = hints::merge(connection, &change.hints).await?;
    audit::write(connection, &change.audit).await?;
    Ok(changes)
}

impl Store for PostgresStore {
    fn history(&self) -> StoreFuture<'_, HistoryId> {
        Box::pin(self.read((), |connection, ()| {
            Box::pin(async { Ok(HistoryId(sqlx::query_scalar(sql::HISTORY).fetch_one(connection).await?)) })
        }))
    }

    fn doorbell(&self) -> Option<watch::Receiver<u64>> {
        self.doorbell.as_ref().map(Doorbell::rings)
    }

    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease> {
        Box::pin(self.write(Beginning::Plain, (lease, holder, ttl), |connection, (lease, holder, ttl)| {
            Box::pin(leases::lead(connection, lease, holder, *ttl))
        }))
    }

    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()> {
        Box::pin(
            self.write(Beginning::Plain, fence, |connection, fence| {
                Box::pin(leases::resign(connection, fence))
            }),
        )
    }

    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(self.write(Beginning::Plain, (replica, body), |connection, (replica, body)| {
            Box::pin(posts::add(connection, replica, body))
        }))
    }

    fn newest_post(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.read((), |connection, ()| Box::pin(posts::newest(connection))))
    }

    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>> {
        Box::pin(self.read((number, limit), |connection, (number, limit)| {
            Box::pin(posts::since(connection, *number, *limit))
        }))
    }

    fn time(&self) -> StoreFuture<'_, Option<WallTime>> {
        Box::pin(self.read((), |connection, ()| {
            Box::pin(async {
                let now: i64 = sqlx::query_scalar(sql::TIME).fetch_one(connection).await?;
                Ok(Some(WallTime(now)))
            })
        }))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.write(Beginning::Plain, (), |connection, ()| {
            Box::pin(async {
                sqlx::query(sql::PING).execute(connection).await?;
                Ok(())
            })
        }))
    }

    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(self.read((), |connection, ()| Box::pin(config::active(connection))))
    }

    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>> {
        Box::pin(self.read(id, |connection, id| Box::pin(config::numbered(connection, *id))))
    }

    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(id, |connection, id| Box::pin(config::config_text(connection, *id))))
    }

    fn configs(&self, limit: u32) -> StoreFuture<'_, Vec<ConfigSummary>> {
        Box::pin(self.read(limit, |connection, limit| Box::pin(config::newest(connection, *limit))))
    }

    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId> {
        Box::pin(
            self.write(Beginning::Numbering, new, |connection, new| Box::pin(config::put(connection, new))),
        )
    }

    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>> {
        Box::pin(self.apply(nodes, now))
    }

    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(self.read(minutes, |connection, minutes| Box::pin(usage::sums(connection, minutes))))
    }

    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>> {
        Box::pin(self.read(query, |connection, query| Box::pin(usage::by_period(connection, query))))
    }

    fn late_usage(&self, hours: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        Box::pin(self.read(hours, |connection, hours| Box::pin(usage::late(connection, hours))))
    }

    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.tidy_up(now, fence))
    }

    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>> {
        Box::pin(
            self.read(minutes, |connection, minutes| Box::pin(usage::answered_share(connection, minutes))),
        )
    }

    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(self.write(Beginning::Long, (events, now), |connection, (events, now)| {
            Box::pin(events::record(connection, events, *now))
        }))
    }

    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>> {
        Box::pin(self.write(Beginning::Numbering, change, |connection, change| {
            Box::pin(write_change(connection, change))
        }))
    }

    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)> {
        Box::pin(self.read((), |connection, ()| Box::pin(hints::all(connection))))
    }

    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>> {
        Box::pin(self.read((version, limit), |connection, (version, limit)| {
            Box::pin(hints::changes_since(connection, *version, *limit))
        }))
    }

    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.write(Beginning::Numbering, (ended_before, fence), |connection, (before, fence)| {
            Box::pin(async {
                leases::check(connection, fence.as_ref()).await?;
                hints::forget(connection, *before).await
            })
        }))
    }

    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(request_id, |connection, id| Box::pin(audit::outcome(connection, id))))
    }

    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(self.read(query, |connection, query| Box::pin(audit::read(connection, query))))
    }

    fn record_checks(&self, checks: Vec<CheckCount>, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        Box::pin(self.write(Beginning::Plain, (checks, fence), |connection, (checks, fence)| {
            Box::pin(async {
                leases::check(connection, fence.as_ref()).await?;
                checks::record(connection, checks).await
            })
        }))
    }

    fn checks(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, (u64, u64)>> {
        Box::pin(self.read(minutes, |connection, minutes| Box::pin(checks::sums(connection, minutes))))
    }

    fn record_requests(&self, requests: Vec<StoredRequest>, now: WallTime) -> StoreFuture<'_, ()> {
        Box::pin(self.write(Beginning::Long, (requests, now), |connection, (requests, now)| {
            Box::pin(requests::record(connection, requests, *now))
        }))
    }

    fn request(&self, id: String) -> StoreFuture<'_, Option<String>> {
        Box::pin(self.read(id, |connection, id| Box::pin(requests::read(connection, id))))
    }

    fn lease(&self, leasing: Leasing) -> StoreFuture<'_, Leased> {
        Box::pin(self.write(Beginning::Plain, leasing, |connection, leasing| {
            Box::pin(limits::lease(connection, leasing))
        }))
    }

    fn leases(&self, now: WallTime) -> StoreFuture<'_, LeaseBooks> {
        Box::pin(self.read(now, |connection, now| Box::pin(limits::all(connection, *now))))
    }

    fn release_escrow(&self, release: ReleaseEscrow) -> StoreFuture<'_, Vec<Released>> {
        Box::pin(self.write(Beginning::Plain, release, |connection, release| {
            Box::pin(limits::release(connection, release))
        }))
    }

    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()> {
        Box::pin(
            self.write(Beginning::Plain, node, |connection, node| Box::pin(nodes::see(connection, node))),
        )
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        Box::pin(self.read((), |connection, ()| Box::pin(nodes::all(connection))))
    }
}
