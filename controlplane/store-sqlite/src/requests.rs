//! Records of requests.

use crate::{fault::Fault, sql};
use cliproxy_domain::WallTime;
use cliproxy_store::{MAX_REQUESTS, RETAINED_REQUESTS, StoredRequest};
use sqlx::{SqliteConnection, SqlitePool};

/// Writes records, each id once, and forgets what is too old or too many. The caller commits.
pub(crate) async fn record(
    connection: &mut SqliteConnection,
    requests: &[StoredRequest],
    now: WallTime,
) -> Result<(), Fault> {
    let mut written = 0;
    for request in requests {
        let query = sqlx::query(sql::ADD_REQUEST).bind(&request.id).bind(request.at.0).bind(&request.body);
        written += changed(query.execute(&mut *connection).await?.rows_affected());
    }
    let horizon = now.minus(RETAINED_REQUESTS);
    let forgotten = sqlx::query(sql::FORGET_REQUESTS).bind(horizon.0).execute(&mut *connection).await?;
    let kept = count(connection, written - changed(forgotten.rows_affected())).await?;
    let surplus = kept - i64::from(MAX_REQUESTS);
    if surplus > 0 {
        let query = sqlx::query(sql::FORGET_OLDEST_REQUESTS).bind(surplus);
        let forgotten = query.execute(&mut *connection).await?;
        count(connection, -changed(forgotten.rows_affected())).await?;
    }
    Ok(())
}

/// Adds to the number of records, and gives it.
async fn count(connection: &mut SqliteConnection, more: i64) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar(sql::COUNT_REQUESTS).bind(more).fetch_one(connection).await?)
}

fn changed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) async fn read(readers: &SqlitePool, id: &str) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar(sql::REQUEST).bind(id).fetch_optional(readers).await?)
}
