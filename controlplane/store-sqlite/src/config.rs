//! Numbered configurations.

use crate::{fault::Fault, sql};
use cliproxy_domain::{ConfigId, WallTime};
use cliproxy_store::{ConfigEntry, ConfigSummary, NewConfig, StoreError, StoredConfig};
use sqlx::{SqliteConnection, SqlitePool};

/// A row of `config_version`: number and hash, their bits read as signed.
type Head = (i64, i64);

pub(crate) async fn active(connection: &mut SqliteConnection) -> Result<Option<StoredConfig>, Fault> {
    let head: Option<Head> = sqlx::query_as(sql::ACTIVE_CONFIG).fetch_optional(&mut *connection).await?;
    with_entries(connection, head).await
}

pub(crate) async fn numbered(
    connection: &mut SqliteConnection,
    id: ConfigId,
) -> Result<Option<StoredConfig>, Fault> {
    let query = sqlx::query_as(sql::CONFIG).bind(id.0.cast_signed());
    let head: Option<Head> = query.fetch_optional(&mut *connection).await?;
    with_entries(connection, head).await
}

async fn with_entries(
    connection: &mut SqliteConnection,
    head: Option<Head>,
) -> Result<Option<StoredConfig>, Fault> {
    let Some((id, hash)) = head else {
        return Ok(None);
    };
    let rows: Vec<(i32, String, i64)> =
        sqlx::query_as(sql::CONFIG_ENTRIES).bind(id).fetch_all(connection).await?;
    let entry = |(kind, key, hash): (i32, String, i64)| ConfigEntry { kind, key, hash: hash.cast_unsigned() };
    Ok(Some(StoredConfig {
        id: ConfigId(id.cast_unsigned()),
        hash: hash.cast_unsigned(),
        entries: rows.into_iter().map(entry).collect(),
    }))
}

pub(crate) async fn newest(readers: &SqlitePool, limit: u32) -> Result<Vec<ConfigSummary>, Fault> {
    let query = sqlx::query_as(sql::CONFIGS).bind(i64::from(limit));
    let rows: Vec<(i64, i64, String, String, i64)> = query.fetch_all(readers).await?;
    let summary = |(id, hash, author, reason, at_ms): (i64, i64, String, String, i64)| ConfigSummary {
        id: ConfigId(id.cast_unsigned()),
        hash: hash.cast_unsigned(),
        author,
        reason,
        at: WallTime(at_ms),
    };
    Ok(rows.into_iter().map(summary).collect())
}

pub(crate) async fn text(readers: &SqlitePool, id: ConfigId) -> Result<Option<String>, Fault> {
    let query = sqlx::query_scalar(sql::CONFIG_TEXT).bind(id.0.cast_signed());
    let text: Option<Option<String>> = query.fetch_optional(readers).await?;
    Ok(text.flatten())
}

/// Numbers and writes it; of what is the newest already the text alone. The caller commits.
pub(crate) async fn put(connection: &mut SqliteConnection, new: NewConfig) -> Result<ConfigId, StoreError> {
    let query = sqlx::query_as(sql::ACTIVE_CONFIG);
    let active: Option<Head> = query.fetch_optional(&mut *connection).await.map_err(Fault::from)?;
    let newest = match active {
        Some((id, hash)) if new.is_numbered(ConfigId(id.cast_unsigned()), hash.cast_unsigned()) => {
            let id = ConfigId(id.cast_unsigned());
            replace_text(connection, id, &new).await?;
            return Ok(id);
        }
        Some((id, _)) => ConfigId(id.cast_unsigned()),
        None => ConfigId(0),
    };
    if new.follows.is_some_and(|follows| follows != newest) {
        return Err(StoreError::Superseded { newest });
    }
    let id = new.number_after(newest);
    write(connection, id, new).await?;
    Ok(id)
}

async fn replace_text(connection: &mut SqliteConnection, id: ConfigId, new: &NewConfig) -> Result<(), Fault> {
    if let Some(text) = new.text_in_place_of(id) {
        let query = sqlx::query(sql::SET_CONFIG_TEXT).bind(id.0.cast_signed()).bind(text);
        query.execute(connection).await?;
    }
    Ok(())
}

async fn write(connection: &mut SqliteConnection, id: ConfigId, new: NewConfig) -> Result<(), Fault> {
    sqlx::query(sql::ADD_CONFIG)
        .bind(id.0.cast_signed())
        .bind(new.hash.cast_signed())
        .bind(&new.author)
        .bind(&new.reason)
        .bind(new.at.0)
        .bind(&new.text)
        .execute(&mut *connection)
        .await?;
    for entry in new.into_sorted_entries() {
        sqlx::query(sql::ADD_CONFIG_ENTRY)
            .bind(id.0.cast_signed())
            .bind(entry.kind)
            .bind(entry.key)
            .bind(entry.hash.cast_signed())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
