use super::*;
use cliproxy_host::{Connection, Listener, net::NetFuture};
use http_body_util::{BodyExt as _, Empty, StreamBody, combinators::BoxBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, io, net::SocketAddr};
use tokio::sync::watch;

/// Far more than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An origin that keeps its connections open. `/slow` is answered at once and ends when it is released.
#[derive(Clone)]
struct Origin {
    /// Connections that were opened, and those of them that ended.
    seen: watch::Sender<(usize, usize)>,
    release: watch::Sender<bool>,
}

impl Origin {
    fn new() -> Self {
        Self { seen: watch::Sender::default(), release: watch::Sender::default() }
    }

    async fn has(&self, opened: usize, ended: usize) {
        let mut seen = self.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| *seen == (opened, ended))).await;
        assert!(waited.is_ok(), "{:?} connections were opened and ended", *self.seen.borrow());
    }
}

impl Net for Origin {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> NetFuture<'a, Connection> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let (seen, release) = (self.seen.clone(), self.release.subscribe());
            seen.send_modify(|(opened, _)| *opened += 1);
            tokio::spawn(async move {
                let answers = service_fn(move |request: Request<Incoming>| {
                    let slow = request.uri().path() == "/slow";
                    std::future::ready(Ok::<_, Infallible>(Response::new(body(slow, release.clone()))))
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(theirs), answers).await;
                seen.send_modify(|(_, ended)| *ended += 1);
            });
            Ok(Connection::new(ours))
        })
    }

    fn listen(&self, _: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

fn body(slow: bool, mut release: watch::Receiver<bool>) -> BoxBody<Bytes, Infallible> {
    if !slow {
        return Empty::new().boxed();
    }
    let ending = async move {
        let _ = release.wait_for(|released| *released).await;
        Ok(Frame::data(Bytes::from_static(b"over")))
    };
    StreamBody::new(futures_util::stream::once(ending)).boxed()
}

fn pool(origin: &Origin) -> Arc<Pool> {
    Arc::new(Pool::new(Arc::new(origin.clone()), connector::tls_config().unwrap(), Duration::from_secs(5)))
}

async fn open(pool: &Arc<Pool>, path: &str) -> (Response<Incoming>, Place) {
    let request = Request::get(format!("http://origin{path}")).body(Full::default()).unwrap();
    tokio::time::timeout(PATIENCE, pool.send(request)).await.unwrap().unwrap()
}

async fn read((response, _place): (Response<Incoming>, Place)) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[test]
fn a_lane_is_filled_before_the_next_is_opened() {
    let taken = Arc::<Taken>::default();
    let places: Vec<_> = (0..LANE_REQUESTS + 1).map(|_| taken.place()).collect();
    assert_eq!(places.first().unwrap().lane, 0);
    assert_eq!(places.last().unwrap().lane, 1);
    drop(places);
    assert_eq!(taken.place().lane, 0);
}

#[test]
fn requests_beyond_all_lanes_go_to_the_emptiest() {
    let taken = Arc::<Taken>::default();
    let mut places: Vec<_> = (0..LANE_REQUESTS * LANES).map(|_| taken.place()).collect();
    places.retain(|place| place.lane != 7);
    let seventh: Vec<_> = (0..LANE_REQUESTS).map(|_| taken.place()).collect();
    assert!(seventh.iter().all(|place| place.lane == 7));
}

#[test]
fn an_origin_that_speaks_http_1_needs_one_lane() {
    let taken = Arc::<Taken>::default();
    taken.one_lane.store(true, Ordering::Relaxed);
    let places: Vec<_> = (0..LANE_REQUESTS * 2).map(|_| taken.place()).collect();
    assert!(places.iter().all(|place| place.lane == 0));
}

#[tokio::test]
async fn a_renewed_pool_closes_its_idle_connections_and_opens_new_ones() {
    let origin = Origin::new();
    let pool = pool(&origin);
    read(open(&pool, "/").await).await;
    read(open(&pool, "/").await).await;
    origin.has(1, 0).await;

    pool.renew();
    origin.has(1, 1).await;
    read(open(&pool, "/").await).await;
    read(open(&pool, "/").await).await;
    origin.has(2, 1).await;
}

#[tokio::test]
async fn an_answer_that_was_open_at_the_renewal_ends_well_and_its_connection_takes_no_other_request() {
    let origin = Origin::new();
    let pool = pool(&origin);
    read(open(&pool, "/").await).await;
    let slow = open(&pool, "/slow").await;
    // Another one beside it, which then is idle.
    read(open(&pool, "/").await).await;
    origin.has(2, 0).await;

    pool.renew();
    // The idle one goes at once, however long the other lasts.
    origin.has(2, 1).await;
    origin.release.send_replace(true);
    assert_eq!(read(slow).await, "over");
    origin.has(2, 2).await;
    read(open(&pool, "/").await).await;
    origin.has(3, 2).await;
}
