//! The accept loop over TLS.

use super::{
    super::{Identity, Presented, Tls},
    authority::{Authority, Process},
    handshakes::{CP, DP},
};
use crate::{Clock as _, Net, Peer, ServeOptions, SystemClock, SystemNet, serve_tls};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

const PATIENCE: Duration = Duration::from_secs(30);

/// Serves whoever is let in, and tells each who it is.
async fn start(process: &Process) -> (SocketAddr, DropGuard) {
    let listener = SystemNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let service = |_: Peer, presented: Arc<Presented>| {
        let who = presented.identity.to_string();
        service_fn(move |_: Request<Incoming>| {
            let body = Full::new(Bytes::from(who.clone()));
            async move { Ok::<_, Infallible>(Response::new(body)) }
        })
    };
    let options = ServeOptions { max_connections: 2_000, ..ServeOptions::default() };
    tokio::spawn(serve_tls(listener, Arc::clone(&process.tls), options, shutdown.clone(), service));
    (address, shutdown.drop_guard())
}

async fn ask(address: SocketAddr, tls: &Tls) -> Identity {
    let connection = SystemNet.connect(&address.ip().to_string(), address.port()).await.unwrap();
    let connection = tls.secure(connection, "127.0.0.1").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://x/").body(Full::new(Bytes::new())).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    std::str::from_utf8(&answer).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_request_comes_with_who_its_connection_is_of() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let (address, _running) = start(&server).await;
    assert_eq!(ask(address, &client.tls).await.name(), "n1");
}

#[tokio::test]
async fn silent_clients_keep_nobody_out_however_many_they_are() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let (address, _running) = start(&server).await;
    // More than may shake hands at once; each began to, or says nothing at all.
    let mut silent = Vec::new();
    for number in 0..1_200 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            // The head of a record whose rest never comes.
            connection.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        }
        silent.push(connection);
    }
    let began = SystemClock.now();
    assert_eq!(ask(address, &client.tls).await.name(), "n1");
    assert!(
        SystemClock.now() - began < super::super::HANDSHAKE,
        "it waited for the silent ones to be let go"
    );
    // The oldest had to go; the server closes it long before its time is up.
    let closed = tokio::time::timeout(PATIENCE, silent[0].read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
}

#[tokio::test]
async fn whoever_is_refused_leaves_the_others_alone() {
    let authority = Authority::new("ca");
    let (server, client) = (authority.process(CP), authority.process(DP));
    let (address, _running) = start(&server).await;
    for said in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"", b"\x16\x03\x01", &[0xff; 4096]] {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(said).await.unwrap();
        stranger.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stranger.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{said:?}");
        assert_eq!(ask(address, &client.tls).await.name(), "n1");
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let server = Authority::new("ca").process(CP);
    let listener = SystemNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let service = |_: Peer, _: Arc<Presented>| {
        service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        })
    };
    let options = ServeOptions { drain: PATIENCE, ..ServeOptions::default() };
    let running =
        tokio::spawn(serve_tls(listener, Arc::clone(&server.tls), options, shutdown.clone(), service));
    let mut silent = TcpStream::connect(address).await.unwrap();
    shutdown.cancel();
    assert_eq!(tokio::time::timeout(super::super::HANDSHAKE / 2, running).await.unwrap().unwrap(), 0);
    let _ = silent.read(&mut [0; 1]).await;
}
