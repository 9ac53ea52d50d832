//! Data-plane nodes as they last presented themselves.

use crate::{fault::Fault, sql};
use cliproxy_domain::{Incarnation, NodeId, WallTime};
use cliproxy_store::NodeRecord;
use sqlx::{SqliteConnection, SqlitePool};

/// Name, incarnation (its bits read as signed), build, address, last seen.
type Row = (String, i64, String, String, i64);

pub(crate) async fn see(connection: &mut SqliteConnection, node: NodeRecord) -> Result<(), Fault> {
    let query = sqlx::query_as(sql::NODE).bind(node.node.as_str());
    let known: Option<Row> = query.fetch_optional(&mut *connection).await?;
    if known.is_some_and(|known| !node.replaces(&of_row(known))) {
        return Ok(());
    }
    sqlx::query(sql::SET_NODE)
        .bind(node.node.as_str())
        .bind(node.incarnation.0.cast_signed())
        .bind(node.build)
        .bind(node.listen)
        .bind(node.last_seen.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn all(readers: &SqlitePool) -> Result<Vec<NodeRecord>, Fault> {
    let rows: Vec<Row> = sqlx::query_as(sql::NODES).fetch_all(readers).await?;
    Ok(rows.into_iter().map(of_row).collect())
}

fn of_row((node, incarnation, build, listen, last_seen_ms): Row) -> NodeRecord {
    NodeRecord {
        node: NodeId::from(node),
        incarnation: Incarnation(incarnation.cast_unsigned()),
        build,
        listen,
        last_seen: WallTime(last_seen_ms),
    }
}
