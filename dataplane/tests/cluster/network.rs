//! A network in memory: hosts by their names, one listener for clients, and cables that can be cut.

use cliproxy_host::{Connection, Listener, Net, net::NetFuture};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::DuplexStream,
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch,
    },
};

/// What a connection holds in each direction before its writer has to wait.
const BUFFER: usize = 64 * 1024;
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// The network. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryNet {
    hosts: Arc<Mutex<HashMap<String, Host>>>,
    clients: Arc<Mutex<Option<UnboundedSender<DuplexStream>>>>,
}

struct Host {
    accepts: UnboundedSender<DuplexStream>,
    /// Drops when the host is cut off. False while nothing passes.
    cable: watch::Sender<bool>,
}

impl MemoryNet {
    /// Adds a host; gives the connections that are opened to it.
    pub fn host(&self, name: &str) -> UnboundedReceiver<DuplexStream> {
        let (accepts, receiver) = mpsc::unbounded_channel();
        let host = Host { accepts, cable: watch::Sender::new(true) };
        self.hosts.lock().expect("no panic").insert(name.to_owned(), host);
        receiver
    }

    /// Cuts a host off: its connections break, and no new one is opened.
    pub fn cut(&self, name: &str) {
        self.hosts.lock().expect("no panic").remove(name);
    }

    /// Lets nothing pass to a host and from it until it is let again; connections stand, and are accepted.
    pub fn let_pass(&self, name: &str, passes: bool) {
        let hosts = self.hosts.lock().expect("no panic");
        hosts.get(name).expect("a host of that name").cable.send_replace(passes);
    }

    /// Connects a client to the node.
    pub fn dial(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let clients = self.clients.lock().expect("no panic");
        clients.as_ref().expect("the node listens").send(theirs).expect("the node listens");
        ours
    }
}

impl Net for MemoryNet {
    fn connect<'a>(&'a self, host: &'a str, _: u16) -> NetFuture<'a, Connection> {
        Box::pin(async move {
            let hosts = self.hosts.lock().expect("no panic");
            let host = hosts.get(host).ok_or(io::ErrorKind::ConnectionRefused)?;
            let (ours, mut near) = tokio::io::duplex(BUFFER);
            let (mut far, theirs) = tokio::io::duplex(BUFFER);
            let mut cable = host.cable.subscribe();
            tokio::spawn(async move {
                let mut copying = std::pin::pin!(tokio::io::copy_bidirectional(&mut near, &mut far));
                loop {
                    let passes = *cable.borrow_and_update();
                    tokio::select! {
                        biased;
                        cut = cable.changed() => match cut {
                            Ok(()) => {}
                            Err(_) => return,
                        },
                        _ = &mut copying, if passes => return,
                    }
                }
            });
            host.accepts.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Connection::new(ours))
        })
    }

    fn listen(&self, _: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let (clients, accepted) = mpsc::unbounded_channel();
            *self.clients.lock().expect("no panic") = Some(clients);
            Ok(Box::new(MemoryListener(accepted)) as Box<dyn Listener>)
        })
    }
}

struct MemoryListener(UnboundedReceiver<DuplexStream>);

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
