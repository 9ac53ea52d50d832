//! Connections over the simulated network.

use cliproxy_host::{Connection, Listener, Net, net::NetFuture};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// The network as one host sees it. Clones of one cluster share what is wrong with it.
#[derive(Clone)]
pub struct SimNet {
    host: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Ways over which nothing comes.
    cut: BTreeSet<(String, String)>,
    /// Hosts that read nothing of what control planes send, with the readers that wait for it to end.
    deaf: BTreeMap<String, Vec<Waker>>,
}

impl SimNet {
    /// Makes a network with nothing wrong, seen by nobody yet.
    pub fn new() -> Self {
        Self { host: String::new(), state: Arc::default() }
    }

    /// Gives the view of a host.
    pub fn of(&self, host: &str) -> Self {
        Self { host: host.to_owned(), state: Arc::clone(&self.state) }
    }

    /// Notes that nothing comes from one host to the other, or that it does again. The simulated network refuses a
    /// connection over such a way at once, where a real one keeps silent.
    pub fn set_cut(&self, from: &str, to: &str, cut: bool) {
        let way = (from.to_owned(), to.to_owned());
        let all = &mut self.state().cut;
        if cut {
            all.insert(way);
        } else {
            all.remove(&way);
        }
    }

    /// Has a host read nothing of what control planes send it, or go on.
    pub fn set_deaf(&self, host: &str, deaf: bool) {
        if deaf {
            self.state().deaf.entry(host.to_owned()).or_default();
            return;
        }
        let waiting = self.state().deaf.remove(host).unwrap_or_default();
        waiting.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn is_cut(&self, to: &str) -> bool {
        let state = self.state();
        let way = |from: &str, to: &str| state.cut.contains(&(from.to_owned(), to.to_owned()));
        way(&self.host, to) || way(to, &self.host)
    }

    /// Tells whether this host hears; else remembers whom to wake when it does.
    fn hears(&self, cx: &Context<'_>) -> bool {
        match self.state().deaf.get_mut(&self.host) {
            Some(waiting) => {
                waiting.push(cx.waker().clone());
                false
            }
            None => true,
        }
    }

    fn connection(&self, stream: TcpStream, from_control: bool) -> Connection {
        Connection::new(Stream { net: self.clone(), stream, from_control })
    }
}

impl Net for SimNet {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> NetFuture<'a, Connection> {
        Box::pin(async move {
            if self.is_cut(host) {
                std::future::pending::<()>().await;
            }
            Ok(self.connection(TcpStream::connect((host, port)).await?, host.starts_with("cp-")))
        })
    }

    /// Listens on all addresses of the host, also where only the host itself is meant: who is to be kept out is not
    /// simulated.
    fn listen(&self, address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await?;
            Ok(Box::new(SimListener { net: self.clone(), listener }) as Box<dyn Listener>)
        })
    }
}

struct SimListener {
    net: SimNet,
    listener: TcpListener,
}

impl Listener for SimListener {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            Ok((self.net.connection(stream, false), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection of a host that may go deaf.
struct Stream {
    net: SimNet,
    stream: TcpStream,
    /// What comes is a control plane's.
    from_control: bool,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.from_control && !self.net.hears(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
