//! Nodes whose process stands still for a while.

use super::{harness::*, node::TestNode};
use crate::Settings;
use cliproxy_host::{Clock as _, Connection, Listener, Net, SystemNet, net::NetFuture};
use parking_lot::Mutex;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The way of all nodes, over which nothing comes while they stand still.
#[derive(Clone, Default)]
struct Way(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    still: bool,
    waiting: Vec<Waker>,
}

impl Way {
    fn stands_still(&self, still: bool) {
        let mut state = self.0.lock();
        state.still = still;
        if !still {
            state.waiting.drain(..).for_each(Waker::wake);
        }
    }
}

impl Net for Way {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> NetFuture<'a, Connection> {
        SystemNet.connect(host, port)
    }

    fn listen(&self, address: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let listener = SystemNet.listen(address).await?;
            Ok(Box::new(Slow { listener, way: self.clone() }) as Box<dyn Listener>)
        })
    }

    fn resolve<'a>(&'a self, host: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        SystemNet.resolve(host)
    }
}

struct Slow {
    listener: Box<dyn Listener>,
    way: Way,
}

impl Listener for Slow {
    fn accept(&mut self) -> NetFuture<'_, (Connection, SocketAddr)> {
        Box::pin(async move {
            let (connection, peer) = self.listener.accept().await?;
            Ok((Connection::new(Stream { connection, way: self.way.clone() }), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What comes from a node.
struct Stream {
    connection: Connection,
    way: Way,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        {
            let mut state = self.way.0.lock();
            if state.still {
                state.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
        }
        Pin::new(&mut self.connection).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_node_that_stands_still_for_as_long_as_a_patient_one_may_stays_connected_and_for_longer_not() {
    let any = "127.0.0.1:0".parse().unwrap();
    let way = Way::default();
    let plane = Plane::start_with(Settings::new(any, any, "cp-1"), memory(), Arc::new(way.clone())).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let mut node = TestNode::connect(&plane, "node-1").await;
    // A patient node gives a control plane two seconds, and sends something each half.
    way.stands_still(true);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    way.stands_still(false);
    node.tells(event("event-1", "main", Duration::from_secs(60))).await;
    node.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    assert_eq!(plane.metric("cliproxy_controlplane_connected_nodes"), 1.0);

    let stopped = plane.clock.now();
    way.stands_still(true);
    eventually(async || plane.metric("cliproxy_controlplane_connected_nodes") == 0.0).await;
    // Sooner than by its heartbeats, for which it has five seconds.
    let took = plane.clock.now() - stopped;
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    way.stands_still(false);
    drop(node);
    plane.stop().await;
}
