mod change;
mod upgrade;

use super::*;
use cliproxy_domain::{
    AttemptCounts, Batch, Cooldown, CooldownCause, CooldownKey, Evidence, Incarnation, LedgerKey, Permit,
    Seq, TokenUsage, UrgentKind,
};
use sqlx::{Executor, Row, SqlSafeStr};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const NOW: WallTime = WallTime(1_771_541_400_000);

struct Opened {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl Opened {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&database(folder.path())).await.unwrap());
        Self { folder, store }
    }

    fn path(&self) -> PathBuf {
        database(self.folder.path())
    }

    /// Runs a statement on the writing connection.
    async fn run(&self, sql: &'static str) {
        self.store.writer.as_ref().unwrap().pool.execute(sql).await.unwrap();
    }

    async fn pragma(&self, sql: &'static str) -> String {
        let pool = &self.store.writer.as_ref().unwrap().pool;
        let answer = sqlx::query(sql).fetch_one(pool).await.unwrap();
        answer.try_get::<String, _>(0).unwrap_or_else(|_| answer.get::<i64, _>(0).to_string())
    }

    /// Closes the store and gives the folder, with the lock free.
    async fn close(self) -> TempDir {
        self.store.close().await;
        self.folder
    }

    async fn usage(&self) -> Vec<(u64, u64)> {
        let rows = self.store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap();
        rows.iter().map(|row| (row.attempts.ok, row.tokens.input)).collect()
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("state.db")
}

/// Reports one batch with a row for each of so many models.
fn report(seq: u64, models: u64) -> Vec<NodeBatches> {
    let row = |model| LedgerRow {
        key: LedgerKey {
            provider: "claude".into(),
            credential: "main".into(),
            model: format!("model {model:05}").into(),
        }
        .into(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input: seq, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let batch = Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start: NOW,
        window: Duration::from_secs(1),
        rows: (0..models).map(row).collect(),
    };
    vec![NodeBatches {
        node: "a".into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: vec![batch],
    }]
}

fn cooldown() -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("claude".into(), "main".into()),
        epoch: 1,
        round: 0,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(60)),
        cleared: false,
        cause: CooldownCause::CredentialRejected,
        source: "a".into(),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    }
}

fn resting() -> Change {
    Change { hints: vec![Hint::Cooldown(cooldown())], ..Change::default() }
}

/// Opens what must not open, and gives the reason.
async fn refusal(opening: impl Future<Output = Result<SqliteStore, StoreError>>) -> StoreError {
    match opening.await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_a_migrated_database() {
    let opened = Opened::new().await;
    assert!(!sql::ALL.is_empty());
    for &(name, statement) in sql::ALL {
        let prepared = opened.store.readers.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
}

#[tokio::test]
async fn commits_are_synced_to_a_write_ahead_log() {
    let opened = Opened::new().await;
    assert_eq!(opened.pragma("PRAGMA journal_mode").await, "wal");
    assert_eq!(opened.pragma("PRAGMA synchronous").await, "2");
    assert_eq!(opened.pragma("PRAGMA foreign_keys").await, "1");
    assert_eq!(opened.pragma("PRAGMA busy_timeout").await, "5000");
}

#[tokio::test]
async fn missing_folders_are_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("one").join("two").join("state.db");
    SqliteStore::open(&path).await.unwrap().ping().await.unwrap();
    assert!(path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn no_file_can_be_read_by_others_even_one_that_could_be() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    std::fs::write(database(folder.path()), "").unwrap();
    std::fs::set_permissions(database(folder.path()), PermissionsExt::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&database(folder.path())).await.unwrap();
    store.ping().await.unwrap();
    let mut modes = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        modes.push((
            file.file_name().into_string().unwrap(),
            file.metadata().unwrap().permissions().mode() & 0o777,
        ));
    }
    modes.sort();
    let names = ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"];
    assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
}

#[tokio::test]
async fn a_second_control_plane_is_refused_with_a_remedy_until_the_first_is_gone() {
    let opened = Opened::new().await;
    let error = refusal(SqliteStore::open(&opened.path())).await;
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("in use by another control plane") && text.contains("--data-dir"), "{text}");
    let folder = opened.close().await;
    SqliteStore::open(&database(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_the_other_process_commits_and_cannot_write() {
    let opened = Opened::new().await;
    let reader = SqliteStore::open_read_only(&opened.path()).await.unwrap();
    assert_eq!(reader.history().await.unwrap(), opened.store.history().await.unwrap());
    opened.store.apply_batches(report(1, 1), NOW).await.unwrap();
    assert_eq!(reader.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap().len(), 1);
    assert!(matches!(reader.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(reader.apply_batches(report(2, 1), NOW).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_closed_database_can_be_read_and_a_missing_one_is_not_made() {
    let folder = Opened::new().await.close().await;
    SqliteStore::open_read_only(&database(folder.path())).await.unwrap();
    let missing = folder.path().join("missing.db");
    assert!(matches!(refusal(SqliteStore::open_read_only(&missing)).await, StoreError::Unavailable(_)));
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_with_a_remedy() {
    let opened = Opened::new().await;
    opened
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (999, 'future', TRUE, x'00', 0)",
        )
        .await;
    let folder = opened.close().await;
    let path = database(folder.path());
    for error in [refusal(SqliteStore::open(&path)).await, refusal(SqliteStore::open_read_only(&path)).await]
    {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("step 999") && text.contains("run a newer cliproxy"), "{text}");
    }
}

#[tokio::test]
async fn a_database_with_an_edited_migration_is_refused() {
    let opened = Opened::new().await;
    opened.run("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2").await;
    let folder = opened.close().await;
    let error = refusal(SqliteStore::open(&database(folder.path()))).await;
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("schema step 2")), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = database(folder.path());
    let text = "not a database, but long enough to be mistaken for one\n".repeat(20);
    std::fs::write(&path, &text).unwrap();
    let error = refusal(SqliteStore::open(&path)).await;
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_full_database_acknowledges_nothing_and_goes_on_when_there_is_room() {
    let opened = Opened::new().await;
    opened.store.apply_batches(report(1, 1), NOW).await.unwrap();
    opened.run("PRAGMA max_page_count = 1").await;
    let error = opened.store.apply_batches(report(2, 5_000), NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(opened.usage().await, [(1, 1)]);
    opened.run("PRAGMA max_page_count = 1073741823").await;
    let cursors = opened.store.apply_batches(report(2, 5_000), NOW).await.unwrap();
    assert_eq!((cursors[0].last, cursors[0].need_from), (Seq(2), None));
    assert_eq!(opened.usage().await.len(), 5_000);
}

#[tokio::test]
async fn a_database_that_became_read_only_acknowledges_nothing_and_fails_its_ping() {
    let opened = Opened::new().await;
    opened.run("PRAGMA query_only = ON").await;
    assert!(matches!(opened.store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(opened.store.apply_batches(report(1, 1), NOW).await, Err(StoreError::Unavailable(_))));
    opened.run("PRAGMA query_only = OFF").await;
    opened.store.ping().await.unwrap();
    assert_eq!(opened.usage().await, []);
}

#[tokio::test]
async fn what_no_program_wrote_is_reported_as_corrupt() {
    let opened = Opened::new().await;
    opened.store.change(resting()).await.unwrap();
    opened.run("UPDATE change_log SET body = '{}'").await;
    let error = opened.store.changes_since(HintVersion(0), 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("change 1")), "{error:?}");
    opened.run("UPDATE hint SET body = json_set(body, '$.cause', 'boredom')").await;
    assert!(matches!(opened.store.hints().await, Err(StoreError::Corrupt(_))));
    assert!(matches!(opened.store.change(resting()).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn an_event_is_written_with_all_that_it_says() {
    let opened = Opened::new().await;
    let event = UrgentEvent {
        id: "e1".into(),
        node: "node-1".into(),
        kind: UrgentKind::PermitWanted,
        subject: LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() },
        about_model: true,
        rest: Some((CooldownKey::credential("claude".into(), "main".into()), 4)),
        http_status: 529,
        error_type: "overloaded".into(),
        hint: Some(Duration::MAX),
        seen_epoch: u64::MAX,
        age: Duration::from_millis(7),
    };
    opened.store.record_events(vec![event], NOW).await.unwrap();
    let said = opened
        .pragma(
            "SELECT concat_ws(' ', event_id, node_id, kind, provider, credential, model, about_model, rest_scope,
                rest_round, http_status, error_type, hint_ms, seen_epoch, age_ms, at_ms) FROM event",
        )
        .await;
    assert_eq!(
        said,
        "e1 node-1 permit_wanted claude main m 1 credential 4 529 overloaded 9223372036854775807 -1 7 1771541400000"
    );
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_all_or_nothing_and_no_lock() {
    let opened = Opened::new().await;
    for patience in 0..40 {
        let store = Arc::clone(&opened.store);
        let task = tokio::spawn(async move {
            let last = store.apply_batches(vec![], NOW).await.and(Ok(()));
            last.and(store.apply_batches(report(1 + patience, 20), NOW).await)
        });
        for _ in 0..patience {
            tokio::task::yield_now().await;
        }
        task.abort();
        drop(task.await);
        // Whatever became of it, the node sends it again.
        let cursors = opened.store.apply_batches(report(1 + patience, 20), NOW).await.unwrap();
        assert_eq!(cursors[0].last, Seq(1 + patience));
    }
    assert_eq!(opened.usage().await, vec![(40, (1..=40).sum()); 20]);
}
