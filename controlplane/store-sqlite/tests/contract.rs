//! The suite of all stores, over files.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

use cliproxy_store::contract::{CaseResult, Harness};
use cliproxy_store_sqlite::SqliteStore;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

struct OnDisk {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl OnDisk {
    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }
}

impl Harness for OnDisk {
    type Store = SqliteStore;

    async fn fresh() -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
        Self { folder, store: Arc::new(store) }
    }

    fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    async fn reopen(self) -> Self {
        let path = self.path();
        self.store.close().await;
        drop(self.store);
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        Self { folder: self.folder, store }
    }

    async fn event_ids(&self) -> Vec<String> {
        self.store.event_ids().await.unwrap()
    }

    async fn write_unknown(&self) {
        let mut connection = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        for statement in [
            "UPDATE cp_meta SET log_version = log_version + 1",
            "INSERT INTO hint (kind, key, body) SELECT 'weather', log_version, 'rain' FROM cp_meta",
            "INSERT INTO change_log (version, kind, body) SELECT log_version, 'weather', 'rain' FROM cp_meta",
        ] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn post_often(&self, times: u64) -> CaseResult {
        let mut connection = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        let posts = "WITH RECURSIVE posts(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM posts WHERE number < ?1)
            INSERT INTO post (number, replica, body) SELECT number, 'a', x'' FROM posts";
        sqlx::query(posts).bind(times.cast_signed()).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Ok(())
    }
}

cliproxy_store::contract_tests!(OnDisk);
