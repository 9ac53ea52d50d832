//! The ledger: what is counted, and the cursors of those who report it.

mod rows;

use crate::{fault::Fault, sql, text};
use cliproxy_domain::{Seq, WallTime};
use cliproxy_store::{
    Cursor, NodeBatches,
    ledger::{self, Books, Marks, Position, Settled},
};
use rows::Rows;
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// A cursor as its row is named: the node, and the bits of the incarnation read as signed.
pub(crate) type RowKey = (String, i64);

/// What becomes of reports.
pub(crate) enum Applied {
    /// They are counted.
    Done(Vec<Cursor>),
    /// Nothing is done: these have no row yet that could be locked.
    Unknown(BTreeSet<RowKey>),
}

/// Adds what follows on from the cursors, and moves them. The caller keeps usage from being rolled up, and commits both
/// together.
///
/// The rows of all cursors are locked first: what is reported over two replicas at once is counted by one after the
/// other.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    nodes: &[NodeBatches],
    now: WallTime,
) -> Result<Applied, Fault> {
    let keys: BTreeSet<RowKey> = nodes.iter().map(row_key).collect();
    let (known, marks) = lock_cursors(connection, &keys).await?;
    let unknown: BTreeSet<RowKey> = keys.into_iter().filter(|key| !known.contains_key(key)).collect();
    if !unknown.is_empty() {
        return Ok(Applied::Unknown(unknown));
    }
    let cursors = nodes.iter().filter_map(|input| {
        let position = known.get(&row_key(input)).copied().flatten()?;
        Some(((input.node.clone(), input.incarnation), position))
    });
    let books = Books { cursors: cursors.collect(), marks };
    let settled = ledger::settle(nodes, &books, now);
    write_sums(connection, &settled).await?;
    move_cursors(connection, &settled, now).await?;
    Ok(Applied::Done(settled.answers))
}

/// Makes rows to be locked, which say nothing yet.
pub(crate) async fn add_cursors(
    connection: &mut PgConnection,
    keys: &BTreeSet<RowKey>,
    now: WallTime,
) -> Result<(), Fault> {
    let (nodes, incarnations) = columns(keys);
    let query = sqlx::query(sql::ADD_CURSORS).bind(nodes).bind(incarnations).bind(now.0);
    query.execute(connection).await?;
    Ok(())
}

fn row_key(input: &NodeBatches) -> RowKey {
    (text::key(input.node.as_str()).into_owned(), input.incarnation.0.cast_signed())
}

fn columns(keys: &BTreeSet<RowKey>) -> (Vec<String>, Vec<i64>) {
    keys.iter().cloned().unzip()
}

/// Gives the cursors that have a row, none where nothing is counted yet; and the marks, if there is any row.
async fn lock_cursors(
    connection: &mut PgConnection,
    keys: &BTreeSet<RowKey>,
) -> Result<(BTreeMap<RowKey, Option<Position>>, Marks), Fault> {
    let (nodes, incarnations) = columns(keys);
    let query = sqlx::query(sql::CURSORS).bind(nodes).bind(incarnations);
    let mut cursors = BTreeMap::new();
    let mut marks = Marks::default();
    for row in &query.fetch_all(connection).await? {
        let late_before: Option<i64> = row.try_get(3)?;
        let position = row
            .try_get::<Option<i64>, _>(2)?
            .map(|last| Position { last: Seq(last.cast_unsigned()), late_before: late_before.map(WallTime) });
        cursors.insert((row.try_get(0)?, row.try_get(1)?), position);
        marks = marks_of(row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    }
    Ok((cursors, marks))
}

pub(crate) async fn read_marks(connection: &mut PgConnection) -> Result<Marks, Fault> {
    let (rolled_to, minutes_from, purged_to) = sqlx::query_as(sql::MARKS).fetch_one(connection).await?;
    Ok(marks_of(rolled_to, minutes_from, purged_to))
}

fn marks_of(rolled_to: i64, minutes_from: i64, purged_to: Option<i64>) -> Marks {
    Marks {
        rolled_to: WallTime(rolled_to),
        minutes_from: WallTime(minutes_from),
        purged_to: purged_to.map(WallTime),
    }
}

async fn write_sums(connection: &mut PgConnection, settled: &Settled) -> Result<(), Fault> {
    Rows::of_minutes(&settled.cells).add_to(connection, sql::ADD_MINUTES).await?;
    Rows::of_periods(&settled.hours).add_to(connection, sql::ADD_HOURS).await?;
    Rows::of_periods(&settled.days).add_to(connection, sql::ADD_DAYS).await?;
    Rows::of_periods(&settled.late).add_to(connection, sql::ADD_LATE).await
}

async fn move_cursors(connection: &mut PgConnection, settled: &Settled, now: WallTime) -> Result<(), Fault> {
    let moved: BTreeMap<RowKey, Position> = settled
        .cursors
        .iter()
        .map(|((node, incarnation), position)| {
            ((text::key(node.as_str()).into_owned(), incarnation.0.cast_signed()), *position)
        })
        .collect();
    if moved.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::MOVE_CURSORS)
        .bind(moved.keys().map(|(node, _)| node.as_str()).collect::<Vec<_>>())
        .bind(moved.keys().map(|(_, incarnation)| *incarnation).collect::<Vec<_>>())
        .bind(moved.values().map(|position| position.last.0.cast_signed()).collect::<Vec<_>>())
        .bind(moved.values().map(|position| position.late_before.map(|time| time.0)).collect::<Vec<_>>())
        .bind(now.0)
        .execute(connection)
        .await?;
    Ok(())
}
