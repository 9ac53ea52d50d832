//! Connections, outgoing and incoming.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
};

/// How many connections may wait to be accepted. The default of 128 overflows when a few hundred clients
/// connect at once, and the losers wait a full second for the retransmission of their SYN.
pub const BACKLOG: u32 = 4096;

/// A boxed future of an I/O result.
pub type NetFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Opens and accepts connections.
pub trait Net: Send + Sync + 'static {
    /// Connects to `host:port`, resolving the name anew. Cancel by dropping; bound it with a timeout.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> NetFuture<'a, Connection>;

    /// Gives the addresses that a name stands for now, sorted, each once. A network whose names are no more than names
    /// gives none, and the name is connected to as it is; whoever wraps a network hands this on.
    fn resolve<'a>(&'a self, host: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        let _ = host;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Starts to listen with a queue of [`BACKLOG`]. Port 0 asks for a free one.
    fn listen(&self, address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>>;
}

/// A listening socket.
pub trait Listener: Send + 'static {
    /// Waits for the next connection. An error concerns that connection alone, or a shortage that passes.
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)>;

    /// Gives the address that is listened on, with the port that was found for port 0.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Everything that a connection needs to be.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connected byte stream of whichever network made it.
pub struct Connection(Box<dyn Duplex>);

impl Connection {
    /// Wraps a stream.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> NetFuture<'a, Connection> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Connection::new(stream))
        })
    }

    fn resolve<'a>(&'a self, host: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let mut found: Vec<IpAddr> =
                tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
            found.sort_unstable();
            found.dedup();
            Ok(found)
        })
    }

    fn listen(&self, address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // A restarted process must not wait for its predecessor's connections to be forgotten.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(Box::new(SystemListener(socket.listen(BACKLOG)?)) as Box<dyn Listener>)
        })
    }
}

struct SystemListener(TcpListener);

impl Listener for SystemListener {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Connection::new(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
