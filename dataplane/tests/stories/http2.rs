//! Many streams to one provider over HTTP/2, on real connections with TLS.

use crate::node::{in_turn, provider};
use bytes::Bytes;
use cliproxy_dataplane::upstream::{Place, Upstream, Upstreams};
use cliproxy_domain::ProviderKind;
use cliproxy_host::SystemNet;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{error::Elapsed, timeout},
};
use tokio_rustls::TlsAcceptor;

/// Streams that the provider allows on one connection: what most servers do.
const STREAMS: u32 = 100;

/// Far more than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A provider that speaks HTTP/2, and begins every answer at once but ends none before it is told to.
struct Provider {
    address: SocketAddr,
    trusted: Arc<ClientConfig>,
    carried: watch::Receiver<Carried>,
    release: watch::Sender<bool>,
}

/// How many requests are open on each connection that ever carried one.
type Carried = BTreeMap<usize, usize>;

impl Provider {
    async fn start() -> Self {
        let (server, trusted) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (carries, carried) = watch::channel(Carried::default());
        let (release, released) = watch::channel(false);
        tokio::spawn(accept(listener, server, Arc::new(carries), released));
        Self { address, trusted, carried, release }
    }

    /// Gives the way to this provider, as a node makes it.
    fn upstream(&self) -> Arc<Upstream> {
        let mut provider = provider("a", ProviderKind::OpenAi);
        provider.base_url = format!("https://{}", self.address);
        provider.timeouts.connect = PATIENCE;
        let upstreams = Upstreams::with_tls(Arc::new(SystemNet), Arc::clone(&self.trusted));
        let made = upstreams.of(&in_turn(vec![provider])).expect("the provider can be called");
        Arc::clone(&made["a"])
    }

    fn request(&self) -> Request<Full<Bytes>> {
        Request::post(format!("https://{}/v1/chat/completions", self.address))
            .body(Full::default())
            .expect("a request")
    }

    /// Waits until as many requests are open.
    async fn has_open(&self, requests: usize) -> Result<Carried, Elapsed> {
        let mut carried = self.carried.clone();
        let so_many = carried.wait_for(|carried| carried.values().sum::<usize>() == requests);
        Ok(timeout(PATIENCE, so_many).await?.expect("the provider runs").clone())
    }
}

/// Makes a certificate for loopback; gives the provider's side and that of a client that trusts it.
fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let certificate = issued.cert.der().clone();
    let key = issued.signing_key.serialize_der().try_into().expect("a key");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("the key fits");
    server.alpn_protocols = vec![b"h2".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

async fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    carries: Arc<watch::Sender<Carried>>,
    released: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    for connection in 0.. {
        let (tcp, _) = listener.accept().await.expect("a connection");
        let (acceptor, carries, released) = (acceptor.clone(), Arc::clone(&carries), released.clone());
        tokio::spawn(async move {
            // The client takes back connections that it turned out not to need.
            let Ok(stream) = acceptor.accept(tcp).await else { return };
            let answers = service_fn(move |_| {
                carries.send_modify(|carried| *carried.entry(connection).or_default() += 1);
                std::future::ready(Ok::<_, Infallible>(answer(connection, &carries, released.clone())))
            });
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .serve_connection(TokioIo::new(stream), answers)
                .await;
        });
    }
}

/// An answer whose head goes out at once, and which ends when the provider is `released`.
fn answer(
    connection: usize,
    carries: &Arc<watch::Sender<Carried>>,
    mut released: watch::Receiver<bool>,
) -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible> + use<>> {
    let carries = Arc::clone(carries);
    Response::new(StreamBody::new(futures_util::stream::once(async move {
        let _ = released.wait_for(|released| *released).await;
        carries.send_modify(|carried| *carried.entry(connection).or_default() -= 1);
        Ok(Frame::data(Bytes::from_static(b"over")))
    })))
}

/// Sends as many requests at once, and waits for the heads of their answers.
async fn send(provider: &Provider, upstream: &Upstream, requests: usize) -> Vec<(Response<Incoming>, Place)> {
    let mut sending = JoinSet::new();
    for _ in 0..requests {
        let (pool, request) = (Arc::clone(&upstream.pool), provider.request());
        sending.spawn(async move { pool.send(request).await.expect("an answer") });
    }
    timeout(PATIENCE, sending.join_all()).await.expect("all answers begin while all are open")
}

async fn read_to_end(answers: Vec<(Response<Incoming>, Place)>) {
    for (answer, _place) in answers {
        assert_eq!(answer.version(), Version::HTTP_2);
        let body = answer.into_body().collect().await.expect("the answer's end");
        assert_eq!(body.to_bytes(), "over");
    }
}

#[tokio::test]
async fn streams_beyond_one_connections_limit_do_not_wait_for_one_another() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    let answers = send(&provider, &upstream, 200).await;
    let carried = provider.has_open(200).await.expect("200 requests are open at once");
    let connections = carried.len();
    assert!((2..=8).contains(&connections), "{connections} connections carry 200 streams");
    assert!(carried.values().all(|open| *open <= STREAMS as usize), "{carried:?}");

    provider.release.send_replace(true);
    read_to_end(answers).await;
    read_to_end(send(&provider, &upstream, 1).await).await;
    let carried = provider.has_open(0).await.expect("all are over");
    assert_eq!(carried.len(), connections, "a later request needs no connection of its own");
}
