//! Usage and the cursors of those who report it.

use crate::{fault::Fault, sql};
use cliproxy_domain::{CredentialName, LedgerKey, LedgerRow, ModelName, ProviderName, Seq, WallTime};
use cliproxy_store::{
    Cursor, NodeBatches,
    ledger::{self, COUNTERS, CellKey, CursorKey, Sums},
};
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use std::{collections::BTreeMap, ops::Range};

/// Adds what follows on from the cursors, and moves them. The caller commits both together.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    nodes: &[NodeBatches],
    now: WallTime,
) -> Result<Vec<Cursor>, Fault> {
    let committed = read_cursors(connection, nodes).await?;
    let settled = ledger::settle(nodes, &committed, now);
    for (key, sums) in &settled.cells {
        add(connection, key, sums).await?;
    }
    for ((node, incarnation), last) in &settled.cursors {
        sqlx::query(sql::MOVE_CURSOR)
            .bind(node.as_str())
            .bind(incarnation.0.cast_signed())
            .bind(last.0.cast_signed())
            .bind(now.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(settled.answers)
}

async fn read_cursors(
    connection: &mut SqliteConnection,
    nodes: &[NodeBatches],
) -> Result<BTreeMap<CursorKey, Seq>, Fault> {
    let mut cursors = BTreeMap::new();
    for input in nodes {
        let query =
            sqlx::query_scalar(sql::CURSOR).bind(input.node.as_str()).bind(input.incarnation.0.cast_signed());
        let last: Option<i64> = query.fetch_optional(&mut *connection).await?;
        if let Some(last) = last {
            cursors.insert((input.node.clone(), input.incarnation), Seq(last.cast_unsigned()));
        }
    }
    Ok(cursors)
}

async fn add(connection: &mut SqliteConnection, key: &CellKey, sums: &Sums) -> Result<(), Fault> {
    let mut query = sqlx::query(sql::ADD_USAGE)
        .bind(key.minute.0)
        .bind(key.ledger.provider.as_str())
        .bind(key.ledger.credential.as_str())
        .bind(key.ledger.model.as_str())
        .bind(i64::from(key.shard));
    for counter in sums.as_signed() {
        query = query.bind(counter);
    }
    query.execute(connection).await?;
    Ok(())
}

pub(crate) async fn usage(readers: &SqlitePool, minutes: Range<WallTime>) -> Result<Vec<LedgerRow>, Fault> {
    let rows = sqlx::query(sql::USAGE).bind(minutes.start.0).bind(minutes.end.0).fetch_all(readers).await?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &SqliteRow) -> Result<LedgerRow, Fault> {
    let key = LedgerKey {
        provider: ProviderName::new(row.try_get::<String, _>(0)?),
        credential: CredentialName::new(row.try_get::<String, _>(1)?),
        model: ModelName::new(row.try_get::<String, _>(2)?),
    };
    let mut counters = [0; COUNTERS];
    for (index, counter) in counters.iter_mut().enumerate() {
        *counter = join_halves(row.try_get(3 + 2 * index)?, row.try_get(4 + 2 * index)?);
    }
    Ok(Sums::new(counters).into_row(key))
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
