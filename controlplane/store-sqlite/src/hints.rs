//! The hint line: the newest value of every key, and the log of their changes.

use crate::{fault::Fault, sql};
use cliproxy_domain::{Hint, HintKey, HintVersion, WallTime};
use cliproxy_store::{
    HintChange, StoreError,
    hints::{self, stored},
};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// Kind and body of a hint.
type Row = (String, String);

/// Merges, numbers and logs. The caller commits.
pub(crate) async fn merge(
    connection: &mut SqliteConnection,
    incoming: Vec<Hint>,
) -> Result<Vec<HintChange>, Fault> {
    if incoming.is_empty() {
        return Ok(Vec::new());
    }
    let newest = newest_version(connection).await?;
    let mut current = BTreeMap::new();
    for hint in &incoming {
        let key = hint.key();
        if !current.contains_key(&key)
            && let Some(known) = read(connection, &key).await?
        {
            current.insert(key, known);
        }
    }
    let changes = hints::merge_and_number(&mut current, newest, incoming);
    if let Some(last) = changes.last() {
        for change in &changes {
            write(connection, change).await?;
        }
        let forgotten = hints::forgotten_up_to(last.version).0.cast_signed();
        sqlx::query(sql::SET_HINT_VERSION)
            .bind(last.version.0.cast_signed())
            .execute(&mut *connection)
            .await?;
        sqlx::query(sql::FORGET_CHANGES).bind(forgotten).execute(connection).await?;
    }
    Ok(changes)
}

pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<(HintVersion, Vec<Hint>), Fault> {
    let version = newest_version(connection).await?;
    let rows: Vec<Row> = sqlx::query_as(sql::HINTS).fetch_all(connection).await?;
    let mut hints = rows.iter().filter_map(|row| of_row(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    // The database sorts by text, which is another order.
    hints.sort_by_cached_key(Hint::key);
    Ok((version, hints))
}

pub(crate) async fn forget(connection: &mut SqliteConnection, ended_before: WallTime) -> Result<(), Fault> {
    sqlx::query(sql::FORGET_HINTS).bind(ended_before.0).execute(connection).await?;
    Ok(())
}

pub(crate) async fn changes_since(
    connection: &mut SqliteConnection,
    version: HintVersion,
    limit: u32,
) -> Result<Option<Vec<HintChange>>, Fault> {
    let newest = newest_version(connection).await?;
    if version > newest {
        return Ok(None);
    }
    // At least one row, to see whether the next change is still there.
    let page = limit.max(1);
    let (mut logged, mut after) = (stored::Logged::default(), Some(version));
    while let Some(known) = after {
        let query = sqlx::query_as(sql::CHANGES).bind(known.0.cast_signed()).bind(i64::from(page));
        let rows: Vec<(i64, String, String)> = query.fetch_all(&mut *connection).await?;
        for (number, kind, body) in &rows {
            logged.add(HintVersion(number.cast_unsigned()), kind, body).map_err(corrupt)?;
        }
        after = logged.read_on_after(rows.len(), page);
    }
    if version < newest && !logged.follows(version) {
        return Ok(None);
    }
    Ok(Some(logged.changes(limit)))
}

async fn newest_version(connection: &mut SqliteConnection) -> Result<HintVersion, Fault> {
    let version: i64 = sqlx::query_scalar(sql::HINT_VERSION).fetch_one(connection).await?;
    Ok(HintVersion(version.cast_unsigned()))
}

async fn read(connection: &mut SqliteConnection, key: &HintKey) -> Result<Option<Hint>, Fault> {
    let Some(key) = stored::RowKey::of(key) else {
        return Ok(None);
    };
    let query = sqlx::query_as(sql::HINT).bind(key.kind).bind(key.key);
    let row: Option<Row> = query.fetch_optional(connection).await?;
    row.as_ref().map_or(Ok(None), of_row)
}

/// Writes the merged value and its entry in the log.
async fn write(connection: &mut SqliteConnection, change: &HintChange) -> Result<(), Fault> {
    let Some(row) = stored::Row::of(&change.hint) else {
        return Ok(());
    };
    sqlx::query(sql::SET_HINT)
        .bind(row.key.kind)
        .bind(row.key.key)
        .bind(&row.body)
        .bind(row.settled_at.map(|time| time.0))
        .execute(&mut *connection)
        .await?;
    sqlx::query(sql::ADD_CHANGE)
        .bind(change.version.0.cast_signed())
        .bind(row.key.kind)
        .bind(row.body)
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads a hint; none when a newer version wrote it.
fn of_row((kind, body): &Row) -> Result<Option<Hint>, Fault> {
    stored::read(kind, body).map_err(corrupt)
}

fn corrupt(error: StoreError) -> Fault {
    Fault::Corrupt(error.to_string())
}
