//! Open connections to one origin.
//!
//! hyper-util's client keeps one HTTP/2 connection per origin and queues behind the provider's stream limit, often
//! 100, so long streams would block one another. A pool therefore has several lanes, each a client of its own,
//! and fills one before it opens the next. Over HTTP/1.1, where a connection carries one request, one lane does.

use super::connector::{self, ConnectTimedOut, UpstreamConnector};
use bytes::Bytes;
use cliproxy_domain::{AttemptError, Failure, TimeoutPhase};
use cliproxy_host::Net;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    error::Error as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Lanes at most.
const LANES: usize = 16;
/// Requests on one lane before the next is opened: below the stream limits that providers set.
const LANE_REQUESTS: usize = 64;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(90);
/// How much is read of an HTTP/1.1 answer at once, and how long its head may be. hyper would go up to 400 KiB, for
/// each of thousands of connections.
const READ_BUFFER: usize = 64 * 1024;

/// Bytes that a provider may send ahead on one HTTP/2 stream, and on one connection: what a client that reads
/// slowly costs in memory.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Why no pool could be made.
#[derive(Debug, thiserror::Error)]
#[error("the TLS library could not be set up: {0}")]
pub struct PoolError(#[from] rustls::Error);

/// The connections to one origin.
pub struct Pool {
    lanes: [Lane; LANES],
    /// Set once the origin has answered over HTTP/1.1.
    one_lane: AtomicBool,
    net: Arc<dyn Net>,
    tls: Arc<rustls::ClientConfig>,
    connect: Duration,
}

#[derive(Default)]
struct Lane {
    client: OnceLock<Client<UpstreamConnector, Full<Bytes>>>,
    open: AtomicUsize,
}

/// A request's place on a lane, given back when it is dropped: hold it until the answer's body has ended.
pub struct Place {
    pool: Arc<Pool>,
    lane: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.lanes[self.lane].open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a request did not come back with a status.
#[derive(Debug)]
pub struct SendError(Error);

impl SendError {
    /// Says what happened in the words that retry and accounting know.
    pub fn describe(&self) -> AttemptError {
        let mut cause = self.0.source();
        while let Some(error) = cause {
            if error.is::<ConnectTimedOut>() {
                return AttemptError::new(Failure::Timeout(TimeoutPhase::Connect), error.to_string());
            }
            cause = error.source();
        }
        let what = if self.0.is_connect() { "no connection to the provider" } else { "the provider hung up" };
        AttemptError::new(Failure::ConnectFailed, what)
    }
}

impl Pool {
    pub(super) fn new(net: Arc<dyn Net>, tls: Arc<rustls::ClientConfig>, connect: Duration) -> Self {
        Self { lanes: Default::default(), one_lane: AtomicBool::new(false), net, tls, connect }
    }

    /// Sends a request and waits for the head of its answer. Cancel by dropping.
    ///
    /// # Errors
    /// When no connection could be opened, or it was closed before a head came.
    pub async fn send(
        self: &Arc<Self>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Place), SendError> {
        let place = self.place();
        let client = self.lanes[place.lane].client.get_or_init(|| self.client());
        let response = client.request(request).await.map_err(SendError)?;
        if response.version() < Version::HTTP_2 && !self.one_lane.load(Ordering::Relaxed) {
            self.one_lane.store(true, Ordering::Relaxed);
        }
        Ok((response, place))
    }

    fn client(&self) -> Client<UpstreamConnector, Full<Bytes>> {
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(READ_BUFFER)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(connector::connector(Arc::clone(&self.net), &self.tls, self.connect))
    }

    /// Takes the first lane that has room, else the one with the fewest requests.
    fn place(self: &Arc<Self>) -> Place {
        let lane = if self.one_lane.load(Ordering::Relaxed) {
            0
        } else {
            let open = |lane: &Lane| lane.open.load(Ordering::Relaxed);
            let with_room = self.lanes.iter().position(|lane| open(lane) < LANE_REQUESTS);
            with_room.unwrap_or_else(|| {
                let fewest = self.lanes.iter().enumerate().min_by_key(|(_, lane)| open(lane));
                fewest.map_or(0, |(index, _)| index)
            })
        };
        self.lanes[lane].open.fetch_add(1, Ordering::Relaxed);
        Place { pool: Arc::clone(self), lane }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::SystemNet;

    fn pool() -> Arc<Pool> {
        let tls = connector::tls_config().unwrap();
        Arc::new(Pool::new(Arc::new(SystemNet), tls, Duration::from_secs(5)))
    }

    #[test]
    fn a_lane_is_filled_before_the_next_is_opened() {
        let pool = pool();
        let places: Vec<_> = (0..LANE_REQUESTS + 1).map(|_| pool.place()).collect();
        assert_eq!(places.first().unwrap().lane, 0);
        assert_eq!(places.last().unwrap().lane, 1);
        drop(places);
        assert_eq!(pool.place().lane, 0);
    }

    #[test]
    fn requests_beyond_all_lanes_go_to_the_emptiest() {
        let pool = pool();
        let mut places: Vec<_> = (0..LANE_REQUESTS * LANES).map(|_| pool.place()).collect();
        places.retain(|place| place.lane != 7);
        let taken: Vec<_> = (0..LANE_REQUESTS).map(|_| pool.place()).collect();
        assert!(taken.iter().all(|place| place.lane == 7));
    }

    #[test]
    fn an_origin_that_speaks_http_1_needs_one_lane() {
        let pool = pool();
        pool.one_lane.store(true, Ordering::Relaxed);
        let places: Vec<_> = (0..LANE_REQUESTS * 2).map(|_| pool.place()).collect();
        assert!(places.iter().all(|place| place.lane == 0));
    }
}
