//! The store in a Postgres database, for any number of control planes.
//!
//! Whatever must happen one after the other waits for a row's lock: changes and configurations for that of `cp_meta`,
//! posts for that of their number, reports for those of their cursors; grants wait for advisory locks of their limits. All locks are taken in the same order, and the
//! server ends what holds one too long. A connection is used only after it was seen to lead to a server that may be
//! written to, and of which history.
#![deny(missing_docs)]

mod audit;
mod checks;
mod config;
mod connections;
mod doorbell;
mod events;
mod fault;
mod hints;
mod leases;
mod ledger;
mod limits;
mod nodes;
mod open;
mod place;
mod posts;
mod requests;
mod said;
mod server;
mod sql;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod tidy;
mod usage;
mod work;

pub use open::Settings;

use cliproxy_domain::WallTime;
use cliproxy_store::StoreError;
use connections::Connections;
use doorbell::Doorbell;
use fault::Fault;
use sqlx::PgConnection;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// A store over one Postgres database.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    /// Held by whoever will lock what is numbered, so that callers of one process wait here, for as long as it takes,
    /// and not at the server, which lets nobody wait long.
    numbering: Arc<Mutex<()>>,
    /// None when other replicas are not listened to.
    doorbell: Option<Doorbell>,
}

impl PostgresStore {
    /// Closes all connections; whatever is asked later fails.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// Gives the ids of the recorded events, sorted.
    ///
    /// # Errors
    /// As every method of the store.
    pub async fn event_ids(&self) -> Result<Vec<String>, StoreError> {
        self.read((), |connection, ()| Box::pin(events::ids(connection))).await
    }
}

/// How many rows one statement writes or forgets at most: it must end long before its time is up.
const MAX_ROWS: usize = 4_096;

/// Forgets rows from before a time, in as many statements as it takes, and gives how many there were. The caller commits.
async fn forget(
    connection: &mut PgConnection,
    statement: &'static str,
    before: WallTime,
) -> Result<i64, Fault> {
    let most = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    let mut forgotten = 0;
    loop {
        let query = sqlx::query(statement).bind(before.0).bind(most);
        let rows = i64::try_from(query.execute(&mut *connection).await?.rows_affected()).unwrap_or(i64::MAX);
        forgotten += rows;
        if rows < most {
            return Ok(forgotten);
        }
    }
}

/// Rings the doorbells of all replicas when the transaction is committed.
async fn ring(connection: &mut PgConnection, what: &str) -> Result<(), Fault> {
    sqlx::query(sql::RING).bind(what).execute(connection).await?;
    Ok(())
}

/// Gives whole milliseconds; what passes 292 million years is cut to that.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
