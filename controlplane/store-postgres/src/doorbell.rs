//! What rings when another replica may have committed something: a connection of its own that listens.
//!
//! It only saves waiting. What it misses while its connection is down, whoever waits finds by looking each second.

use crate::{place::Place, said::said};
use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::time::Duration;
use tokio::{sync::watch, task::AbortHandle, time::timeout};

/// What all replicas listen to.
const CHANNEL: &str = "cliproxy_log";

/// How long the listening connection may say nothing before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// How long it may take to answer, and to connect. An attempt that is cut off begins anew: on a machine with too much to
/// do a short time would let none succeed.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before connecting again: the first time, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Doorbell {
    rings: watch::Receiver<u64>,
    task: AbortHandle,
}

impl Doorbell {
    /// Begins to listen. The connection is made in the background.
    pub(crate) fn start(options: PgConnectOptions) -> Self {
        let (bell, rings) = watch::channel(0);
        let place = Place::of(&options);
        let task = tokio::spawn(listen(options, place, bell)).abort_handle();
        Self { rings, task }
    }

    pub(crate) fn rings(&self) -> watch::Receiver<u64> {
        self.rings.clone()
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(options: PgConnectOptions, place: Place, bell: watch::Sender<u64>) {
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        match connect(&options).await {
            Ok(listener) => {
                if told {
                    tracing::info!(%place, "the database's notices are heard again");
                }
                (pause, told) = (FIRST_PAUSE, false);
                // What was committed meanwhile was not heard.
                ring(&bell);
                let why = hear(listener, &bell).await;
                tracing::debug!(%place, why, "the connection for the database's notices broke");
            }
            Err(why) if !told => {
                tracing::warn!(%place, why, "the database's notices are not heard: changes of other replicas come \
                    up to a second later");
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgListener, String> {
    let connected = timeout(CONNECT_PATIENCE, async {
        // A pool of its own: the listener keeps its connection for good.
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(CONNECT_PATIENCE).connect_lazy_with(options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    });
    match connected.await {
        Ok(Ok(listener)) => Ok(listener),
        Ok(Err(error)) => Err(said(&error)),
        Err(_) => Err(format!("no connection within {CONNECT_PATIENCE:?}")),
    }
}

/// Rings for each notice until the connection is lost, and gives why.
async fn hear(mut listener: PgListener, bell: &watch::Sender<u64>) -> String {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => ring(bell),
            Ok(Ok(None)) => return "it was closed".to_owned(),
            Ok(Err(error)) => return said(&error),
            // A connection that leads nowhere says nothing of it.
            Err(_) => match timeout(PATIENCE, listener.execute("SELECT 1")).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return said(&error),
                Err(_) => return "no answer".to_owned(),
            },
        }
    }
}

fn ring(bell: &watch::Sender<u64>) {
    bell.send_modify(|rings| *rings = rings.wrapping_add(1));
}
