//! What the store says was used, read while the control plane has it open.

use cliproxy_domain::{AttemptCounts, LedgerRow, TokenUsage, WallTime};
use cliproxy_store::Store as _;
use cliproxy_store_sqlite::SqliteStore;
use cliproxy_testkit::Process;
use std::path::Path;

/// Usage, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub attempts: AttemptCounts,
    pub tokens: TokenUsage,
}

/// Reads all rows of a store. Empty as long as there is no database.
pub async fn rows(database: &Path) -> Vec<LedgerRow> {
    if !database.exists() {
        return Vec::new();
    }
    let Ok(store) = SqliteStore::open_read_only(database).await else { return Vec::new() };
    let rows = store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap_or_default();
    store.close().await;
    rows
}

/// Adds up the usage of one provider in a process's store; of all providers when `provider` is none.
pub async fn usage(process: &Process, provider: Option<&str>) -> Usage {
    let mut sum = Usage::default();
    for row in rows(&process.database()).await {
        if provider.is_none_or(|provider| row.key.provider.as_str() == provider) {
            sum.attempts += row.attempts;
            sum.tokens += row.tokens;
        }
    }
    sum
}
