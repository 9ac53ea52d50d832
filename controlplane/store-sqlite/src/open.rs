//! Opening the database file: the lock against a second writer, the connections, the migrations.

use crate::{SqliteStore, Writer, fault::Fault, sql};
use cliproxy_domain::HistoryId;
use cliproxy_store::StoreError;
use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    borrow::Cow,
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

const READERS: u32 = 4;

/// How long SQLite waits for a lock of another connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection; longer than the busy timeout, so that the reason is told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// To what the write-ahead log is cut after a burst made it longer, in bytes.
const LOG_SIZE_LIMIT: &str = "67108864";

/// A step of the schema: number, subject, SQL.
type Step = (i64, &'static str, &'static str);

pub(crate) const MIGRATIONS: &[Step] = &[
    (1, "meta", include_str!("../../../migrations/sqlite/0001_meta.sql")),
    (2, "config", include_str!("../../../migrations/sqlite/0002_config.sql")),
    (3, "hints", include_str!("../../../migrations/sqlite/0003_hints.sql")),
    (4, "usage", include_str!("../../../migrations/sqlite/0004_usage.sql")),
    (5, "hint", include_str!("../../../migrations/sqlite/0005_hint.sql")),
    (6, "event_evidence", include_str!("../../../migrations/sqlite/0006_event_evidence.sql")),
    (7, "stream_usage", include_str!("../../../migrations/sqlite/0007_stream_usage.sql")),
    (8, "audit", include_str!("../../../migrations/sqlite/0008_audit.sql")),
    (9, "check", include_str!("../../../migrations/sqlite/0009_check.sql")),
    (10, "request_record", include_str!("../../../migrations/sqlite/0010_request_record.sql")),
    (11, "lease", include_str!("../../../migrations/sqlite/0011_lease.sql")),
    (12, "post", include_str!("../../../migrations/sqlite/0012_post.sql")),
    (13, "config_text", include_str!("../../../migrations/sqlite/0013_config_text.sql")),
    (14, "usage_periods", include_str!("../../../migrations/sqlite/0014_usage_periods.sql")),
    (15, "usage_client", include_str!("../../../migrations/sqlite/0015_usage_client.sql")),
    (16, "quota", include_str!("../../../migrations/sqlite/0016_quota.sql")),
];

impl SqliteStore {
    /// Opens the database at `path` for reading and writing, making it and its folder where they are missing,
    /// and brings its schema up to date.
    ///
    /// The file is readable by its owner only. A lock on `<path>.lock` keeps other processes out until this
    /// store is dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when another process has it, when it cannot be written, or when a newer
    /// program made it; [`StoreError::Corrupt`] when it is not a database of this program.
    pub async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        make_folder(path).map_err(|error| refused(path, "cannot make the folder of", &error))?;
        let lock = lock(path)?;
        make_private_file(path).map_err(|error| refused(path, "cannot create or protect", &error))?;

        let options = connect_options(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_SIZE_LIMIT);
        let pool = pool(1).connect_with(options).await.map_err(Fault::from)?;
        migrator(MIGRATIONS).run(&pool).await.map_err(of_migration)?;
        let history = read_history(&pool).await?;
        let readers = pool_of_readers(path);
        Ok(SqliteStore { writer: Some(Writer { pool, _lock: lock }), readers, history })
    }

    /// Opens the database at `path` to look at it, also while another process has it. Whatever would write
    /// fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none, or when its schema is not the one of this program;
    /// [`StoreError::Corrupt`] when it is something else.
    pub async fn open_read_only(path: &Path) -> Result<SqliteStore, StoreError> {
        let readers = pool_of_readers(path);
        check_schema(&readers).await?;
        let history = read_history(&readers).await?;
        Ok(SqliteStore { writer: None, readers, history })
    }
}

fn refused(path: &Path, what: &str, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{what} the database {}: {error}", path.display()))
}

fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder),
        _ => Ok(()),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = lock_path(path);
    let file =
        open_private(&lock_path).map_err(|error| refused(path, "cannot make the lock file of", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "the database {} is in use by another control plane (it holds {}); stop that one or choose another \
             --data-dir",
            path.display(),
            lock_path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused(path, "cannot lock", &error)),
    }
}

/// Makes the file before SQLite does, as SQLite would make it readable by others; its log files take their
/// mode from it.
fn make_private_file(path: &Path) -> io::Result<()> {
    let file = open_private(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    drop(file);
    Ok(())
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging()
}

/// Connections stay open: opening one costs more than keeping it, and the last to close empties the log.
///
/// One is thrown away when it comes back in a transaction. After some errors (disk full among them) SQLite has
/// rolled back by itself; sqlx's own `ROLLBACK` then fails, and it would take the connection to be in a
/// transaction for ever. The ping waits until the queued `ROLLBACK` has been tried.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

fn pool_of_readers(path: &Path) -> SqlitePool {
    pool(READERS).connect_lazy_with(connect_options(path).read_only(true))
}

pub(crate) fn migrator(steps: &[Step]) -> Migrator {
    let steps = steps.iter().map(|&(version, subject, sql)| {
        Migration::new(version, Cow::Borrowed(subject), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
}

fn newest_step() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn newer_than_program(step: i64) -> StoreError {
    StoreError::Unavailable(format!(
        "the database has schema step {step}, this program knows them up to {}; run a newer cliproxy, or restore \
         a copy from before the upgrade",
        newest_step()
    ))
}

fn of_migration(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(step) => newer_than_program(step),
        MigrateError::VersionMismatch(step) => {
            StoreError::Corrupt(format!("schema step {step} of the database is not the one of this program"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Fault::from(error).into(),
        other => StoreError::Unavailable(other.to_string()),
    }
}

async fn check_schema(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: Option<i64> = sqlx::query_scalar(sql::SCHEMA).fetch_one(pool).await.map_err(Fault::from)?;
    let found = found.unwrap_or(0);
    if found > newest_step() {
        return Err(newer_than_program(found));
    }
    if found < newest_step() {
        return Err(StoreError::Unavailable(format!(
            "the database has schema step {found}, this program needs {}; start `cliproxy controlplane` once to \
             bring it up to date",
            newest_step()
        )));
    }
    Ok(())
}

async fn read_history(pool: &SqlitePool) -> Result<HistoryId, StoreError> {
    let text = sqlx::query_scalar(sql::HISTORY).fetch_one(pool).await.map_err(Fault::from)?;
    Ok(HistoryId(text))
}
