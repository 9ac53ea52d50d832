//! What replicas tell each other.

use crate::{fault::Fault, sql, text};
use cliproxy_domain::ReplicaId;
use cliproxy_store::{Post, RETAINED_POSTS};
use sqlx::{PgConnection, Row};

/// Numbers and writes one, forgets what is too old, and tells the others. The caller commits.
pub(crate) async fn add(
    connection: &mut PgConnection,
    replica: &ReplicaId,
    body: &[u8],
) -> Result<u64, Fault> {
    let query = sqlx::query_scalar::<_, i64>(sql::ADD_POST)
        .bind(text::plain(replica.as_str()))
        .bind(body)
        .bind(RETAINED_POSTS.cast_signed());
    Ok(query.fetch_one(connection).await?.cast_unsigned())
}

pub(crate) async fn newest(connection: &mut PgConnection) -> Result<u64, Fault> {
    let number: i64 = sqlx::query_scalar(sql::NEWEST_POST).fetch_one(connection).await?;
    Ok(number.cast_unsigned())
}

pub(crate) async fn since(
    connection: &mut PgConnection,
    number: u64,
    limit: u32,
) -> Result<Option<Vec<Post>>, Fault> {
    let after = i64::try_from(number).unwrap_or(i64::MAX);
    let query = sqlx::query(sql::POSTS).bind(after).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await?;
    let mut newest = 0;
    let mut posts = Vec::new();
    for row in &rows {
        newest = row.try_get::<i64, _>(0)?.cast_unsigned();
        if let Some(number) = row.try_get::<Option<i64>, _>(1)? {
            posts.push(Post {
                number: number.cast_unsigned(),
                replica: row.try_get::<String, _>(2)?.into(),
                body: row.try_get(3)?,
            });
        }
    }
    if number > newest || number < newest.saturating_sub(RETAINED_POSTS) {
        return Ok(None);
    }
    Ok(Some(posts))
}
