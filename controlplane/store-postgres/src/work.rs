//! One transaction, from the connection that it takes to the commit, and what becomes of the connection.

use crate::{
    PostgresStore,
    fault::{Commit, Fault},
};
use cliproxy_store::StoreError;
use sqlx::{Executor, PgConnection, Postgres, pool::PoolConnection};
use std::{future::Future, pin::Pin, time::Duration};
use tokio::sync::MutexGuard;

/// How often a transaction is tried that stood in another's way, or got a connection that had died in the pool. Each try
/// waits for locks half a second at most.
const TRIES: u32 = 3;

/// How long the server may take for all statements of a transaction. Each of them it ends by itself after two seconds:
/// this is for a server that cannot be reached any more.
const PATIENCE: Duration = Duration::from_secs(4);

/// The same for a transaction of many statements.
const LONG_PATIENCE: Duration = Duration::from_secs(15);

/// How long it may take to commit: a standby may have to confirm it.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to roll back, before the connection is given up.
const ROLLBACK_PATIENCE: Duration = Duration::from_millis(500);

/// How a transaction begins: with `BEGIN`, and the lock that is to be taken before anything is read, in one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Takes no lock.
    Plain,
    /// Takes none either, and has many statements.
    Long,
    /// Locks what counts configurations and changes.
    Numbering,
    /// Keeps usage from being rolled up meanwhile.
    Counting,
    /// Keeps usage from being counted meanwhile.
    Rolling,
}

impl Beginning {
    fn sql(self) -> &'static str {
        match self {
            Self::Plain | Self::Long => "BEGIN",
            Self::Numbering => "BEGIN; SELECT singleton FROM cp_meta FOR UPDATE",
            Self::Counting => "BEGIN; SELECT pg_advisory_xact_lock_shared(6018373921)",
            // Adding up an hour of many keys may take longer than what anyone waits for.
            Self::Rolling => {
                "BEGIN; SET LOCAL statement_timeout = '10s'; SELECT pg_advisory_xact_lock(6018373921)"
            }
        }
    }

    fn patience(self) -> Duration {
        match self {
            Self::Plain | Self::Numbering => PATIENCE,
            Self::Long | Self::Counting | Self::Rolling => LONG_PATIENCE,
        }
    }
}

/// What is done on a connection with what is given, as often as it takes: a function, so that nothing of a failed try is
/// left for the next.
pub(crate) type Statements<A, T> = for<'c> fn(&'c mut PgConnection, &'c A) -> Answer<'c, T>;

/// What becomes of [`Statements`].
pub(crate) type Answer<'c, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'c>>;

impl PostgresStore {
    /// Does what is to be done in one transaction and commits it. What stood in another's way is tried again.
    pub(crate) async fn write<A: Send + Sync, T: Send>(
        &self,
        beginning: Beginning,
        given: A,
        what: Statements<A, T>,
    ) -> Result<T, StoreError> {
        let _turn = match beginning {
            Beginning::Numbering => Some(self.turn().await?),
            _ => None,
        };
        let mut tried = 1;
        loop {
            let fault = match self.try_write(beginning, &given, what).await {
                Ok(done) => return Ok(done),
                Err(Commit::Unknown(why)) => return Err(StoreError::CommitUnknown(why)),
                Err(Commit::Refused(fault)) => fault,
            };
            if tried == TRIES || !(fault.is_collision() || fault.is_of_a_dead_connection()) {
                return Err(fault.into());
            }
            tracing::debug!(%fault, tried, "a transaction is tried again");
            tried += 1;
        }
    }

    /// Waits until no other caller of this process is at it.
    async fn turn(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        let Ok(turn) = tokio::time::timeout(PATIENCE, self.numbering.lock()).await else {
            return Err(StoreError::Unavailable(format!(
                "changes before this one took longer than {PATIENCE:?}"
            )));
        };
        Ok(turn)
    }

    async fn try_write<A: Send + Sync, T: Send>(
        &self,
        beginning: Beginning,
        given: &A,
        what: Statements<A, T>,
    ) -> Result<T, Commit> {
        let mut work = Work::on(self.connection().await.map_err(Commit::Refused)?);
        let done = in_time(beginning.patience(), async {
            work.connection().execute(beginning.sql()).await?;
            what(work.connection(), given).await
        });
        match done.await {
            Ok(done) => {
                work.commit().await?;
                Ok(done)
            }
            Err(fault) => {
                work.abandon(&fault).await;
                Err(Commit::Refused(fault))
            }
        }
    }

    /// Asks what one statement answers.
    pub(crate) async fn read<A: Send + Sync, T: Send>(
        &self,
        given: A,
        what: Statements<A, T>,
    ) -> Result<T, StoreError> {
        let mut tried = 1;
        loop {
            let mut work = Work::on(self.connection().await?);
            let fault = match in_time(PATIENCE, what(work.connection(), &given)).await {
                Ok(answer) => {
                    work.release();
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            // Outside a transaction there is nothing to roll back.
            if fault.leaves_connection_usable() {
                work.release();
            }
            if tried == TRIES || !fault.is_of_a_dead_connection() {
                return Err(fault.into());
            }
            tried += 1;
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Postgres>, Fault> {
        match self.pool().acquire().await {
            Ok(connection) => Ok(connection),
            Err(sqlx::Error::PoolTimedOut) => Err(Fault::Silent(self.server().why_no_connection())),
            Err(error) => Err(error.into()),
        }
    }
}

async fn in_time<T>(patience: Duration, what: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(patience, what).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Silent(format!("the database did not answer within {patience:?}"))),
    }
}

/// A connection that goes back to the pool only when it is in no transaction. One that is dropped in the middle, as
/// when the caller gave up, is closed instead: the server then rolls back.
struct Work(Option<PoolConnection<Postgres>>);

impl Work {
    fn on(connection: PoolConnection<Postgres>) -> Self {
        Self(Some(connection))
    }

    #[expect(clippy::expect_used, reason = "whatever takes the connection takes the work with it")]
    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("has a connection")
    }

    async fn commit(mut self) -> Result<(), Commit> {
        let committed = tokio::time::timeout(COMMIT_PATIENCE, self.connection().execute("COMMIT")).await;
        match committed {
            Ok(Ok(_)) => {
                self.release();
                Ok(())
            }
            Ok(Err(error)) => Err(Commit::of(error)),
            Err(_) => Err(Commit::Unknown(format!("no answer to the commit within {COMMIT_PATIENCE:?}"))),
        }
    }

    /// Rolls back and keeps the connection, if it will.
    async fn abandon(mut self, fault: &Fault) {
        if !fault.leaves_connection_usable() {
            return;
        }
        let rolled_back =
            tokio::time::timeout(ROLLBACK_PATIENCE, self.connection().execute("ROLLBACK")).await;
        if matches!(rolled_back, Ok(Ok(_))) {
            self.release();
        }
    }

    fn release(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Out of the pool, which may open another; dropped, it is closed at once.
            drop(connection.detach());
        }
    }
}
