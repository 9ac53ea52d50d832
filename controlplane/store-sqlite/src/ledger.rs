//! The ledger: what is counted, and the cursors of those who report it.

use crate::{fault::Fault, sql};
use cliproxy_domain::{ClientName, PriceVersion, Seq, WallTime};
use cliproxy_store::{
    Cursor, NodeBatches,
    ledger::{self, Books, CellKey, CursorKey, Marks, PeriodKey, Position, Settled, Sums},
};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// Adds what follows on from the cursors, and moves them. The caller commits both together.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    nodes: &[NodeBatches],
    now: WallTime,
) -> Result<Vec<Cursor>, Fault> {
    let books =
        Books { cursors: read_cursors(connection, nodes).await?, marks: read_marks(connection).await? };
    let settled = ledger::settle(nodes, &books, now);
    write_sums(connection, &settled).await?;
    for ((node, incarnation), position) in &settled.cursors {
        sqlx::query(sql::MOVE_CURSOR)
            .bind(node.as_str())
            .bind(incarnation.0.cast_signed())
            .bind(position.last.0.cast_signed())
            .bind(position.late_before.map(|time| time.0))
            .bind(now.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(settled.answers)
}

async fn read_cursors(
    connection: &mut SqliteConnection,
    nodes: &[NodeBatches],
) -> Result<BTreeMap<CursorKey, Position>, Fault> {
    let mut cursors = BTreeMap::new();
    for input in nodes {
        let query =
            sqlx::query_as(sql::CURSOR).bind(input.node.as_str()).bind(input.incarnation.0.cast_signed());
        let row: Option<(i64, Option<i64>)> = query.fetch_optional(&mut *connection).await?;
        if let Some((last, late_before)) = row {
            let position =
                Position { last: Seq(last.cast_unsigned()), late_before: late_before.map(WallTime) };
            cursors.insert((input.node.clone(), input.incarnation), position);
        }
    }
    Ok(cursors)
}

pub(crate) async fn read_marks(connection: &mut SqliteConnection) -> Result<Marks, Fault> {
    let (rolled_to, minutes_from, purged_to): (i64, i64, Option<i64>) =
        sqlx::query_as(sql::MARKS).fetch_one(connection).await?;
    Ok(Marks {
        rolled_to: WallTime(rolled_to),
        minutes_from: WallTime(minutes_from),
        purged_to: purged_to.map(WallTime),
    })
}

async fn write_sums(connection: &mut SqliteConnection, settled: &Settled) -> Result<(), Fault> {
    for (key, sums) in &settled.cells {
        add_to_minute(connection, key, sums).await?;
    }
    let periods =
        [(sql::ADD_HOUR, &settled.hours), (sql::ADD_DAY, &settled.days), (sql::ADD_LATE, &settled.late)];
    for (statement, sums) in periods {
        for (key, sums) in sums {
            add_to_period(connection, statement, key, sums).await?;
        }
    }
    Ok(())
}

async fn add_to_minute(connection: &mut SqliteConnection, key: &CellKey, sums: &Sums) -> Result<(), Fault> {
    let mut query = sqlx::query(sql::ADD_MINUTE)
        .bind(key.minute.0)
        .bind(key.ledger.provider.as_str())
        .bind(key.ledger.credential.as_str())
        .bind(key.ledger.model.as_str())
        .bind(key.ledger.client.as_ref().map_or("", ClientName::as_str))
        .bind(key.ledger.price.as_ref().map_or("", PriceVersion::as_str))
        .bind(i64::from(key.shard));
    for counter in sums.as_signed() {
        query = query.bind(counter);
    }
    query.execute(connection).await?;
    Ok(())
}

/// Adds to one row of the table that `statement` is about.
pub(crate) async fn add_to_period(
    connection: &mut SqliteConnection,
    statement: &'static str,
    key: &PeriodKey,
    sums: &Sums,
) -> Result<(), Fault> {
    let mut query = sqlx::query(statement)
        .bind(key.at.0)
        .bind(key.ledger.provider.as_str())
        .bind(key.ledger.credential.as_str())
        .bind(key.ledger.model.as_str())
        .bind(key.ledger.client.as_ref().map_or("", ClientName::as_str))
        .bind(key.ledger.price.as_ref().map_or("", PriceVersion::as_str));
    for counter in sums.as_signed() {
        query = query.bind(counter);
    }
    query.execute(connection).await?;
    Ok(())
}
