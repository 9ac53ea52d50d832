//! The audit log, and what operators' calls were answered.

use crate::{fault::Fault, sql};
use cliproxy_domain::{AuditEntry, AuditQuery, ProviderName, WallTime};
use cliproxy_store::{Outcome, RETAINED_AUDIT, RETAINED_OUTCOMES};
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

/// Writes entries, each id once, and forgets what is too old. The caller commits.
pub(crate) async fn write(connection: &mut SqliteConnection, entries: &[AuditEntry]) -> Result<(), Fault> {
    for entry in entries {
        sqlx::query(sql::ADD_AUDIT)
            .bind(&entry.id)
            .bind(entry.at.0)
            .bind(&entry.actor)
            .bind(&entry.from)
            .bind(&entry.action)
            .bind(entry.provider.as_ref().map(ProviderName::as_str))
            .bind(&entry.subject)
            .bind(&entry.reason)
            .bind(&entry.before)
            .bind(&entry.after)
            .execute(&mut *connection)
            .await?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    let newest: Option<i64> = sqlx::query_scalar(sql::NEWEST_AUDIT).fetch_one(&mut *connection).await?;
    if let Some(newest) = newest {
        let horizon = WallTime(newest).minus(RETAINED_AUDIT);
        sqlx::query(sql::FORGET_AUDIT).bind(horizon.0).execute(connection).await?;
    }
    Ok(())
}

pub(crate) async fn read(readers: &SqlitePool, query: &AuditQuery) -> Result<Vec<AuditEntry>, Fault> {
    let rows = sqlx::query(sql::AUDIT)
        .bind(query.provider.as_ref().map(ProviderName::as_str))
        .bind(&query.action)
        .bind(query.before.map(|time| time.0))
        .bind(i64::from(query.limit))
        .fetch_all(readers)
        .await?;
    rows.iter().map(of_row).collect()
}

fn of_row(row: &SqliteRow) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        id: row.try_get("audit_id")?,
        at: WallTime(row.try_get("at_ms")?),
        actor: row.try_get("actor")?,
        from: row.try_get("origin")?,
        action: row.try_get("action")?,
        provider: row.try_get::<Option<String>, _>("provider")?.map(ProviderName::from),
        subject: row.try_get("subject")?,
        reason: row.try_get("reason")?,
        before: row.try_get("before_value")?,
        after: row.try_get("after_value")?,
    })
}

/// Remembers an outcome unless one of its id is remembered, and forgets what is too old. Tells whether it is new. The
/// caller commits.
pub(crate) async fn remember(connection: &mut SqliteConnection, outcome: &Outcome) -> Result<bool, Fault> {
    let horizon = outcome.at.minus(RETAINED_OUTCOMES);
    sqlx::query(sql::FORGET_OUTCOMES).bind(horizon.0).execute(&mut *connection).await?;
    let added = sqlx::query(sql::ADD_OUTCOME)
        .bind(&outcome.request_id)
        .bind(&outcome.answer)
        .bind(outcome.at.0)
        .execute(connection)
        .await?;
    Ok(added.rows_affected() > 0)
}

pub(crate) async fn outcome(readers: &SqlitePool, request_id: &str) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar(sql::OUTCOME).bind(request_id).fetch_optional(readers).await?)
}
