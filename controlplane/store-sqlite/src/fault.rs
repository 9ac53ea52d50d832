//! What can go wrong inside, and what it means to the caller of a store.

use cliproxy_store::StoreError;

/// Why a statement did not do what it was for. Nothing is committed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database said so.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A row that no version of this program wrote.
    #[error("{0}")]
    Corrupt(String),
}

/// Primary result codes, from <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const NOTADB: i32 = 26;
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Corrupt(what) => StoreError::Corrupt(what),
            Fault::Sql(error) => match &error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    StoreError::Corrupt(error.to_string())
                }
                _ => match primary_code(&error) {
                    Some(code::CORRUPT | code::NOTADB | code::CONSTRAINT | code::MISMATCH) => {
                        StoreError::Corrupt(error.to_string())
                    }
                    _ => StoreError::Unavailable(error.to_string()),
                },
            },
        }
    }
}

/// Says what an error of `COMMIT` itself means.
///
/// A commit that did not fit, was locked out or forbidden was not done. After anything else, such as a failed
/// fsync, the pages may be in the log and come back with the next start.
pub(crate) fn of_commit(error: sqlx::Error) -> StoreError {
    match primary_code(&error) {
        Some(code::FULL | code::BUSY | code::READONLY) => StoreError::Unavailable(error.to_string()),
        _ => StoreError::CommitUnknown(error.to_string()),
    }
}

/// Gives the low byte of SQLite's extended result code.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
