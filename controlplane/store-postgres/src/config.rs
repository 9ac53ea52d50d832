//! Numbered configurations.

use crate::{fault::Fault, ring, sql, text};
use cliproxy_domain::{ConfigId, WallTime};
use cliproxy_store::{ConfigEntry, ConfigSummary, NewConfig, StoredConfig};
use sqlx::{PgConnection, Row, postgres::PgRow};

/// A row of `config_version`: number and hash, their bits read as signed.
type Head = (i64, i64);

pub(crate) async fn active(connection: &mut PgConnection) -> Result<Option<StoredConfig>, Fault> {
    with_entries(&sqlx::query(sql::ACTIVE_CONFIG).fetch_all(connection).await?)
}

pub(crate) async fn numbered(
    connection: &mut PgConnection,
    id: ConfigId,
) -> Result<Option<StoredConfig>, Fault> {
    with_entries(&sqlx::query(sql::CONFIG).bind(id.0.cast_signed()).fetch_all(connection).await?)
}

/// Reads a configuration from a row for each of its entries, or one without any.
fn with_entries(rows: &[PgRow]) -> Result<Option<StoredConfig>, Fault> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (id, hash): Head = (first.try_get(0)?, first.try_get(1)?);
    let mut entries = Vec::new();
    for row in rows {
        let Some(kind) = row.try_get::<Option<i64>, _>(2)? else { continue };
        let kind = i32::try_from(kind)
            .map_err(|_| Fault::Corrupt(format!("configuration {id} has an entry of the kind {kind}")))?;
        entries.push(ConfigEntry {
            kind,
            key: row.try_get(3)?,
            hash: row.try_get::<i64, _>(4)?.cast_unsigned(),
        });
    }
    Ok(Some(StoredConfig { id: ConfigId(id.cast_unsigned()), hash: hash.cast_unsigned(), entries }))
}

pub(crate) async fn config_text(
    connection: &mut PgConnection,
    id: ConfigId,
) -> Result<Option<String>, Fault> {
    let query = sqlx::query_scalar(sql::CONFIG_TEXT).bind(id.0.cast_signed());
    let text: Option<Option<Vec<u8>>> = query.fetch_optional(connection).await?;
    let read = |text| {
        String::from_utf8(text)
            .map_err(|_| Fault::Corrupt(format!("the text of configuration {id} is no text")))
    };
    text.flatten().map(read).transpose()
}

pub(crate) async fn newest(connection: &mut PgConnection, limit: u32) -> Result<Vec<ConfigSummary>, Fault> {
    let query = sqlx::query_as(sql::CONFIGS).bind(i64::from(limit));
    let rows: Vec<(i64, i64, String, String, i64)> = query.fetch_all(connection).await?;
    let summary = |(id, hash, author, reason, at_ms): (i64, i64, String, String, i64)| ConfigSummary {
        id: ConfigId(id.cast_unsigned()),
        hash: hash.cast_unsigned(),
        author,
        reason,
        at: WallTime(at_ms),
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// Numbers one and tells the others; of what is the newest already it keeps the text alone. The caller holds the lock of what is numbered, and commits.
pub(crate) async fn put(connection: &mut PgConnection, new: &NewConfig) -> Result<ConfigId, Fault> {
    let active: Option<Head> = sqlx::query_as(sql::NEWEST_CONFIG).fetch_optional(&mut *connection).await?;
    let newest = match active {
        Some((id, hash)) if new.is_numbered(ConfigId(id.cast_unsigned()), hash.cast_unsigned()) => {
            let id = ConfigId(id.cast_unsigned());
            replace_text(connection, id, new).await?;
            return Ok(id);
        }
        Some((id, _)) => ConfigId(id.cast_unsigned()),
        None => ConfigId(0),
    };
    if new.follows.is_some_and(|follows| follows != newest) {
        return Err(Fault::Superseded(newest));
    }
    let id = new.number_after(newest);
    sqlx::query(sql::ADD_CONFIG)
        .bind(id.0.cast_signed())
        .bind(new.hash.cast_signed())
        .bind(text::plain(&new.author))
        .bind(text::plain(&new.reason))
        .bind(new.at.0)
        .bind(new.text.as_deref().map(str::as_bytes))
        .execute(&mut *connection)
        .await?;
    let entries = new.clone().into_sorted_entries();
    sqlx::query(sql::ADD_CONFIG_ENTRIES)
        .bind(id.0.cast_signed())
        .bind(entries.iter().map(|entry| i64::from(entry.kind)).collect::<Vec<_>>())
        .bind(text::keys(entries.iter().map(|entry| entry.key.as_str())))
        .bind(entries.iter().map(|entry| entry.hash.cast_signed()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    ring(connection, &format!("config {id}")).await?;
    Ok(id)
}

async fn replace_text(connection: &mut PgConnection, id: ConfigId, new: &NewConfig) -> Result<(), Fault> {
    if let Some(text) = new.text_in_place_of(id) {
        let query = sqlx::query(sql::SET_CONFIG_TEXT).bind(id.0.cast_signed()).bind(text.as_bytes());
        query.execute(connection).await?;
    }
    Ok(())
}
