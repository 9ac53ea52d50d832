//! Opening the database: waiting for the server, the migrations, the pool.

mod schema;

use crate::{
    PostgresStore,
    doorbell::Doorbell,
    fault::Fault,
    place::{self, Place},
    server::Server,
    sql,
};
use cliproxy_store::StoreError;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// The oldest version that is supported, as the server numbers them.
const OLDEST_VERSION: u32 = 140_000;

/// How long a caller waits for a connection; longer than a transaction waits for locks.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection must have been idle to be tried before it is used.
const LONG_IDLE: Duration = Duration::from_secs(1);

/// How long one attempt to connect may take at the start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// How a store uses its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many connections it has at most; 16 unless set. One more listens.
    pub connections: u32,
    /// Whether it listens to what other replicas commit; otherwise they are heard of by looking. Yes unless set.
    pub listen: bool,
    /// How long it waits at the start for a server that cannot be reached; 30 s unless set.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connections: 16, listen: true, patience: Duration::from_secs(30) }
    }
}

impl PostgresStore {
    /// Opens the database at `url` and brings its schema up to date, waiting a while for a server that is not there yet.
    /// How connections are protected is what the URL's `sslmode` says.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached, refuses the user, is a standby or too old, or when
    /// the schema is that of a newer program; [`StoreError::Corrupt`] when it is not one of this program. No text has the
    /// password.
    pub async fn open(url: &str) -> Result<PostgresStore, StoreError> {
        Self::open_with(url, Settings::default()).await
    }

    /// Opens as [`PostgresStore::open`] does, with other settings.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_with(url: &str, settings: Settings) -> Result<PostgresStore, StoreError> {
        let options = place::read_url(url)?.application_name("cliproxy").disable_statement_logging();
        let place = Place::of(&options);
        let mut connection = reach(&options, &place, settings.patience).await?;
        check_server(&mut connection, &place).await?;
        // Whether it ends in order makes no difference.
        let _ = connection.close().await;
        schema::bring_up_to_date(&options, &place).await?;

        let server = Arc::new(Server::new(place));
        let pool = pool(settings.connections, &server).connect_lazy_with(options.clone());
        let doorbell = settings.listen.then(|| Doorbell::start(options));
        let store = PostgresStore { pool, server, numbering: Mutex::default(), doorbell };
        // The first connection of the pool checks which history it is.
        store.read((), |_, ()| Box::pin(async { Ok(()) })).await?;
        Ok(store)
    }
}

/// Connections are checked before they are used for the first time, and when they were idle for a while, as the server may
/// have been restarted.
fn pool(connections: u32, server: &Arc<Server>) -> PgPoolOptions {
    let server = Arc::clone(server);
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for >= LONG_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let server = Arc::clone(&server);
            Box::pin(async move { server.check(connection).await })
        })
}

/// Connects, again and again while the server is not there.
async fn reach(
    options: &PgConnectOptions,
    place: &Place,
    patience: Duration,
) -> Result<PgConnection, StoreError> {
    let mut waited = Duration::ZERO;
    loop {
        let why = match timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if !may_come_up(&error) => {
                return Err(unavailable(place, format_args!("{error}")));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                waited += CONNECT_TIMEOUT;
                format!("no answer within {CONNECT_TIMEOUT:?}")
            }
        };
        if waited >= patience {
            return Err(unavailable(
                place,
                format_args!("{why}; see that it runs, and that control_plane.database.url names it"),
            ));
        }
        if waited.as_secs().is_multiple_of(5) && waited.subsec_nanos() == 0 {
            tracing::warn!(%place, why, "waiting for the database");
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// Tells whether the server may be there later: it is not listening, or says that it is starting or full.
fn may_come_up(error: &sqlx::Error) -> bool {
    match error {
        // A certificate that is not trusted is invalid data.
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        sqlx::Error::Database(said) => {
            // Starting or stopping; too many connections.
            said.code().is_some_and(|code| code.starts_with("57P") || code == "53300")
        }
        _ => false,
    }
}

async fn check_server(connection: &mut PgConnection, place: &Place) -> Result<(), StoreError> {
    let version = connection.server_version_num().unwrap_or(0);
    if version < OLDEST_VERSION {
        return Err(unavailable(
            place,
            format_args!("it is version {}; cliproxy needs 14 or newer", version / 10_000),
        ));
    }
    let standby: bool =
        sqlx::query_scalar(sql::IS_STANDBY).fetch_one(&mut *connection).await.map_err(Fault::from)?;
    if standby {
        return Err(unavailable(
            place,
            format_args!("it is a standby, which cannot be written to; name the primary"),
        ));
    }
    let encoding: String =
        sqlx::query_scalar(sql::ENCODING).fetch_one(connection).await.map_err(Fault::from)?;
    if encoding != "UTF8" {
        return Err(unavailable(
            place,
            format_args!(
                "its encoding is {encoding}; make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
            ),
        ));
    }
    Ok(())
}

fn unavailable(place: &Place, why: std::fmt::Arguments<'_>) -> StoreError {
    StoreError::Unavailable(format!("{place}: {why}"))
}
