//! Leases, by the database's clock.

use crate::{fault::Fault, millis, ring, sql, text};
use cliproxy_domain::{Fence, Lease, LeaseName};
use sqlx::PgConnection;
use std::time::Duration;

/// Takes, renews or leaves it, and gives it as it is then. The caller commits.
pub(crate) async fn lead(
    connection: &mut PgConnection,
    lease: &LeaseName,
    holder: &str,
    ttl: Duration,
) -> Result<Lease, Fault> {
    sqlx::query(sql::LEAD)
        .bind(text::key(&lease.0))
        .bind(text::plain(holder))
        .bind(millis(ttl))
        .execute(&mut *connection)
        .await?;
    let query = sqlx::query_as(sql::LEASE).bind(text::key(&lease.0));
    let (holder, epoch, left): (String, i64, i64) = query.fetch_one(connection).await?;
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    Ok(Lease { holder, epoch: epoch.cast_unsigned(), left })
}

/// Gives it up if the fence holds, and tells whoever waits for it. The caller commits.
pub(crate) async fn resign(connection: &mut PgConnection, fence: &Fence) -> Result<(), Fault> {
    let query = sqlx::query(sql::RESIGN).bind(text::key(&fence.lease.0)).bind(text::plain(&fence.holder));
    let done = query.bind(fence.epoch.cast_signed()).execute(&mut *connection).await?;
    if done.rows_affected() > 0 {
        ring(connection, "lease").await?;
    }
    Ok(())
}

/// Refuses what is written under a lease that is another's. The lease stays until the transaction ends.
pub(crate) async fn check(connection: &mut PgConnection, fence: Option<&Fence>) -> Result<(), Fault> {
    let Some(fence) = fence else { return Ok(()) };
    let query = sqlx::query_scalar::<_, i64>(sql::FENCE)
        .bind(text::key(&fence.lease.0))
        .bind(text::plain(&fence.holder))
        .bind(fence.epoch.cast_signed());
    match query.fetch_optional(connection).await? {
        Some(_) => Ok(()),
        None => Err(Fault::Fenced(fence.lease.0.clone())),
    }
}
