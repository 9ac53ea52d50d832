//! What the bench's own server processes share: a listener that does not overflow, and an end with their parent.

use anyhow::Context;
use std::{
    io::{Read, Write},
    net::SocketAddr,
};
use tokio::net::{TcpListener, TcpSocket};

/// Listens with a queue that a burst of connections does not overflow, and announces where.
pub(super) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let listener = socket.listen(4096)?;
    announce(listener.local_addr()?)?;
    Ok(listener)
}

/// Tells the parent process on the standard output where this one listens.
pub(super) fn announce(address: SocketAddr) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// Waits until the parent has closed this process's standard input, as it does by ending in any way.
pub(super) async fn parent_gone() {
    let (told, gone) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: tokio's standard input would hold the runtime back from ending.
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(read) if read > 0) {}
        drop(told);
    });
    let _ = gone.await;
}
