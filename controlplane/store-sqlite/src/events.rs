//! Urgent events.

use crate::{fault::Fault, sql};
use cliproxy_domain::{UrgentEvent, UrgentKind, WallTime};
use cliproxy_store::RETAINED_EVENTS;
use sqlx::{SqliteConnection, SqlitePool};

pub(crate) async fn record(
    connection: &mut SqliteConnection,
    events: &[UrgentEvent],
    now: WallTime,
) -> Result<(), Fault> {
    for event in events {
        // A rest of more than 292 million years is cut to that.
        let rest_ms = i64::try_from(event.rest.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(sql::ADD_EVENT)
            .bind(&event.id)
            .bind(event.node.as_str())
            .bind(kind_text(event.kind))
            .bind(event.key.provider.as_str())
            .bind(event.key.credential.as_str())
            .bind(i64::from(event.http_status))
            .bind(rest_ms)
            .bind(event.seen_epoch.cast_signed())
            .bind(now.0)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(sql::FORGET_EVENTS).bind(now.minus(RETAINED_EVENTS).0).execute(connection).await?;
    Ok(())
}

pub(crate) async fn ids(readers: &SqlitePool) -> Result<Vec<String>, Fault> {
    Ok(sqlx::query_scalar(sql::EVENT_IDS).fetch_all(readers).await?)
}

fn kind_text(kind: UrgentKind) -> &'static str {
    match kind {
        UrgentKind::RateLimited => "rate_limited",
        UrgentKind::QuotaExhausted => "quota_exhausted",
        UrgentKind::CredentialRejected => "credential_rejected",
    }
}
