//! The database that the configuration names.

use anyhow::Context as _;
use cliproxy_config::Database;
use cliproxy_store::Store;
use cliproxy_store_postgres::PostgresStore;
use cliproxy_store_sqlite::SqliteStore;
use std::sync::Arc;

/// Opens it, and brings its schema up to date.
///
/// # Errors
/// When it cannot be used; the text has no password.
pub async fn open(database: &Database) -> anyhow::Result<Arc<dyn Store>> {
    match database {
        Database::Sqlite { path } => {
            let opened = SqliteStore::open(path).await;
            Ok(Arc::new(opened.with_context(|| format!("the database {}", path.display()))?))
        }
        Database::Postgres { url } => {
            let opened = PostgresStore::open(url.expose()).await;
            Ok(Arc::new(opened.context("the database of control_plane.database.url")?))
        }
    }
}
