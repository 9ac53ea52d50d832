//! One transaction, from the connection that it takes to the commit, and what becomes of the connection.

use crate::{
    PostgresStore,
    connections::{Connections, Link},
    fault::{Commit, Fault},
};
use cliproxy_store::StoreError;
use sqlx::{Executor, PgConnection};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::OwnedMutexGuard;

/// How often a transaction is tried that stood in another's way, or got a connection that had died meanwhile. Each try
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
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(2);

/// Why what was begun is not done to its end.
const ENDS: &str = "the process ends";

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

/// Keeps other callers of this process waiting that would number something.
type Turn = Arc<OwnedMutexGuard<()>>;

impl PostgresStore {
    /// Does what is to be done in one transaction and commits it. What stood in another's way is tried again.
    pub(crate) async fn write<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        beginning: Beginning,
        given: A,
        what: Statements<A, T>,
    ) -> Result<T, StoreError> {
        let turn = match beginning {
            Beginning::Numbering => Some(self.turn().await?),
            _ => None,
        };
        let given = Arc::new(given);
        let mut tried = 1;
        loop {
            let work = Work::on(self.connections.clone()).await?;
            let transaction = work.transact(beginning, Arc::clone(&given), what, turn.clone());
            let fault = match to_the_end(transaction).await {
                Some(Ok(done)) => return Ok(done),
                Some(Err(Commit::Refused(fault))) => fault,
                Some(Err(Commit::Unknown(why))) => return Err(StoreError::CommitUnknown(why)),
                None => return Err(StoreError::CommitUnknown(ENDS.to_owned())),
            };
            if tried == TRIES || !(fault.is_collision() || fault.is_of_a_dead_connection()) {
                return Err(fault.into());
            }
            tracing::debug!(%fault, tried, "a transaction is tried again");
            tried += 1;
        }
    }

    /// Waits until no other caller of this process is at it.
    async fn turn(&self) -> Result<Turn, StoreError> {
        let Ok(turn) = tokio::time::timeout(PATIENCE, Arc::clone(&self.numbering).lock_owned()).await else {
            return Err(StoreError::Unavailable(format!(
                "changes before this one took longer than {PATIENCE:?}"
            )));
        };
        Ok(Arc::new(turn))
    }

    /// Asks what one statement answers.
    pub(crate) async fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        given: A,
        what: Statements<A, T>,
    ) -> Result<T, StoreError> {
        let given = Arc::new(given);
        let mut tried = 1;
        loop {
            let work = Work::on(self.connections.clone()).await?;
            let fault = match to_the_end(work.ask(Arc::clone(&given), what)).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(fault)) => fault,
                None => return Err(StoreError::Unavailable(ENDS.to_owned())),
            };
            if tried == TRIES || !fault.is_of_a_dead_connection() {
                return Err(fault.into());
            }
            tried += 1;
        }
    }
}

/// Does something to its end, though the caller may give up waiting. A connection that was left in the middle could
/// not be used again, and where callers wait less long than a busy server takes, none would be left. None when the
/// process ends.
async fn to_the_end<T: Send + 'static>(what: impl Future<Output = T> + Send + 'static) -> Option<T> {
    match tokio::spawn(what).await {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

async fn in_time<T>(patience: Duration, what: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(patience, what).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Silent(format!("the database did not answer within {patience:?}"))),
    }
}

/// A connection that is given back only when it is in no transaction. One that is dropped in the middle is closed
/// instead: the server then rolls back.
struct Work {
    link: Option<Link>,
    connections: Connections,
}

impl Work {
    async fn on(connections: Connections) -> Result<Self, Fault> {
        Ok(Self { link: Some(connections.take().await?), connections })
    }

    async fn transact<A, T>(
        mut self,
        beginning: Beginning,
        given: Arc<A>,
        what: Statements<A, T>,
        _turn: Option<Turn>,
    ) -> Result<T, Commit> {
        let done = in_time(beginning.patience(), async {
            self.connection().execute(beginning.sql()).await?;
            what(self.connection(), &given).await
        });
        match done.await {
            Ok(done) => {
                self.commit().await?;
                Ok(done)
            }
            Err(fault) => {
                self.abandon(&fault).await;
                Err(Commit::Refused(fault))
            }
        }
    }

    async fn ask<A, T>(mut self, given: Arc<A>, what: Statements<A, T>) -> Result<T, Fault> {
        let answer = in_time(PATIENCE, what(self.connection(), &given)).await;
        // Outside a transaction there is nothing to roll back.
        if answer.as_ref().err().is_none_or(Fault::leaves_connection_usable) {
            self.release();
        }
        answer
    }

    #[expect(clippy::expect_used, reason = "whatever takes the connection takes the work with it")]
    fn connection(&mut self) -> &mut PgConnection {
        self.link.as_mut().expect("has a connection")
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
        if let Some(link) = self.link.take() {
            self.connections.give_back(link);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.connections.give_up(link);
        }
    }
}
