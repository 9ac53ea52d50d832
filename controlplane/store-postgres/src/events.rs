//! Urgent events.

use crate::{fault::Fault, forget, millis, sql, text};
use cliproxy_domain::{UrgentEvent, UrgentKind, WallTime};
use cliproxy_store::RETAINED_EVENTS;
use sqlx::PgConnection;

/// Writes events, each id once, and forgets what is too old. The caller commits.
pub(crate) async fn record(
    connection: &mut PgConnection,
    events: &[UrgentEvent],
    now: WallTime,
) -> Result<(), Fault> {
    if !events.is_empty() {
        add(connection, events, now).await?;
    }
    forget(connection, sql::FORGET_EVENTS, now.minus(RETAINED_EVENTS)).await?;
    Ok(())
}

async fn add(connection: &mut PgConnection, events: &[UrgentEvent], now: WallTime) -> Result<(), Fault> {
    // Sorted, as two replicas may get the same events and write them at once.
    let mut events: Vec<&UrgentEvent> = events.iter().collect();
    events.sort_by(|one, other| one.id.cmp(&other.id));
    let texts = |of: fn(&UrgentEvent) -> &str| text::plains(events.iter().map(|event| of(event)));
    let numbers = |of: fn(&UrgentEvent) -> i64| events.iter().map(|event| of(event)).collect::<Vec<_>>();
    sqlx::query(sql::ADD_EVENTS)
        .bind(text::keys(events.iter().map(|event| event.id.as_str())))
        .bind(texts(|event| event.node.as_str()))
        .bind(texts(|event| kind_text(event.kind)))
        .bind(texts(|event| event.subject.provider.as_str()))
        .bind(texts(|event| event.subject.credential.as_str()))
        .bind(texts(|event| event.subject.model.as_str()))
        .bind(numbers(|event| i64::from(event.about_model)))
        .bind(numbers(|event| i64::from(event.http_status)))
        .bind(texts(|event| &event.error_type))
        .bind(events.iter().map(|event| event.hint.map(millis)).collect::<Vec<_>>())
        .bind(numbers(|event| event.seen_epoch.cast_signed()))
        .bind(numbers(|event| millis(event.age)))
        .bind(texts(|event| event.rest.as_ref().map_or("", |(key, _)| key.scope.as_str())))
        .bind(numbers(|event| event.rest.as_ref().map_or(0, |(_, round)| i64::from(*round))))
        .bind(now.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn ids(connection: &mut PgConnection) -> Result<Vec<String>, Fault> {
    Ok(sqlx::query_scalar(sql::EVENT_IDS).fetch_all(connection).await?)
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
