//! A way to a server that can be closed to one process alone, as when that one's way out is broken.
//!
//! Who connects is told by the kernel: the socket of a connection's other end is among the open files of its process.

use crate::poll::PATIENCE;
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinHandle},
};

/// How often the kernel's table is read for a socket that should be in it.
const READINGS: usize = 5;

/// A running gate; it ends all connections when dropped.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
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
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let (listener, address) = match bound.and_then(|bound| bound.local_addr().map(|at| (bound, at))) {
            Ok(bound) => bound,
            Err(error) => panic!("no port for a gate: {error}"),
        };
        let state: Arc<Mutex<State>> = Arc::default();
        let accepting = tokio::spawn(accept(listener, address, server, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    /// Gives the URL of the root.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
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

async fn accept(listener: TcpListener, gate: SocketAddr, server: SocketAddr, state: Arc<Mutex<State>>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        // Each finds out for itself who connects: one after the other, slow readings of the kernel's table add up to
        // seconds.
        tokio::spawn(admit(stream, gate, server, peer, Arc::clone(&state)));
    }
}

async fn admit(
    stream: TcpStream,
    gate: SocketAddr,
    server: SocketAddr,
    peer: SocketAddr,
    state: Arc<Mutex<State>>,
) {
    loop {
        let closed = lock(&state).closed.clone();
        let asked = closed.clone();
        let is_refused = move || asked.iter().any(|process| owns(*process, gate, peer));
        // Dropped, the connection is closed.
        let Ok(false) = tokio::task::spawn_blocking(is_refused).await else { return };
        let mut known = lock(&state);
        // Meanwhile it may have been closed to others.
        if known.closed == closed {
            let passing = tokio::spawn(pass(stream, server, peer, Arc::clone(&state)));
            known.open.insert(peer, passing.abort_handle());
            return;
        }
    }
}

async fn pass(mut stream: TcpStream, server: SocketAddr, peer: SocketAddr, state: Arc<Mutex<State>>) {
    if let Ok(Ok(mut onward)) = tokio::time::timeout(PATIENCE, TcpStream::connect(server)).await {
        let _ = onward.set_nodelay(true);
        // How it ends is no concern of the gate's.
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    }
    lock(&state).open.remove(&peer);
}

/// Tells whether `process` has the other end of the gate's connection with `peer`.
fn owns(process: u32, gate: SocketAddr, peer: SocketAddr) -> bool {
    let (SocketAddr::V4(gate), SocketAddr::V4(peer)) = (gate, peer) else { return false };
    // While others come and go, a reading of the table may lack a socket that is there.
    let Some(socket) = (0..READINGS).find_map(|_| socket_between(peer, gate)) else { return false };
    let link = format!("socket:[{socket}]");
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == Path::new(&link)))
}

/// Finds the number of the socket at `own` that is connected with `other`. The port alone says nothing: connections
/// with others may have it too, also such as are over.
fn socket_between(own: SocketAddrV4, other: SocketAddrV4) -> Option<String> {
    let (own, other) = (shown(own), shown(other));
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let mut rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&own.as_str()) && row.get(2) == Some(&other.as_str()))?;
    row.get(9).map(|socket| (*socket).to_owned())
}

/// Writes an address as the kernel's table does.
fn shown(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    format!("{d:02X}{c:02X}{b:02X}{a:02X}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_gate_lets_through_whom_it_is_not_closed_to() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gate = Gate::start(echo.local_addr().unwrap()).await;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let says = async |stream: &mut TcpStream| {
            stream.write_all(b"x").await?;
            stream.read_u8().await
        };
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        assert_eq!(says(&mut stream).await.unwrap(), b'x');
        gate.close_to(std::process::id());
        assert!(says(&mut stream).await.is_err(), "what was open is broken");
        let mut refused = TcpStream::connect(gate.address).await.unwrap();
        assert!(says(&mut refused).await.is_err());
        gate.open_to(std::process::id());
        let mut again = TcpStream::connect(gate.address).await.unwrap();
        assert_eq!(says(&mut again).await.unwrap(), b'x');
    }
}
