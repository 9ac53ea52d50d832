//! Records of requests.

use crate::{fault::Fault, sql, text};
use cliproxy_domain::WallTime;
use cliproxy_store::{MAX_REQUESTS, RETAINED_REQUESTS, StoredRequest};
use sqlx::PgConnection;

/// Writes records, each id once, and forgets what is too old or too many. The caller commits.
pub(crate) async fn record(
    connection: &mut PgConnection,
    requests: &[StoredRequest],
    now: WallTime,
) -> Result<(), Fault> {
    let mut kept: i64 = sqlx::query_scalar(sql::REQUEST_COUNT).fetch_one(&mut *connection).await?;
    let added = sqlx::query(sql::ADD_REQUESTS)
        .bind(text::keys(requests.iter().map(|request| request.id.as_str())))
        .bind(requests.iter().map(|request| request.at.0).collect::<Vec<_>>())
        .bind(text::plains(requests.iter().map(|request| request.body.as_str())))
        .execute(&mut *connection)
        .await?;
    kept += changed(added.rows_affected());
    let horizon = now.minus(RETAINED_REQUESTS);
    let forgotten = sqlx::query(sql::FORGET_REQUESTS).bind(horizon.0).execute(&mut *connection).await?;
    kept -= changed(forgotten.rows_affected());
    let surplus = kept - i64::from(MAX_REQUESTS);
    if surplus > 0 {
        let query = sqlx::query(sql::FORGET_OLDEST_REQUESTS).bind(surplus);
        kept -= changed(query.execute(&mut *connection).await?.rows_affected());
    }
    sqlx::query(sql::SET_REQUEST_COUNT).bind(kept).execute(connection).await?;
    Ok(())
}

fn changed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) async fn read(connection: &mut PgConnection, id: &str) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar(sql::REQUEST).bind(text::key(id)).fetch_optional(connection).await?)
}
