//! Streams that are being opened: to several places side by side where one says nothing.

use super::{
    connect::{SessionError, Uplink},
    moving::Ways,
    subscribe::{Opened, open},
};
use cliproxy_proto::v1::Hello;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a place that says nothing is waited for before the next is tried as well.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Streams that are being opened. Dropping it gives them up.
pub(super) struct Trying {
    ways: Arc<Ways>,
    going: FuturesUnordered<Opening>,
    places: BTreeSet<String>,
    /// The next may begin then.
    free: Instant,
}

type Opening = Pin<Box<dyn Future<Output = Tried> + Send>>;

/// How a try ended.
pub(super) enum Tried {
    /// The node is welcome.
    Welcome(Box<Opened>),
    /// Nobody takes the node in there.
    InVain(String, SessionError),
    /// The connection that was kept warm leads nowhere, which says nothing of a new one to the same place.
    Cold(String, SessionError),
}

impl Trying {
    pub(super) fn new(ways: Arc<Ways>) -> Self {
        let free = Instant::from_std(ways.clock.now());
        Self { ways, going: FuturesUnordered::new(), places: BTreeSet::new(), free }
    }

    /// Gives the places that are being tried.
    pub(super) fn places(&self) -> &BTreeSet<String> {
        &self.places
    }

    /// Begins to open a stream over a connection that stands.
    pub(super) fn over(&mut self, warm: Uplink, hello: Hello) {
        let (place, patience) = (warm.endpoint.clone(), self.ways.pace.patience());
        self.push(place.clone(), async move {
            match open(warm, hello, patience).await {
                Ok(opened) => Tried::Welcome(Box::new(opened)),
                Err(error @ SessionError::Later { .. }) => Tried::InVain(place, error),
                Err(error) => Tried::Cold(place, error),
            }
        });
    }

    /// Begins to open a stream to a place.
    pub(super) fn begin(&mut self, place: String, hello: Hello) {
        let (ways, patience) = (Arc::clone(&self.ways), self.ways.pace.patience());
        self.push(place.clone(), async move {
            let opened = match ways.dialer.dial(&place).await {
                Ok(uplink) => open(uplink, hello, patience).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(opened) => Tried::Welcome(Box::new(opened)),
                Err(error) => Tried::InVain(place, error),
            }
        });
    }

    fn push(&mut self, place: String, opening: impl Future<Output = Tried> + Send + 'static) {
        self.places.insert(place);
        self.going.push(Box::pin(opening));
        self.free = Instant::from_std(self.ways.clock.now()) + NEXT_AFTER;
    }

    /// Waits until one of them has ended; for ever while there is none. Safe to cancel.
    pub(super) async fn tried(&mut self) -> Tried {
        let Some(tried) = self.going.next().await else { return std::future::pending().await };
        if let Tried::InVain(place, _) | Tried::Cold(place, _) = &tried {
            self.places.remove(place);
            self.free = Instant::from_std(self.ways.clock.now());
        }
        tried
    }

    /// Waits until `next` may begin: when it is due, and those before it had their time. Safe to cancel.
    pub(super) fn may_begin(
        &self,
        next: Option<(String, std::time::Instant)>,
    ) -> impl Future<Output = String> + use<> {
        let free = self.free;
        async move {
            let Some((place, due)) = next else { return std::future::pending().await };
            tokio::time::sleep_until(free.max(Instant::from_std(due))).await;
            place
        }
    }
}
