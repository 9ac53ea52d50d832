//! The audit log, and what operators' calls were answered.

use crate::{fault::Fault, millis, sql, text};
use cliproxy_domain::{AuditEntry, AuditQuery, ProviderName, WallTime};
use cliproxy_store::{Outcome, RETAINED_AUDIT, RETAINED_OUTCOMES};
use sqlx::{PgConnection, Row, postgres::PgRow};

/// Writes entries, each id once, and forgets what is too old. The caller commits.
pub(crate) async fn write(connection: &mut PgConnection, entries: &[AuditEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&AuditEntry) -> &str| text::plains(entries.iter().map(of));
    let providers = entries.iter().map(|entry| entry.provider.as_ref());
    let providers: Vec<Option<String>> =
        providers.map(|name| name.map(|name| text::plain(name.as_str()).into_owned())).collect();
    sqlx::query(sql::ADD_AUDIT)
        .bind(text::keys(entries.iter().map(|entry| entry.id.as_str())))
        .bind(entries.iter().map(|entry| entry.at.0).collect::<Vec<_>>())
        .bind(texts(|entry| &entry.actor))
        .bind(texts(|entry| &entry.from))
        .bind(texts(|entry| &entry.action))
        .bind(providers)
        .bind(texts(|entry| &entry.subject))
        .bind(texts(|entry| &entry.reason))
        .bind(texts(|entry| &entry.before))
        .bind(texts(|entry| &entry.after))
        .execute(&mut *connection)
        .await?;
    sqlx::query(sql::FORGET_AUDIT).bind(millis(RETAINED_AUDIT)).execute(connection).await?;
    Ok(())
}

pub(crate) async fn read(
    connection: &mut PgConnection,
    query: &AuditQuery,
) -> Result<Vec<AuditEntry>, Fault> {
    let rows = sqlx::query(sql::AUDIT)
        .bind(query.provider.as_ref().map(|name| text::plain(name.as_str())))
        .bind(query.action.as_deref().map(text::plain))
        .bind(query.before.map(|time| time.0))
        .bind(i64::from(query.limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_row).collect()
}

fn of_row(row: &PgRow) -> Result<AuditEntry, Fault> {
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
pub(crate) async fn remember(connection: &mut PgConnection, outcome: &Outcome) -> Result<bool, Fault> {
    let horizon = outcome.at.minus(RETAINED_OUTCOMES);
    sqlx::query(sql::FORGET_OUTCOMES).bind(horizon.0).execute(&mut *connection).await?;
    let added = sqlx::query(sql::ADD_OUTCOME)
        .bind(text::key(&outcome.request_id))
        .bind(text::plain(&outcome.answer))
        .bind(outcome.at.0)
        .execute(connection)
        .await?;
    Ok(added.rows_affected() > 0)
}

pub(crate) async fn outcome(
    connection: &mut PgConnection,
    request_id: &str,
) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar(sql::OUTCOME).bind(text::key(request_id)).fetch_optional(connection).await?)
}
