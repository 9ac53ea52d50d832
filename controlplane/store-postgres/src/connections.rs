//! The connections that transactions are done on: opened while there are too few, kept, and given back.
//!
//! An attempt to connect is nobody's: whoever waits takes the connection that is free first, and an attempt that is
//! half-way when nobody waits any more goes on to its end. A server that takes longer to connect to than anyone waits, as
//! on a machine with too much to do, would else never be reached.

mod book;

use crate::{fault::Fault, server::Server};
use book::Book;
use parking_lot::Mutex;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{
    future::Future,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// How long a caller waits for a connection; longer than a transaction waits for locks.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an attempt to connect may take, and a server may take to say that it is still there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long no other attempt is made in place of one that takes long: it may lead nowhere.
const HOPE: Duration = Duration::from_secs(1);

/// How long after an attempt that failed the next one begins.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a connection must have been idle to be tried before it is used.
const LONG_IDLE: Duration = Duration::from_secs(1);

/// How long it may be idle before it is closed, and how old it may become: servers and the ways to them change.
const MAX_IDLE: Duration = Duration::from_mins(10);
const MAX_AGE: Duration = Duration::from_mins(30);

/// How long closing one in order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// All of a store. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    server: Server,
    book: Mutex<Book<Link>>,
    /// A permit for each that is idle, which wakes who waited longest.
    idle: Semaphore,
}

/// A connection that is in use. Dropped, it is closed; [`Connections::give_back`] keeps it.
#[derive(Debug)]
pub(crate) struct Link {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
    /// Last, as the place is free only when the connection is closed.
    place: Place,
}

/// One of the connections that there may be.
#[derive(Debug)]
struct Place(Arc<Shared>);

/// That an attempt leads to a connection soon.
struct Hope(Option<Arc<Shared>>);

/// A caller that waits.
struct Waiting<'a>(&'a Shared);

impl Connections {
    pub(crate) fn new(options: PgConnectOptions, server: Server, most: usize) -> Self {
        let book = Mutex::new(Book::new(most));
        Self(Arc::new(Shared { options, server, book, idle: Semaphore::new(0) }))
    }

    /// Gives a connection, of which the server is known and which was not idle for long.
    ///
    /// # Errors
    /// When there is none in time, with the reason if it is known. Safe to cancel: no attempt is lost.
    pub(crate) async fn take(&self) -> Result<Link, Fault> {
        let shared = &self.0;
        shared.book.lock().waiting += 1;
        let _waiting = Waiting(shared);
        match timeout(ACQUIRE_TIMEOUT, shared.next()).await {
            Ok(link) => link,
            Err(_) => Err(Fault::Silent(shared.server.why_no_connection())),
        }
    }

    /// Takes back a connection that is in no transaction.
    pub(crate) fn give_back(&self, link: Link) {
        self.0.keep(link);
    }

    /// Closes a connection that nobody can use any more, and opens another if anybody waits.
    pub(crate) fn give_up(&self, link: Link) {
        drop(link);
        self.0.connect_more();
    }

    /// Closes those that are idle; the others are when they are given back. None is given from now on.
    pub(crate) async fn close(&self) {
        self.0.idle.close();
        let idle = self.0.book.lock().close();
        for link in idle {
            // Whether it ends in order makes no difference.
            let _ = timeout(CLOSE_TIMEOUT, link.connection.close()).await;
        }
    }
}

impl Shared {
    async fn next(self: &Arc<Self>) -> Result<Link, Fault> {
        loop {
            self.connect_more();
            let Ok(permit) = self.idle.acquire().await else {
                return Err(Fault::Silent("the store is closed".to_owned()));
            };
            permit.forget();
            let Some(link) = self.book.lock().take() else { continue };
            if link.used.elapsed() < LONG_IDLE {
                return Ok(link);
            }
            // The server may have been restarted meanwhile.
            self.book.lock().hopeful += 1;
            tokio::spawn(try_out(link, Hope(Some(Arc::clone(self)))));
        }
    }

    /// Begins as many attempts to connect as those who wait have need of.
    fn connect_more(self: &Arc<Self>) {
        // Without a runtime the process ends, and nobody waits.
        let Ok(runtime) = Handle::try_current() else { return };
        while self.book.lock().begin_attempt(self.server.is_refusing()) {
            let place = Place(Arc::clone(self));
            runtime.spawn(connect(place, Hope(Some(Arc::clone(self)))));
        }
    }

    fn keep(&self, mut link: Link) {
        link.used = now();
        if link.opened.elapsed() > MAX_AGE {
            return;
        }
        let refused = self.book.lock().keep(link);
        if refused.is_none() {
            self.idle.add_permits(1);
        }
        // The one that was idle longest; whoever has a permit finds it.
        if let Ok(permit) = self.idle.try_acquire() {
            let stale = self.book.lock().take_oldest_if(|link| link.used.elapsed() > MAX_IDLE);
            if stale.is_some() {
                permit.forget();
            }
        }
    }
}

/// Connects, and keeps the connection for whoever comes.
async fn connect(place: Place, mut hope: Hope) {
    let shared = Arc::clone(&place.0);
    let attempt = timeout(CONNECT_TIMEOUT, shared.server.connect(&shared.options));
    match hope.during(attempt).await {
        Ok(Some(connection)) => {
            shared.keep(Link { connection, opened: now(), used: now(), place });
        }
        Ok(None) => {
            drop(place);
            tokio::time::sleep(PAUSE).await;
        }
        Err(_) => {
            drop(place);
            shared.server.did_not_answer(CONNECT_TIMEOUT);
        }
    }
    hope.end();
}

/// Asks the server whether it is still at the other end, and keeps the connection then.
async fn try_out(mut link: Link, mut hope: Hope) {
    let answer = timeout(CONNECT_TIMEOUT, link.connection.ping());
    let is_alive = matches!(hope.during(answer).await, Ok(Ok(())));
    let shared = Arc::clone(&link.place.0);
    if is_alive {
        shared.keep(link);
    } else {
        drop(link);
    }
    hope.end();
}

impl Hope {
    /// Waits for an attempt to end. When it takes long, others may be made meanwhile.
    async fn during<T>(&mut self, attempt: impl Future<Output = T>) -> T {
        tokio::pin!(attempt);
        tokio::select! {
            biased;
            done = &mut attempt => return done,
            () = tokio::time::sleep(HOPE) => self.end(),
        }
        attempt.await
    }

    /// Whoever waits still must be helped in another way.
    fn end(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.book.lock().hopeful -= 1;
            shared.connect_more();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.book.lock().open -= 1;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.book.lock().waiting -= 1;
    }
}

impl Deref for Link {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Link {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is measured how long a socket lay idle; no decision of the gateway's"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
