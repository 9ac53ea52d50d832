//! Open connections to one origin.
//!
//! hyper-util's client keeps one HTTP/2 connection per origin and queues behind the provider's stream limit, often
//! 100, so long streams would block one another. A pool therefore has several lanes, each a client of its own,
//! and fills one before it opens the next. Over HTTP/1.1, where a connection carries one request, one lane does.
//!
//! A pool can be renewed: then it forgets all its connections at once, which is the first thing to try with a
//! provider that does not answer.

use super::connector::{self, ConnectTimedOut, UpstreamConnector};
use arc_swap::ArcSwap;
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
    /// What requests that begin now use.
    lanes: ArcSwap<Lanes>,
    net: Arc<dyn Net>,
    tls: Arc<rustls::ClientConfig>,
    connect: Duration,
}

/// The lanes between two renewals.
#[derive(Default)]
struct Lanes {
    clients: [OnceLock<Client<UpstreamConnector, Full<Bytes>>>; LANES],
    taken: Arc<Taken>,
}

/// What is taken of the lanes. Apart from the clients, so that a long stream of before a renewal does not keep their
/// idle connections open.
#[derive(Default)]
struct Taken {
    open: [AtomicUsize; LANES],
    /// Set once the origin has answered over HTTP/1.1.
    one_lane: AtomicBool,
}

/// A request's place on a lane, given back when it is dropped: hold it until the answer's body has ended.
pub struct Place {
    taken: Arc<Taken>,
    lane: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.open[self.lane].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a request did not come back with a status.
#[derive(Debug)]
pub struct SendError(Error);

impl SendError {
    /// Says what happened in the words that retry and accounting know.
    pub fn describe(&self) -> AttemptError {
        let failure = match self.timed_out() {
            Some(_) => Failure::Timeout(TimeoutPhase::Connect),
            None => Failure::ConnectFailed,
        };
        AttemptError::new(failure, self.between("the provider"))
    }

    /// Tells whether no connection came about, so that nothing of the request was sent.
    pub fn is_before_sending(&self) -> bool {
        self.0.is_connect() || self.timed_out().is_some()
    }

    /// Says what happened on the way to `whom`.
    pub fn between(&self, whom: &str) -> String {
        match self.timed_out() {
            Some(error) => error.to_string(),
            None if self.0.is_connect() => format!("no connection to {whom}"),
            None => format!("{whom} hung up"),
        }
    }

    fn timed_out(&self) -> Option<&ConnectTimedOut> {
        let mut cause = self.0.source();
        while let Some(error) = cause {
            if let Some(timed_out) = error.downcast_ref() {
                return Some(timed_out);
            }
            cause = error.source();
        }
        None
    }
}

impl Pool {
    pub(super) fn new(net: Arc<dyn Net>, tls: Arc<rustls::ClientConfig>, connect: Duration) -> Self {
        Self { lanes: ArcSwap::default(), net, tls, connect }
    }

    /// Forgets all connections: idle ones close, those in use end with their answers, and requests from now on open new
    /// ones, for which the origin's name is looked up anew.
    pub fn renew(&self) {
        self.lanes.store(Arc::default());
    }

    /// Sends a request and waits for the head of its answer. Cancel by dropping.
    ///
    /// # Errors
    /// When no connection could be opened, or it was closed before a head came.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Place), SendError> {
        let (place, answer) = {
            let lanes = self.lanes.load();
            let place = lanes.taken.place();
            let client = lanes.clients[place.lane].get_or_init(|| self.client());
            (place, client.request(request))
        };
        let response = answer.await.map_err(SendError)?;
        if response.version() < Version::HTTP_2 && !place.taken.one_lane.load(Ordering::Relaxed) {
            place.taken.one_lane.store(true, Ordering::Relaxed);
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
}

impl Taken {
    /// Takes the first lane that has room, else the one with the fewest requests.
    fn place(self: &Arc<Self>) -> Place {
        let lane = if self.one_lane.load(Ordering::Relaxed) {
            0
        } else {
            let open = |lane: &AtomicUsize| lane.load(Ordering::Relaxed);
            let with_room = self.open.iter().position(|lane| open(lane) < LANE_REQUESTS);
            with_room.unwrap_or_else(|| {
                let fewest = self.open.iter().enumerate().min_by_key(|(_, lane)| open(lane));
                fewest.map_or(0, |(index, _)| index)
            })
        };
        self.open[lane].fetch_add(1, Ordering::Relaxed);
        Place { taken: Arc::clone(self), lane }
    }
}

#[cfg(test)]
mod tests;
