//! A network in memory: one listener for clients, and providers by their host names.

use cliproxy_host::{Connection, Listener, Net, net::NetFuture};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::DuplexStream,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
};

/// What a connection holds in each direction before its writer has to wait.
const BUFFER: usize = 64 * 1024;

/// The network. Clones share it.
#[derive(Clone)]
pub struct MemoryNet {
    hosts: Arc<Mutex<HashMap<String, UnboundedSender<DuplexStream>>>>,
    clients: UnboundedSender<DuplexStream>,
    accepted: Arc<Mutex<Option<UnboundedReceiver<DuplexStream>>>>,
}

impl MemoryNet {
    pub fn new() -> Self {
        let (clients, accepted) = mpsc::unbounded_channel();
        Self { hosts: Arc::default(), clients, accepted: Arc::new(Mutex::new(Some(accepted))) }
    }

    /// Adds a host; gives the connections that are opened to it.
    pub fn host(&self, name: &str) -> UnboundedReceiver<DuplexStream> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.hosts.lock().expect("no panic").insert(name.to_owned(), sender);
        receiver
    }

    /// Connects a client to the node.
    pub fn dial(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        self.clients.send(theirs).expect("the node listens");
        ours
    }
}

impl Net for MemoryNet {
    fn connect<'a>(&'a self, host: &'a str, _port: u16) -> NetFuture<'a, Connection> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(BUFFER);
            let sent = self.hosts.lock().expect("no panic").get(host).map(|host| host.send(theirs));
            match sent {
                Some(Ok(())) => Ok(Connection::new(ours)),
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn listen(&self, _address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let accepted = self.accepted.lock().expect("no panic").take();
            let accepted = accepted.ok_or(io::ErrorKind::AddrInUse)?;
            Ok(Box::new(MemoryListener(accepted)) as Box<dyn Listener>)
        })
    }
}

struct MemoryListener(UnboundedReceiver<DuplexStream>);

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

impl Listener for MemoryListener {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async move {
            match self.0.recv().await {
                Some(stream) => Ok((Connection::new(stream), LOOPBACK)),
                None => std::future::pending().await,
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(LOOPBACK)
    }
}
