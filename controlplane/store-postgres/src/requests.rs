//! Records of requests.

use crate::{MAX_ROWS, fault::Fault, forget, sql, text};
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
    for requests in requests.chunks(MAX_ROWS) {
        kept += add(connection, requests).await?;
    }
    kept -= forget(connection, sql::FORGET_REQUESTS, now.minus(RETAINED_REQUESTS)).await?;
    let most = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    loop {
        let surplus = (kept - i64::from(MAX_REQUESTS)).min(most);
        if surplus <= 0 {
            break;
        }
        let query = sqlx::query(sql::FORGET_OLDEST_REQUESTS).bind(surplus);
        match changed(query.execute(&mut *connection).await?.rows_affected()) {
            // Somebody else deleted rows and did not count.
            0 => kept = 0,
            forgotten => kept -= forgotten,
        }
    }
    sqlx::query(sql::SET_REQUEST_COUNT).bind(kept).execute(connection).await?;
    Ok(())
}

/// Writes records whose id is new, and gives how many.
async fn add(connection: &mut PgConnection, requests: &[StoredRequest]) -> Result<i64, Fault> {
    let added = sqlx::query(sql::ADD_REQUESTS)
        .bind(text::keys(requests.iter().map(|request| request.id.as_str())))
        .bind(requests.iter().map(|request| request.at.0).collect::<Vec<_>>())
        .bind(text::plains(requests.iter().map(|request| request.body.as_str())))
        .execute(connection)
        .await?;
    Ok(changed(added.rows_affected()))
}

fn changed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) async fn read(connection: &mut PgConnection, id: &str) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar(sql::REQUEST).bind(text::key(id)).fetch_optional(connection).await?)
}
