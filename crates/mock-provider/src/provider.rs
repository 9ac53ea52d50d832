//! A running mock provider.

use crate::{
    clock,
    link::{Link, LinkedStream},
    log::{Book, Log, Totals},
    rules::{Rules, ScriptError},
    script::{Behaviour, Family, Rule, Script},
    serve,
};
use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::{rt::TokioIo, server::conn::auto};
use parking_lot::RwLock;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// Connections that may wait to be accepted; a burst of clients must not run into SYN retransmission.
const BACKLOG: u32 = 4_096;
/// Streams that one HTTP/2 connection may have open.
const HTTP2_STREAMS: u32 = 1_000;

/// How to start a mock provider.
#[derive(Clone, Debug)]
pub struct MockOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only family to play; `None` plays all, told apart by their paths.
    pub family: Option<Family>,
    /// Shown in default texts and in the `x-mock-provider` header.
    pub name: String,
    /// What to do from the start on, and again after `DELETE /__mock/behaviour`.
    pub script: Script,
}

impl Default for MockOptions {
    /// Plays all families well, on a free loopback port.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            family: None,
            name: "mock".into(),
            script: Script::default(),
        }
    }
}

/// What all connections of a mock provider share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) family: Option<Family>,
    pub(crate) name: String,
    pub(crate) name_header: Option<HeaderValue>,
    pub(crate) book: Arc<Book>,
    pub(crate) epoch: Instant,
    first: Script,
    rules: RwLock<Arc<Rules>>,
}

impl Server {
    /// Gives the rules in force.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read())
    }

    /// Replaces the script.
    pub(crate) fn set(&self, script: Script) -> Result<(), ScriptError> {
        let rules = Rules::new(script)?;
        self.book.keep_bodies(rules.script().keep_bodies);
        *self.rules.write() = Arc::new(rules);
        Ok(())
    }

    /// Replaces the rules alone.
    pub(crate) fn set_rules(&self, rules: Vec<Rule>) -> Result<(), ScriptError> {
        self.set(Script { rules, ..self.rules().script().clone() })
    }

    /// Replaces what is done to requests for models alone.
    pub(crate) fn set_health(&self, health: Behaviour) -> Result<(), ScriptError> {
        self.set(Script { health, ..self.rules().script().clone() })
    }

    /// Goes back to the script of the start.
    pub(crate) fn restore(&self) -> Result<(), ScriptError> {
        self.set(self.first.clone())
    }
}

/// A running mock provider. Dropping it stops it as well, without waiting for its tasks.
#[derive(Debug)]
pub struct MockProvider {
    addr: SocketAddr,
    server: Arc<Server>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl MockProvider {
    /// Binds the address and serves from then on, on the Tokio runtime of the caller.
    ///
    /// # Errors
    /// The address cannot be bound, or the script is refused ([`io::ErrorKind::InvalidInput`]).
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn start(options: MockOptions) -> io::Result<Self> {
        let MockOptions { listen, family, name, script } = options;
        let refused = |error: ScriptError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let server = Arc::new(Server {
            family,
            name_header: HeaderValue::try_from(&name).ok(),
            name,
            book: Arc::default(),
            epoch: clock::now(),
            rules: RwLock::new(Arc::new(Rules::new(Script::default()).map_err(refused)?)),
            first: script,
        });
        server.restore().map_err(refused)?;
        let listener = listen_on(listen)?;
        let addr = listener.local_addr()?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(accept(listener, Arc::clone(&server), tasks.clone(), stop.clone()));
        Ok(Self { addr, server, tasks, stop: stop.drop_guard() })
    }

    /// Gives the address that is listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives the URL of the root, as `http://127.0.0.1:4010`; API paths begin with `/v1` or `/v1beta`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Replaces the whole script, keys and models included; see [`MockProvider::set_rules`]. Requests
    /// that were begun keep what they were given.
    ///
    /// # Errors
    /// The script is refused; the one in force stays.
    pub fn set(&self, script: impl Into<Script>) -> Result<(), ScriptError> {
        self.server.set(script.into())
    }

    /// Replaces the rules and leaves the rest of the script.
    ///
    /// # Errors
    /// The rules are refused; the ones in force stay.
    pub fn set_rules(&self, rules: Vec<Rule>) -> Result<(), ScriptError> {
        self.server.set_rules(rules)
    }

    /// Replaces what is done to requests for the list of models or one of them, and leaves the rest of the script:
    /// the switch for health probes.
    ///
    /// # Errors
    /// It is refused; what is in force stays.
    pub fn set_health(&self, health: Behaviour) -> Result<(), ScriptError> {
        self.server.set_health(health)
    }

    /// Copies the log, with all entries that are kept.
    pub fn log(&self) -> Log {
        self.server.book.copy(usize::MAX)
    }

    /// Copies the totals alone.
    pub fn totals(&self) -> Totals {
        self.server.book.copy(0).totals
    }

    /// Reads the log's clock: microseconds since the mock started.
    pub fn now_us(&self) -> u64 {
        clock::micros(self.server.epoch)
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.server.book.clear();
    }

    /// Waits until `condition` holds for the totals; gives the last totals seen as the error when it
    /// does not within `limit`. A request is settled a moment after its client has the last byte.
    ///
    /// # Errors
    /// The condition did not hold in time.
    pub async fn wait_for(
        &self,
        limit: Duration,
        condition: impl Fn(&Totals) -> bool,
    ) -> Result<Totals, Totals> {
        let deadline = clock::now() + limit;
        loop {
            let totals = self.totals();
            if condition(&totals) {
                return Ok(totals);
            }
            if clock::now() >= deadline {
                return Err(totals);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stops listening, drops all connections and waits until their tasks have ended.
    pub async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a mock that was stopped can start again on its port at once.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, server: Arc<Server>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, Arc::clone(&server), tasks.clone(), stop.clone());
                tasks.spawn(connection);
            }
            // Out of file descriptors, most likely: it passes when connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Runs the tasks of HTTP/2 streams among those that [`MockProvider::stop`] waits for.
#[derive(Clone, Debug)]
struct Spawner(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

async fn connection(stream: TcpStream, server: Arc<Server>, tasks: TaskTracker, stop: CancellationToken) {
    // Without it events would wait for acknowledgements; a socket that refuses still works.
    let _ = stream.set_nodelay(true);
    let link = Arc::new(Link::default());
    let io = TokioIo::new(LinkedStream::new(stream, Arc::clone(&link)));
    let shared = Arc::clone(&link);
    let service = service_fn(move |request| serve::serve(Arc::clone(&server), Arc::clone(&shared), request));
    let mut builder = auto::Builder::new(Spawner(tasks));
    builder.http2().max_concurrent_streams(HTTP2_STREAMS);
    let connection = builder.serve_connection(io, service);
    tokio::select! {
        () = stop.cancelled() => {}
        // Clients that break their connections and faults that do are the daily business here.
        _ = connection => {}
    }
    link.gone();
}
