//! Opening the database: waiting for the server, the migrations, the pool.

mod schema;

use crate::{
    PostgresStore,
    connections::{self, Connections},
    doorbell::Doorbell,
    fault::Fault,
    place::{self, Place},
    said::{said, with_remedy},
    server::Server,
    sql,
};
use cliproxy_store::StoreError;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// The oldest version that is supported, as the server numbers them.
const OLDEST_VERSION: u32 = 140_000;

/// How long one attempt to connect may take at the start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before the next attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// How often is said what is waited for.
const TELL: Duration = Duration::from_secs(5);

/// How a store uses its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many connections it has at most; 16 unless set. One more listens.
    pub connections: u32,
    /// Whether it listens to what other replicas commit; otherwise they are heard of by looking. Yes unless set.
    pub listen: bool,
    /// How long it waits at the start for a server that cannot be reached; without end unless set.
    pub patience: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connections: 16, listen: true, patience: None }
    }
}

impl PostgresStore {
    /// Opens the database at `url` and brings its schema up to date, waiting for a server that is not there yet: whoever
    /// starts programs does so in any order. It says in the log what it waits for. Safe to cancel. How connections are
    /// protected is what the URL's `sslmode` says.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server refuses the user, has no such database, is a standby or too old, or when
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
        let mut waiting = Waiting::new(&place, settings.patience);
        while let Err(opening) = prepare(&options, &place).await {
            match opening {
                Opening::Refused(error) => return Err(error),
                Opening::Away(why) => waiting.wait(why).await?,
            }
        }

        let most = usize::try_from(settings.connections).unwrap_or(usize::MAX);
        let connections = Connections::new(options.clone(), Server::new(place), most);
        let doorbell = settings.listen.then(|| Doorbell::start(options));
        let store = PostgresStore { connections, numbering: Arc::default(), doorbell };
        // The first connection tells which history it is.
        store.read((), |_, ()| Box::pin(async { Ok(()) })).await?;
        Ok(store)
    }
}

/// Why a database is not open yet.
enum Opening {
    /// It may be there later.
    Away(String),
    /// It will not be.
    Refused(StoreError),
}

impl Opening {
    fn of(error: sqlx::Error, refusal: impl FnOnce(sqlx::Error) -> StoreError) -> Self {
        if may_come_up(&error) { Self::Away(said(&error)) } else { Self::Refused(refusal(error)) }
    }
}

/// Waits for a server, and says so.
struct Waiting<'a> {
    place: &'a Place,
    patience: Option<Duration>,
    begun: Instant,
    told: Option<Instant>,
}

impl<'a> Waiting<'a> {
    fn new(place: &'a Place, patience: Option<Duration>) -> Self {
        Self { place, patience, begun: connections::now(), told: None }
    }

    /// Waits a moment before the next attempt.
    ///
    /// # Errors
    /// When it has been waited for long enough.
    async fn wait(&mut self, why: String) -> Result<(), StoreError> {
        let Self { place, patience, begun, told } = self;
        if patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Err(unavailable(
                place,
                format_args!("{why}; see that it runs, and that control_plane.database.url names it"),
            ));
        }
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            tracing::warn!(
                %place, why, waited_s = begun.elapsed().as_secs(),
                "waiting for the database; see that it runs, and that control_plane.database.url names it"
            );
            *told = Some(connections::now());
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Sees that the server can be used, and brings the schema up to date.
async fn prepare(options: &PgConnectOptions, place: &Place) -> Result<(), Opening> {
    let refusal = |error: sqlx::Error| unavailable(place, format_args!("{}", with_remedy(&error)));
    let mut connection = match timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(connected) => connected.map_err(|error| Opening::of(error, refusal))?,
        Err(_) => return Err(Opening::Away(format!("no answer within {CONNECT_TIMEOUT:?}"))),
    };
    check_server(&mut connection, place).await?;
    // Whether it ends in order makes no difference.
    let _ = connection.close().await;
    schema::bring_up_to_date(options, place).await
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

async fn check_server(connection: &mut PgConnection, place: &Place) -> Result<(), Opening> {
    let refused = |why: std::fmt::Arguments<'_>| Err(Opening::Refused(unavailable(place, why)));
    let failed = |error| Opening::of(error, |error| Fault::from(error).into());
    let version = connection.server_version_num().unwrap_or(0);
    if version < OLDEST_VERSION {
        return refused(format_args!("it is version {}; cliproxy needs 14 or newer", version / 10_000));
    }
    if sqlx::query_scalar(sql::IS_STANDBY).fetch_one(&mut *connection).await.map_err(failed)? {
        return refused(format_args!("it is a standby, which cannot be written to; name the primary"));
    }
    let encoding: String = sqlx::query_scalar(sql::ENCODING).fetch_one(connection).await.map_err(failed)?;
    if encoding != "UTF8" {
        return refused(format_args!(
            "its encoding is {encoding}; make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
        ));
    }
    Ok(())
}

fn unavailable(place: &Place, why: std::fmt::Arguments<'_>) -> StoreError {
    StoreError::Unavailable(format!("{place}: {why}"))
}
