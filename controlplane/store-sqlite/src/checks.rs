//! Health checks by the minute.

use crate::{fault::Fault, sql, usage::join_halves};
use cliproxy_domain::{ProviderName, WallTime};
use cliproxy_store::{CheckCount, RETAINED_CHECKS};
use sqlx::{SqliteConnection, SqlitePool};
use std::{collections::BTreeMap, ops::Range};

/// Provider, checks and passed checks, both in halves.
type Row = (String, i64, i64, i64, i64);

/// Adds to the counts, and forgets what is too old. The caller commits.
pub(crate) async fn record(connection: &mut SqliteConnection, checks: &[CheckCount]) -> Result<(), Fault> {
    for count in checks {
        sqlx::query(sql::ADD_CHECKS)
            .bind(count.minute.0)
            .bind(count.provider.as_str())
            .bind(signed(count.checks))
            .bind(signed(count.passed))
            .execute(&mut *connection)
            .await?;
    }
    let newest: Option<i64> = sqlx::query_scalar(sql::NEWEST_CHECK).fetch_one(&mut *connection).await?;
    if let Some(newest) = newest {
        let horizon = WallTime(newest).minus(RETAINED_CHECKS);
        sqlx::query(sql::FORGET_CHECKS).bind(horizon.0).execute(connection).await?;
    }
    Ok(())
}

/// Cuts a count to the highest that the database holds.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) async fn sums(
    readers: &SqlitePool,
    minutes: Range<WallTime>,
) -> Result<BTreeMap<ProviderName, (u64, u64)>, Fault> {
    let query = sqlx::query_as(sql::CHECKS).bind(minutes.start.0).bind(minutes.end.0);
    let rows: Vec<Row> = query.fetch_all(readers).await?;
    let sum = |(provider, all_upper, all_lower, passed_upper, passed_lower): Row| {
        let sums = (join_halves(all_upper, all_lower), join_halves(passed_upper, passed_lower));
        (ProviderName::from(provider), sums)
    };
    Ok(rows.into_iter().map(sum).collect())
}
