//! Data-plane nodes as they last presented themselves.

use crate::{fault::Fault, sql, text};
use cliproxy_domain::{Incarnation, NodeId, WallTime};
use cliproxy_store::NodeRecord;
use sqlx::PgConnection;

/// Name, incarnation (its bits read as signed), build, address, last seen.
type Row = (String, i64, String, String, i64);

/// Writes a node down unless what is known of it is newer, in one statement, so that two replicas may do it at once.
pub(crate) async fn see(connection: &mut PgConnection, node: &NodeRecord) -> Result<(), Fault> {
    sqlx::query(sql::SEE_NODE)
        .bind(text::key(node.node.as_str()))
        .bind(node.incarnation.0.cast_signed())
        .bind(text::plain(&node.build))
        .bind(text::plain(&node.listen))
        .bind(node.last_seen.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn all(connection: &mut PgConnection) -> Result<Vec<NodeRecord>, Fault> {
    let rows: Vec<Row> = sqlx::query_as(sql::NODES).fetch_all(connection).await?;
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
