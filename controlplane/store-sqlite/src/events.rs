//! Urgent events.

use crate::{fault::Fault, sql};
use cliproxy_domain::{UrgentEvent, UrgentKind, WallTime};
use cliproxy_store::RETAINED_EVENTS;
use sqlx::{SqliteConnection, SqlitePool};
use std::time::Duration;

pub(crate) async fn record(
    connection: &mut SqliteConnection,
    events: &[UrgentEvent],
    now: WallTime,
) -> Result<(), Fault> {
    for event in events {
        let (scope, round) = match &event.rest {
            Some((key, round)) => (key.scope.as_str(), *round),
            None => ("", 0),
        };
        sqlx::query(sql::ADD_EVENT)
            .bind(&event.id)
            .bind(event.node.as_str())
            .bind(kind_text(event.kind))
            .bind(event.subject.provider.as_str())
            .bind(event.subject.credential.as_str())
            .bind(event.subject.model.as_str())
            .bind(event.about_model)
            .bind(i64::from(event.http_status))
            .bind(&event.error_type)
            .bind(event.hint.map(millis))
            .bind(event.seen_epoch.cast_signed())
            .bind(millis(event.age))
            .bind(scope)
            .bind(i64::from(round))
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

/// Gives whole milliseconds; what passes 292 million years is cut to that.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn kind_text(kind: UrgentKind) -> &'static str {
    match kind {
        UrgentKind::RateLimited => "rate_limited",
        UrgentKind::QuotaExhausted => "quota_exhausted",
        UrgentKind::CredentialRejected => "credential_rejected",
        UrgentKind::Failed => "failed",
        UrgentKind::Recovered => "recovered",
        UrgentKind::PermitWanted => "permit_wanted",
    }
}
