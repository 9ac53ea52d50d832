//! What replicas tell each other.

use crate::{fault::Fault, sql};
use cliproxy_domain::ReplicaId;
use cliproxy_store::{Post, RETAINED_POSTS};
use sqlx::SqliteConnection;

/// Numbers and writes one, and forgets what is too old. The caller commits.
pub(crate) async fn add(
    connection: &mut SqliteConnection,
    replica: &ReplicaId,
    body: &[u8],
) -> Result<u64, Fault> {
    let number = newest(connection).await? + 1;
    sqlx::query(sql::ADD_POST)
        .bind(number.cast_signed())
        .bind(replica.as_str())
        .bind(body)
        .execute(&mut *connection)
        .await?;
    let forgotten = number.saturating_sub(RETAINED_POSTS);
    sqlx::query(sql::FORGET_POSTS).bind(forgotten.cast_signed()).execute(connection).await?;
    Ok(number)
}

pub(crate) async fn newest(connection: &mut SqliteConnection) -> Result<u64, Fault> {
    let number: i64 = sqlx::query_scalar(sql::NEWEST_POST).fetch_one(connection).await?;
    Ok(number.cast_unsigned())
}

pub(crate) async fn since(
    connection: &mut SqliteConnection,
    number: u64,
    limit: u32,
) -> Result<Option<Vec<Post>>, Fault> {
    let newest = newest(connection).await?;
    if number > newest || number < newest.saturating_sub(RETAINED_POSTS) {
        return Ok(None);
    }
    let query = sqlx::query_as(sql::POSTS).bind(number.cast_signed()).bind(i64::from(limit));
    let rows: Vec<(i64, String, Vec<u8>)> = query.fetch_all(connection).await?;
    let post = |(number, replica, body): (i64, String, Vec<u8>)| Post {
        number: number.cast_unsigned(),
        replica: replica.into(),
        body,
    };
    Ok(Some(rows.into_iter().map(post).collect()))
}
