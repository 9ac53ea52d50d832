//! What was used, as it is asked for.

use crate::{fault::Fault, sql};
use cliproxy_domain::{
    ClientName, CredentialName, LedgerRow, ModelName, PriceVersion, ProviderName, UsageKey, WallTime,
};
use cliproxy_store::{
    UsageOf, UsagePeriod, UsageQuery, UsageSum,
    ledger::{COUNTERS, Sums},
};
use sqlx::{Row, SqliteExecutor, SqlitePool, sqlite::SqliteRow};
use std::{collections::BTreeMap, ops::Range};

/// Sums by key what begins within `minutes`.
pub(crate) async fn sums(
    executor: impl SqliteExecutor<'_>,
    minutes: Range<WallTime>,
) -> Result<Vec<LedgerRow>, Fault> {
    by_key(executor, sql::USAGE, minutes).await
}

pub(crate) async fn late(readers: &SqlitePool, hours: Range<WallTime>) -> Result<Vec<LedgerRow>, Fault> {
    by_key(readers, sql::LATE_USAGE, hours).await
}

async fn by_key(
    executor: impl SqliteExecutor<'_>,
    statement: &'static str,
    within: Range<WallTime>,
) -> Result<Vec<LedgerRow>, Fault> {
    let rows = sqlx::query(statement).bind(within.start.0).bind(within.end.0).fetch_all(executor).await?;
    rows.iter().map(of_key).collect()
}

fn of_key(row: &SqliteRow) -> Result<LedgerRow, Fault> {
    let key = UsageKey {
        provider: ProviderName::new(row.try_get::<String, _>(0)?),
        credential: CredentialName::new(row.try_get::<String, _>(1)?),
        model: ModelName::new(row.try_get::<String, _>(2)?),
        client: named(row, 3)?.map(ClientName::from),
        price: named(row, 4)?.map(PriceVersion::from),
    };
    Ok(counters(row, 5)?.into_row(key))
}

/// Reads a name that may be none: then it is empty, and absent where all are summed.
fn named(row: &SqliteRow, column: usize) -> Result<Option<String>, Fault> {
    Ok(row.try_get::<Option<String>, _>(column)?.filter(|name| !name.is_empty()))
}

pub(crate) async fn by_period(readers: &SqlitePool, query: &UsageQuery) -> Result<Vec<UsageSum>, Fault> {
    let statement = match query.period {
        UsagePeriod::Minute => sql::USAGE_BY_MINUTE,
        UsagePeriod::Hour => sql::USAGE_BY_HOUR,
        UsagePeriod::Day => sql::USAGE_BY_DAY,
    };
    let rows = sqlx::query(statement)
        .bind(query.within.start.0)
        .bind(query.within.end.0)
        .bind(query.by.providers())
        .bind(query.by.credential)
        .bind(query.by.model)
        .bind(query.by.client)
        .bind(query.by.price)
        .bind(query.provider.as_ref().map(ProviderName::as_str))
        .bind(query.model.as_ref().map(ModelName::as_str))
        .bind(query.client.as_ref().map(ClientName::as_str))
        .bind(i64::from(query.limit))
        .fetch_all(readers)
        .await?;
    rows.iter().map(of_period).collect()
}

fn of_period(row: &SqliteRow) -> Result<UsageSum, Fault> {
    let sums = counters(row, 6)?;
    Ok(UsageSum {
        at: WallTime(row.try_get(0)?),
        of: UsageOf {
            provider: row.try_get::<Option<String>, _>(1)?.map(ProviderName::from),
            credential: row.try_get::<Option<String>, _>(2)?.map(CredentialName::from),
            model: row.try_get::<Option<String>, _>(3)?.map(ModelName::from),
            client: named(row, 4)?.map(ClientName::from),
            price: named(row, 5)?.map(PriceVersion::from),
        },
        attempts: sums.attempts(),
        tokens: sums.tokens(),
        cost_nanos: sums.cost_nanos(),
    })
}

/// Reads the counters, in halves, from that column on.
fn counters(row: &SqliteRow, first: usize) -> Result<Sums, Fault> {
    let mut counters = [0; COUNTERS];
    for (index, counter) in counters.iter_mut().enumerate() {
        *counter = join_halves(row.try_get(first + 2 * index)?, row.try_get(first + 1 + 2 * index)?);
    }
    Ok(Sums::new(counters))
}

/// Puts a sum together that the database keeps in two, staying at the highest number instead of passing it.
pub(crate) fn join_halves(upper: i64, lower: i64) -> u64 {
    let sum = (i128::from(upper) << 32) + i128::from(lower);
    u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
}

pub(crate) async fn answered_share(
    readers: &SqlitePool,
    minutes: Range<WallTime>,
) -> Result<BTreeMap<ProviderName, f64>, Fault> {
    let query = sqlx::query_as(sql::ANSWERED_SHARE).bind(minutes.start.0).bind(minutes.end.0);
    let rows: Vec<(String, i64, i64)> = query.fetch_all(readers).await?;
    // Numbers of minutes are far below 2^53, so these divisions are those of the integers.
    let share = |(provider, answered, called): (String, i64, i64)| {
        (ProviderName::new(provider), answered as f64 / called as f64)
    };
    Ok(rows.into_iter().map(share).collect())
}
