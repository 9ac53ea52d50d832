//! Leases, by the database's clock.

use crate::{fault::Fault, sql};
use cliproxy_domain::{Fence, Lease, LeaseName, WallTime};
use cliproxy_store::{StoreError, leases::Held};
use sqlx::SqliteConnection;
use std::time::Duration;

/// Takes, renews or leaves it, and gives it as it is then. The caller commits.
pub(crate) async fn lead(
    connection: &mut SqliteConnection,
    lease: &LeaseName,
    holder: String,
    ttl: Duration,
) -> Result<Lease, Fault> {
    let now = WallTime(sqlx::query_scalar(sql::NOW).fetch_one(&mut *connection).await?);
    let held = Held::taken(read(connection, lease).await?, holder, now, ttl);
    write(connection, lease, &held).await?;
    Ok(held.at(now))
}

/// Gives it up if the fence holds. The caller commits.
pub(crate) async fn resign(connection: &mut SqliteConnection, fence: &Fence) -> Result<(), Fault> {
    match read(connection, &fence.lease).await? {
        Some(held) if held.admits(fence) => write(connection, &fence.lease, &held.resigned()).await,
        _ => Ok(()),
    }
}

/// Refuses what is written under a lease that is another's. Whatever the transaction writes then holds: no other
/// connection writes until it ends.
pub(crate) async fn check(
    connection: &mut SqliteConnection,
    fence: Option<&Fence>,
) -> Result<(), StoreError> {
    let Some(fence) = fence else { return Ok(()) };
    match read(connection, &fence.lease).await? {
        Some(held) if held.admits(fence) => Ok(()),
        _ => Err(StoreError::Fenced(fence.lease.0.clone())),
    }
}

async fn read(connection: &mut SqliteConnection, lease: &LeaseName) -> Result<Option<Held>, Fault> {
    let query = sqlx::query_as(sql::LEASE).bind(&lease.0);
    let row: Option<(Option<String>, i64, i64)> = query.fetch_optional(connection).await?;
    Ok(row.map(|(holder, epoch, end_ms)| Held {
        holder,
        epoch: epoch.cast_unsigned(),
        ends_at: WallTime(end_ms),
    }))
}

async fn write(connection: &mut SqliteConnection, lease: &LeaseName, held: &Held) -> Result<(), Fault> {
    sqlx::query(sql::SET_LEASE)
        .bind(&lease.0)
        .bind(&held.holder)
        .bind(held.epoch.cast_signed())
        .bind(held.ends_at.0)
        .execute(connection)
        .await?;
    Ok(())
}
