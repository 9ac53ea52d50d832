//! What a connection is doing, so that one that does nothing can be let go.

use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::Service};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    /// The number of the newest head of which a byte came.
    head: AtomicU64,
    http2: AtomicBool,
}

impl Default for Activity {
    fn default() -> Self {
        // The first head is due from the connection's start on, whether or not a byte of it came.
        Self {
            begun: AtomicU64::default(),
            ended: AtomicU64::default(),
            head: AtomicU64::new(1),
            http2: AtomicBool::default(),
        }
    }
}

impl Activity {
    /// Counts the requests whose heads were read.
    fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Tells whether no request is open: none is being answered.
    pub(super) fn is_idle(&self) -> bool {
        // Read in this order: a request that ends in between makes the connection look busy, not idle.
        let begun = self.begun.load(Relaxed);
        self.ended.load(Relaxed) >= begun
    }

    /// Tells whether the requests come over HTTP/2, as is known from the first one on.
    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Notes that bytes came. Where no request is open they are of the next one's head.
    pub(super) fn came(&self) {
        if self.is_idle() {
            self.head.store(self.begun() + 1, Relaxed);
        }
    }
}

/// What was seen of a connection when it was looked at last.
#[derive(Debug)]
pub(super) struct Look {
    begun: u64,
    was_idle: bool,
    /// The number of the newest head that is waited for.
    head: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self { begun: 0, was_idle: true, head: 1 }
    }
}

impl Look {
    /// Tells whether a head has begun that is not here yet and was not waited for so far. On HTTP/2 what comes while no
    /// request is open may be anything.
    pub(super) fn finds_new_head(&self, activity: &Activity) -> bool {
        let head = activity.head.load(Relaxed);
        head > self.head && head > activity.begun() && activity.is_idle() && !activity.is_http2()
    }

    /// Looks again, for what is to be found later.
    pub(super) fn again(&self, activity: &Activity) -> Self {
        Self { begun: activity.begun(), was_idle: activity.is_idle(), head: activity.head.load(Relaxed) }
    }

    /// Tells whether the connection was idle all the time since the last look, and looks again.
    pub(super) fn found_idle_since(&mut self, activity: &Activity) -> bool {
        let now = self.again(activity);
        let idle = self.was_idle && now.was_idle && self.begun == now.begun;
        *self = now;
        idle
    }
}

/// A request that is open until this is dropped.
struct OpenRequest(Arc<Activity>);

impl OpenRequest {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// A service whose requests are counted.
pub(super) struct Counted<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity }
    }
}

impl<S, B> Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.version() == Version::HTTP_2 {
            self.activity.http2.store(true, Relaxed);
        }
        let open = OpenRequest::begin(&self.activity);
        CountedFuture { inner: Box::pin(self.inner.call(request)), open: Some(open) }
    }
}

/// The answer on its way. The boxed future is pinned by its box.
pub(super) struct CountedFuture<F> {
    inner: Pin<Box<F>>,
    open: Option<OpenRequest>,
}

impl<F, B, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<CountedBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.inner.as_mut().poll(cx));
        let open = self.open.take();
        Poll::Ready(answer.map(|response| response.map(|inner| CountedBody { inner, _open: open })))
    }
}

/// A body whose request is open as long as it is there.
pub(super) struct CountedBody<B> {
    inner: B,
    _open: Option<OpenRequest>,
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
