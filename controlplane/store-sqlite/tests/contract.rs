//! The suite of all stores, over files.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

use cliproxy_store::contract::Harness;
use cliproxy_store_sqlite::SqliteStore;
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
}

cliproxy_store::contract_tests!(OnDisk);
