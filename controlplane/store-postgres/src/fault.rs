//! What can go wrong inside, and what it means to the caller of a store.

use crate::said::said;
use cliproxy_domain::ConfigId;
use cliproxy_store::StoreError;

/// Why a statement did not do what it was for. Nothing is committed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database said so, or could not be asked.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A row that no version of this program wrote.
    #[error("{0}")]
    Corrupt(String),
    /// The lease of this name is not held under the fence.
    #[error("the lease {0} is held by another")]
    Fenced(String),
    /// Another configuration is the newest.
    #[error("configuration {0} is the newest")]
    Superseded(ConfigId),
    /// No answer came.
    #[error("{0}")]
    Silent(String),
}

/// SQLSTATE codes and classes, from <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
mod code {
    pub(super) const SERIALIZATION_FAILURE: &str = "40001";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    /// Also a lock that was waited for longer than `lock_timeout`.
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(super) const CRASH_SHUTDOWN: &str = "57P02";
    pub(super) const DATA_CORRUPTED: &str = "XX001";
    pub(super) const INDEX_CORRUPTED: &str = "XX002";
    /// Values that do not fit their column or cannot be read.
    pub(super) const DATA_EXCEPTION: &str = "22";
    pub(super) const INTEGRITY_CONSTRAINT_VIOLATION: &str = "23";
    /// A table or column that is not there, or has another type: another program changed the schema.
    pub(super) const SYNTAX_OR_UNDEFINED: &str = "42";
    pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(super) const INSUFFICIENT_RESOURCES: &str = "53";
}

impl Fault {
    /// Tells whether the same may go well at once: the transaction stood in another's way.
    pub(crate) fn is_collision(&self) -> bool {
        let Fault::Sql(error) = self else { return false };
        matches!(
            code_of(error).as_deref(),
            Some(code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED | code::LOCK_NOT_AVAILABLE)
        )
    }

    /// Tells whether the connection was lost, so that the server rolled back whatever was done on it.
    pub(crate) fn is_of_a_dead_connection(&self) -> bool {
        let Fault::Sql(error) = self else { return false };
        match error {
            sqlx::Error::Io(_) => true,
            _ => code_of(error)
                .is_some_and(|code| code == code::ADMIN_SHUTDOWN || code == code::CRASH_SHUTDOWN),
        }
    }

    /// Tells whether the connection still does what it is told, so that it can roll back.
    pub(crate) fn leaves_connection_usable(&self) -> bool {
        match self {
            // The server ends the connection after an error of the severities FATAL and PANIC.
            Fault::Sql(error @ sqlx::Error::Database(_)) => !is_fatal(error),
            Fault::Sql(
                sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_),
            ) => true,
            Fault::Sql(_) | Fault::Silent(_) => false,
            Fault::Corrupt(_) | Fault::Fenced(_) | Fault::Superseded(_) => true,
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Corrupt(what) => StoreError::Corrupt(what),
            Fault::Fenced(lease) => StoreError::Fenced(lease),
            Fault::Superseded(newest) => StoreError::Superseded { newest },
            Fault::Silent(what) => StoreError::Unavailable(what),
            Fault::Sql(error) if is_corruption(&error) => StoreError::Corrupt(said(&error)),
            Fault::Sql(error) => StoreError::Unavailable(said(&error)),
        }
    }
}

fn is_corruption(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound) {
        return true;
    }
    let Some(code) = code_of(error) else { return false };
    match code.as_str() {
        code::DATA_CORRUPTED | code::INDEX_CORRUPTED => true,
        code::INSUFFICIENT_PRIVILEGE => false,
        other => [code::DATA_EXCEPTION, code::INTEGRITY_CONSTRAINT_VIOLATION, code::SYNTAX_OR_UNDEFINED]
            .iter()
            .any(|class| other.starts_with(class)),
    }
}

/// What became of a commit that failed.
#[derive(Debug)]
pub(crate) enum Commit {
    /// It was not done, for this reason.
    Refused(Fault),
    /// Nobody knows.
    Unknown(String),
}

impl Commit {
    /// Reads what an error of `COMMIT` itself means.
    ///
    /// What the server refuses while it goes on, it has rolled back. When it ends the connection, or the connection
    /// breaks, it may have committed before.
    pub(crate) fn of(error: sqlx::Error) -> Self {
        let code = code_of(&error).unwrap_or_default();
        let refused = matches!(code.as_str(), code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED)
            || code.starts_with(code::INTEGRITY_CONSTRAINT_VIOLATION)
            || code.starts_with(code::INSUFFICIENT_RESOURCES);
        if refused && !is_fatal(&error) {
            Commit::Refused(Fault::Sql(error))
        } else {
            Commit::Unknown(said(&error))
        }
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn is_fatal(error: &sqlx::Error) -> bool {
    use sqlx::postgres::{PgDatabaseError, PgSeverity};
    let said = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    said.is_some_and(|said| matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}
