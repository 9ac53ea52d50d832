//! Health checks by the minute.

use crate::{fault::Fault, millis, sql, text, usage::join_halves};
use cliproxy_domain::{ProviderName, WallTime};
use cliproxy_store::{CheckCount, RETAINED_CHECKS, ledger::CELL_MAX};
use sqlx::PgConnection;
use std::{collections::BTreeMap, ops::Range};

/// Provider, checks and passed checks, both in halves.
type Row = (String, i64, i64, i64, i64);

/// Adds to the counts, and forgets what is too old. The caller commits.
pub(crate) async fn record(connection: &mut PgConnection, checks: &[CheckCount]) -> Result<(), Fault> {
    let sums = summed(checks);
    sqlx::query(sql::ADD_CHECKS)
        .bind(sums.keys().map(|(minute, _)| minute.0).collect::<Vec<_>>())
        .bind(sums.keys().map(|(_, provider)| provider.clone()).collect::<Vec<_>>())
        .bind(sums.values().map(|(checks, _)| checks.cast_signed()).collect::<Vec<_>>())
        .bind(sums.values().map(|(_, passed)| passed.cast_signed()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(sql::FORGET_CHECKS).bind(millis(RETAINED_CHECKS)).execute(connection).await?;
    Ok(())
}

/// Adds up what is of one row, as a statement may touch each but once; sorted, as all that lock rows do it.
fn summed(checks: &[CheckCount]) -> BTreeMap<(WallTime, String), (u64, u64)> {
    let mut sums: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for count in checks {
        let key = (count.minute, text::key(count.provider.as_str()).into_owned());
        let (checks, passed) = sums.entry(key).or_default();
        *checks = checks.saturating_add(count.checks).min(CELL_MAX);
        *passed = passed.saturating_add(count.passed).min(CELL_MAX);
    }
    sums
}

pub(crate) async fn sums(
    connection: &mut PgConnection,
    minutes: &Range<WallTime>,
) -> Result<BTreeMap<ProviderName, (u64, u64)>, Fault> {
    let query = sqlx::query_as(sql::CHECKS).bind(minutes.start.0).bind(minutes.end.0);
    let rows: Vec<Row> = query.fetch_all(connection).await?;
    let sum = |(provider, all_upper, all_lower, passed_upper, passed_lower): Row| {
        let sums = (join_halves(all_upper, all_lower), join_halves(passed_upper, passed_lower));
        (ProviderName::from(provider), sums)
    };
    Ok(rows.into_iter().map(sum).collect())
}
