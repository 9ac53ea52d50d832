//! What was used, as it is asked for.

use crate::{fault::Fault, sql, text};
use cliproxy_domain::{
    ClientName, CredentialName, LedgerRow, ModelName, PriceVersion, ProviderName, UsageKey, WallTime,
};
use cliproxy_store::{
    UsageOf, UsagePeriod, UsageQuery, UsageSum,
    ledger::{COUNTERS, Sums},
};
use sqlx::{PgConnection, Row, postgres::PgRow};
use std::{collections::BTreeMap, ops::Range};

/// Sums by key what begins within `minutes`.
pub(crate) async fn sums(
    connection: &mut PgConnection,
    minutes: &Range<WallTime>,
) -> Result<Vec<LedgerRow>, Fault> {
    let hour = UsagePeriod::Hour;
    // The first hour that begins within them.
    let first = match hour.start_of(minutes.start) {
        start if start == minutes.start => start,
        earlier => earlier.plus(hour.length()),
    };
    let rows = sqlx::query(sql::USAGE)
        .bind(minutes.start.0)
        .bind(minutes.end.0)
        .bind(first.0)
        .bind(hour.start_of(minutes.end).0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_key).collect()
}

pub(crate) async fn late(
    connection: &mut PgConnection,
    hours: &Range<WallTime>,
) -> Result<Vec<LedgerRow>, Fault> {
    let query = sqlx::query(sql::LATE_USAGE).bind(hours.start.0).bind(hours.end.0);
    query.fetch_all(connection).await?.iter().map(of_key).collect()
}

fn of_key(row: &PgRow) -> Result<LedgerRow, Fault> {
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
fn named(row: &PgRow, column: usize) -> Result<Option<String>, Fault> {
    Ok(row.try_get::<Option<String>, _>(column)?.filter(|name| !name.is_empty()))
}

pub(crate) async fn by_period(
    connection: &mut PgConnection,
    query: &UsageQuery,
) -> Result<Vec<UsageSum>, Fault> {
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
        .bind(query.provider.as_ref().map(|name| text::key(name.as_str())))
        .bind(query.model.as_ref().map(|name| text::key(name.as_str())))
        .bind(query.client.as_ref().map(|name| text::name(name.as_str())))
        .bind(i64::from(query.limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_period).collect()
}

fn of_period(row: &PgRow) -> Result<UsageSum, Fault> {
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
fn counters(row: &PgRow, first: usize) -> Result<Sums, Fault> {
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
    connection: &mut PgConnection,
    minutes: &Range<WallTime>,
) -> Result<BTreeMap<ProviderName, f64>, Fault> {
    let query = sqlx::query_as(sql::ANSWERED_SHARE).bind(minutes.start.0).bind(minutes.end.0);
    let rows: Vec<(String, i64, i64)> = query.fetch_all(connection).await?;
    // Numbers of minutes are far below 2^53, so these divisions are those of the integers.
    let share = |(provider, answered, called): (String, i64, i64)| {
        (ProviderName::new(provider), answered as f64 / called as f64)
    };
    Ok(rows.into_iter().map(share).collect())
}
