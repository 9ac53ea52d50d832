//! A way to a server that can be closed to one process alone, as when that one's way out is broken, or fall silent for
//! all, as when a link is cut and nobody is told.
//!
//! Who connects is told by the kernel: the socket of a connection's other end is among the open files of its process.

mod owner;

use crate::poll::PATIENCE;
use owner::owns;
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinHandle},
};

/// What is read at once.
const PIECE: usize = 16 << 10;

/// Which way bytes pass. What does not pass is held, not lost: as TCP sends again once a link is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Both ways.
    Both,
    /// Neither way; connections stay open, and those that are new get no further.
    Neither,
    /// What clients send passes, what the server answers does not.
    OnlyThere,
    /// What the server sends passes, what clients send does not.
    OnlyBack,
}

impl Flow {
    fn there(self) -> bool {
        matches!(self, Flow::Both | Flow::OnlyThere)
    }

    fn back(self) -> bool {
        matches!(self, Flow::Both | Flow::OnlyBack)
    }
}

/// A running gate; it ends all connections when dropped.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// The server, once it is known.
    server: watch::Sender<Option<SocketAddr>>,
    flow: watch::Sender<Flow>,
    delay: watch::Sender<Duration>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The processes that are not let through.
    closed: Vec<u32>,
    /// The connections by where they come from.
    open: HashMap<SocketAddr, AbortHandle>,
}

impl Gate {
    /// Opens a way to `server` on a free loopback port.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(server: SocketAddr) -> Self {
        let gate = Self::reserve(Ipv4Addr::LOCALHOST).await;
        gate.lead_to(server);
        gate
    }

    /// Opens a way on a free port of `host`. Who connects waits until it is said where to it leads.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn reserve(host: Ipv4Addr) -> Self {
        let bound = TcpListener::bind((host, 0)).await;
        let (listener, address) = match bound.and_then(|bound| bound.local_addr().map(|at| (bound, at))) {
            Ok(bound) => bound,
            Err(error) => panic!("no port for a gate: {error}"),
        };
        let state: Arc<Mutex<State>> = Arc::default();
        let (server, flow) = (watch::Sender::new(None), watch::Sender::new(Flow::Both));
        let delay = watch::Sender::new(Duration::ZERO);
        let way = Way { server: server.subscribe(), flow: flow.subscribe(), delay: delay.subscribe() };
        let accepting = tokio::spawn(accept(listener, address, way, Arc::clone(&state)));
        Self { address, state, server, flow, delay, accepting }
    }

    /// Says where new connections lead to from now on.
    pub fn lead_to(&self, server: SocketAddr) {
        self.server.send_replace(Some(server));
    }

    /// Gives where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the URL of the root.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets bytes pass this way from now on.
    pub fn let_pass(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    /// Has whatever the server says from now on take this much longer, as when it has too much to do.
    pub fn delay(&self, by: Duration) {
        self.delay.send_replace(by);
    }

    /// Breaks all connections; new ones are let through.
    pub fn break_all(&self) {
        lock(&self.state).open.drain().for_each(|(_, connection)| connection.abort());
    }

    /// Breaks the connections of a process, and lets it make no other until [`Gate::open_to`].
    pub fn close_to(&self, process: u32) {
        let mut state = lock(&self.state);
        state.closed.push(process);
        state.open.retain(|peer, connection| {
            let is_its = owns(process, self.address, *peer);
            if is_its {
                connection.abort();
            }
            !is_its
        });
    }

    /// Lets a process through again.
    pub fn open_to(&self, process: u32) {
        lock(&self.state).closed.retain(|closed| *closed != process);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
        lock(&self.state).open.values().for_each(AbortHandle::abort);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where connections lead to, and what passes.
#[derive(Clone)]
struct Way {
    server: watch::Receiver<Option<SocketAddr>>,
    flow: watch::Receiver<Flow>,
    delay: watch::Receiver<Duration>,
}

async fn accept(listener: TcpListener, gate: SocketAddr, way: Way, state: Arc<Mutex<State>>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        // Each finds out for itself who connects: one after the other, slow readings of the kernel's table add up to
        // seconds.
        tokio::spawn(admit(stream, gate, way.clone(), peer, Arc::clone(&state)));
    }
}

async fn admit(stream: TcpStream, gate: SocketAddr, way: Way, peer: SocketAddr, state: Arc<Mutex<State>>) {
    loop {
        let closed = lock(&state).closed.clone();
        let asked = closed.clone();
        let is_refused = move || asked.iter().any(|process| owns(*process, gate, peer));
        // Dropped, the connection is closed.
        let Ok(false) = tokio::task::spawn_blocking(is_refused).await else { return };
        let mut known = lock(&state);
        // Meanwhile it may have been closed to others.
        if known.closed == closed {
            let passing = tokio::spawn(pass(stream, way, peer, Arc::clone(&state)));
            known.open.insert(peer, passing.abort_handle());
            return;
        }
    }
}

async fn pass(stream: TcpStream, way: Way, peer: SocketAddr, state: Arc<Mutex<State>>) {
    // How it ends is no concern of the gate's.
    let _ = join(stream, way).await;
    lock(&state).open.remove(&peer);
}

async fn join(mut stream: TcpStream, mut way: Way) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
    way.flow.wait_for(|flow| flow.there()).await.map_err(gone)?;
    let Some(server) = *way.server.wait_for(Option::is_some).await.map_err(gone)? else { return Ok(()) };
    let mut onward = tokio::time::timeout(PATIENCE, TcpStream::connect(server)).await??;
    onward.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (stream.split(), onward.split());
    // An end of one side is told to the other, which may still have something to say; an error ends both.
    let at_once = watch::Sender::new(Duration::ZERO).subscribe();
    tokio::try_join!(
        copy(from_client, to_server, way.flow.clone(), Flow::there, at_once),
        copy(from_server, to_client, way.flow, Flow::back, way.delay),
    )?;
    Ok(())
}

/// Copies to the end of `from`, while the flow lets it, each piece as late as it is said.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
    passes: fn(Flow) -> bool,
    delay: watch::Receiver<Duration>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await;
        // An end, or an error, is news as well.
        if flow.wait_for(|flow| passes(*flow)).await.is_err() {
            return Ok(());
        }
        let late = *delay.borrow();
        tokio::time::sleep(late).await;
        match read? {
            0 => return to.shutdown().await,
            count => to.write_all(&piece[..count]).await?,
        }
    }
}

#[cfg(test)]
mod tests;
