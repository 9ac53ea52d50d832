//! The hint line: the newest value of every key, and the log of their changes.

use crate::{fault::Fault, sql, text};
use cliproxy_domain::{Hint, HintKey, HintVersion, WallTime};
use cliproxy_store::{
    HintChange, StoreError,
    hints::{self, stored},
};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Merges, numbers, logs, and tells the others. The caller holds the lock of what is numbered, so that what is read here
/// is what the last to hold it committed; and commits.
pub(crate) async fn merge(
    connection: &mut PgConnection,
    incoming: &[Hint],
) -> Result<Vec<HintChange>, Fault> {
    if incoming.is_empty() {
        return Ok(Vec::new());
    }
    let (newest, mut current) = read(connection, incoming).await?;
    let changes = hints::merge_and_number(&mut current, newest, incoming.to_vec());
    write(connection, &changes).await?;
    Ok(changes)
}

pub(crate) async fn all(connection: &mut PgConnection) -> Result<(HintVersion, Vec<Hint>), Fault> {
    let mut version = HintVersion(0);
    let mut hints = Vec::new();
    for row in &sqlx::query(sql::HINTS).fetch_all(connection).await? {
        version = HintVersion(row.try_get::<i64, _>(0)?.cast_unsigned());
        if let Some(kind) = row.try_get::<Option<String>, _>(1)? {
            hints.extend(of_row(&kind, row.try_get(2)?)?);
        }
    }
    // The database sorts by text, which is another order.
    hints.sort_by_cached_key(Hint::key);
    Ok((version, hints))
}

pub(crate) async fn forget(connection: &mut PgConnection, ended_before: WallTime) -> Result<(), Fault> {
    sqlx::query(sql::FORGET_HINTS).bind(ended_before.0).execute(connection).await?;
    Ok(())
}

pub(crate) async fn changes_since(
    connection: &mut PgConnection,
    version: HintVersion,
    limit: u32,
) -> Result<Option<Vec<HintChange>>, Fault> {
    // At least one change, to see whether the next is still there.
    let page = limit.max(1);
    let (mut logged, mut after) = (stored::Logged::default(), Some(version));
    let mut newest = None;
    while let Some(known) = after {
        let known = i64::try_from(known.0).unwrap_or(i64::MAX);
        let rows =
            sqlx::query(sql::CHANGES).bind(known).bind(i64::from(page)).fetch_all(&mut *connection).await?;
        for row in &rows {
            // By the first page: later ones may have what came since, which is told the next time at the latest.
            newest.get_or_insert(HintVersion(row.try_get::<i64, _>(0)?.cast_unsigned()));
            if let Some(number) = row.try_get::<Option<i64>, _>(1)? {
                let number = HintVersion(number.cast_unsigned());
                logged.add(number, row.try_get(2)?, row.try_get(3)?).map_err(corrupt)?;
            }
        }
        after =
            logged.read_on_after(rows.len(), page).filter(|next| newest.is_some_and(|newest| *next < newest));
    }
    let newest = newest.unwrap_or(HintVersion(0));
    if version > newest || (version < newest && !logged.follows(version)) {
        return Ok(None);
    }
    Ok(Some(logged.changes(limit)))
}

/// Reads the newest version, and the stored values of the keys of `hints`.
async fn read(
    connection: &mut PgConnection,
    hints: &[Hint],
) -> Result<(HintVersion, BTreeMap<HintKey, Hint>), Fault> {
    let keys: BTreeSet<HintKey> = hints.iter().map(Hint::key).collect();
    let (kinds, keys): (Vec<&str>, Vec<String>) = keys
        .iter()
        .filter_map(stored::RowKey::of)
        .map(|row| (row.kind, text::key(&row.key).into_owned()))
        .unzip();
    let mut newest = HintVersion(0);
    let mut current = BTreeMap::new();
    for row in &sqlx::query(sql::HINTS_OF).bind(kinds).bind(keys).fetch_all(connection).await? {
        newest = HintVersion(row.try_get::<i64, _>(0)?.cast_unsigned());
        if let Some(kind) = row.try_get::<Option<String>, _>(1)? {
            current.extend(of_row(&kind, row.try_get(2)?)?.map(|hint| (hint.key(), hint)));
        }
    }
    Ok((newest, current))
}

/// Writes the merged values, of each key the last, and all of them to the log.
async fn write(connection: &mut PgConnection, changes: &[HintChange]) -> Result<(), Fault> {
    let Some(newest) = changes.last().map(|change| change.version) else { return Ok(()) };
    let forgotten = hints::forgotten_up_to(newest);
    let rows: Vec<(HintVersion, stored::Row)> =
        changes.iter().filter_map(|change| Some((change.version, stored::Row::of(&change.hint)?))).collect();
    let values: BTreeMap<(&str, String), &stored::Row> =
        rows.iter().map(|(_, row)| ((row.key.kind, text::key(&row.key.key).into_owned()), row)).collect();
    let logged: Vec<_> = rows.iter().filter(|(version, _)| *version > forgotten).collect();
    sqlx::query(sql::WRITE_CHANGES)
        .bind(values.keys().map(|(kind, _)| *kind).collect::<Vec<_>>())
        .bind(values.keys().map(|(_, key)| key.as_str()).collect::<Vec<_>>())
        .bind(values.values().map(|row| row.body.as_str()).collect::<Vec<_>>())
        .bind(values.values().map(|row| row.settled_at.map(|time| time.0)).collect::<Vec<_>>())
        .bind(logged.iter().map(|(version, _)| version.0.cast_signed()).collect::<Vec<_>>())
        .bind(logged.iter().map(|(_, row)| row.key.kind).collect::<Vec<_>>())
        .bind(logged.iter().map(|(_, row)| row.body.as_str()).collect::<Vec<_>>())
        .bind(forgotten.0.cast_signed())
        .bind(newest.0.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads a hint; none when a newer version wrote it.
fn of_row(kind: &str, body: &str) -> Result<Option<Hint>, Fault> {
    stored::read(kind, body).map_err(corrupt)
}

fn corrupt(error: StoreError) -> Fault {
    Fault::Corrupt(error.to_string())
}
