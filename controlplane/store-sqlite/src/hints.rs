//! The hint line: the newest value of every key, and the log of their changes.

use crate::{fault::Fault, sql};
use cliproxy_domain::{Hint, HintKey, HintVersion, WallTime};
use cliproxy_store::{
    HintChange,
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
    let mut hints = rows.iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
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
    let query = sqlx::query_as(sql::CHANGES).bind(version.0.cast_signed()).bind(i64::from(limit.max(1)));
    let rows: Vec<(i64, String, String)> = query.fetch_all(connection).await?;
    let mut changes = rows.iter().map(of_log).collect::<Result<Vec<_>, _>>()?;
    let next_is_there = changes.first().is_some_and(|change| change.version == version.next());
    if version < newest && !next_is_there {
        return Ok(None);
    }
    changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Some(changes))
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
    row.as_ref().map(of_row).transpose()
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

fn of_row((kind, body): &Row) -> Result<Hint, Fault> {
    stored::read(kind, body).map_err(|error| Fault::Corrupt(error.to_string()))
}

fn of_log((version, kind, body): &(i64, String, String)) -> Result<HintChange, Fault> {
    let hint = stored::read(kind, body)
        .map_err(|error| Fault::Corrupt(format!("change {version} cannot be read: {error}")))?;
    Ok(HintChange { version: HintVersion(version.cast_unsigned()), hint })
}
