//! Which server a connection reached: one that may be written to, and of the history that the database is known by.

use crate::{place::Place, sql};
use parking_lot::Mutex;
use sqlx::{ConnectOptions as _, PgConnection, Row, postgres::PgConnectOptions};
use std::{fmt, time::Duration};

/// A server and the timeline it is on. Each time that a standby takes over, or a backup is restored, a new timeline
/// begins, which may lack what was committed last on the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    /// What all copies of one server have in common (`pg_control_system`).
    system: String,
    timeline: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.system, self.timeline)
    }
}

/// What is known of the server, from the connections to it.
#[derive(Debug)]
pub(crate) struct Server {
    place: Place,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    newest: Option<Identity>,
    /// Why the last connection was not taken; none when it was.
    problem: Option<String>,
    told_of_no_identity: bool,
}

impl Server {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, seen: Mutex::default() }
    }

    /// Says where there is no connection to, and why if that is known.
    pub(crate) fn why_no_connection(&self) -> String {
        match &self.seen.lock().problem {
            Some(problem) => format!("no connection to {}: {problem}", self.place),
            None => format!("no connection to {} in time", self.place),
        }
    }

    /// Makes a connection, checks it before anything is asked of it, and prepares it. None when there is none to be had
    /// that may be used; the reason is kept for [`Server::why_no_connection`].
    pub(crate) async fn connect(&self, options: &PgConnectOptions) -> Option<PgConnection> {
        let connected = self.try_connect(options).await;
        self.seen.lock().problem = connected.as_ref().err().map(ToString::to_string);
        connected.ok()
    }

    /// Notes that an attempt to connect ended without an answer.
    pub(crate) fn did_not_answer(&self, patience: Duration) {
        self.seen.lock().problem = Some(format!("no answer within {patience:?}"));
    }

    /// Tells whether the last attempt to connect failed.
    pub(crate) fn is_refusing(&self) -> bool {
        self.seen.lock().problem.is_some()
    }

    async fn try_connect(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let mut connection = options.connect().await?;
        self.prepare(&mut connection).await?;
        Ok(connection)
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql::PREPARE_CONNECTION).execute(&mut *connection).await?;
        if sqlx::query_scalar::<_, bool>(sql::IS_STANDBY).fetch_one(&mut *connection).await? {
            return Err(refused("it is a standby, which cannot be written to; name the primary"));
        }
        let Some(identity) = self.identify(connection).await? else { return Ok(()) };
        self.admit(&identity)?;
        let known: String = sqlx::query_scalar(sql::SERVER).fetch_one(&mut *connection).await?;
        if known != identity.to_string() {
            self.move_to(connection, &known, &identity).await?;
        }
        Ok(())
    }

    /// Asks the server who it is. Some that only speak as Postgres does cannot say: with them only an operator notices
    /// that commits were lost.
    async fn identify(&self, connection: &mut PgConnection) -> Result<Option<Identity>, sqlx::Error> {
        let row = match sqlx::query(sql::IDENTITY).fetch_one(connection).await {
            Ok(row) => row,
            Err(error @ sqlx::Error::Database(_)) => {
                let mut seen = self.seen.lock();
                if !seen.told_of_no_identity {
                    tracing::warn!(%error, place = %self.place, "the database does not tell its timeline: a failover \
                        that loses commits will not be noticed");
                    seen.told_of_no_identity = true;
                }
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let (system, file): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        // The name of a file of the log begins with its timeline, in eight hexadecimal digits.
        let timeline = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        Ok(timeline.map(|timeline| Identity { system, timeline }))
    }

    /// Refuses a former primary that someone still reaches.
    fn admit(&self, identity: &Identity) -> Result<(), sqlx::Error> {
        let mut seen = self.seen.lock();
        match &seen.newest {
            Some(newest) if newest.system == identity.system && newest.timeline > identity.timeline => {
                Err(refused(&format!(
                    "it is on timeline {}, though timeline {} was seen before: it is a former primary; stop it",
                    identity.timeline, newest.timeline
                )))
            }
            _ => {
                seen.newest = Some(identity.clone());
                Ok(())
            }
        }
    }

    /// Writes down who the server is. When it was another before, commits may be missing: the history gets a new name,
    /// from whoever sees it first.
    async fn move_to(
        &self,
        connection: &mut PgConnection,
        known: &str,
        identity: &Identity,
    ) -> Result<(), sqlx::Error> {
        let statement = if known.is_empty() { sql::SET_FIRST_SERVER } else { sql::SET_SERVER };
        let query = sqlx::query(statement).bind(known).bind(identity.to_string());
        let done = query.execute(connection).await?;
        if done.rows_affected() > 0 && !known.is_empty() {
            tracing::warn!(
                before = known,
                now = %identity,
                place = %self.place,
                "another server of the database took over: a new history begins, as commits may be lost"
            );
        }
        Ok(())
    }
}

/// Makes an error of the pool's kind of what was found.
fn refused(why: &str) -> sqlx::Error {
    sqlx::Error::Configuration(why.into())
}
