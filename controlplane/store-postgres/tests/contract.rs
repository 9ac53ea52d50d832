//! The suite of all stores, over Postgres: each case in a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

use cliproxy_store::contract::Harness;
use cliproxy_store_postgres::PostgresStore;
use cliproxy_testkit::{Postgres, ScratchDatabase};
use std::sync::Arc;

struct OnServer {
    store: Arc<PostgresStore>,
    /// Last, as its database goes away with it.
    database: ScratchDatabase,
}

impl Harness for OnServer {
    type Store = PostgresStore;

    async fn fresh() -> Self {
        let database = Postgres::shared().scratch_database(None);
        let store = PostgresStore::open(&database.url()).await.unwrap();
        Self { store: Arc::new(store), database }
    }

    fn store(&self) -> &Arc<PostgresStore> {
        &self.store
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = PostgresStore::open(&self.database.url()).await.unwrap();
        Self { store: Arc::new(store), database: self.database }
    }

    async fn another(&self) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(&self.database.url()).await.unwrap())
    }

    async fn event_ids(&self) -> Vec<String> {
        self.store.event_ids().await.unwrap()
    }

    async fn write_unknown(&self) {
        for statement in [
            "UPDATE cp_meta SET log_version = log_version + 1",
            "INSERT INTO hint (kind, key, body) SELECT 'weather', log_version, 'rain' FROM cp_meta",
            "INSERT INTO change_log (version, kind, body) SELECT log_version, 'weather', 'rain' FROM cp_meta",
        ] {
            self.database.sql(statement);
        }
    }
}

cliproxy_store::contract_tests!(OnServer);
