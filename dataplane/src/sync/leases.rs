//! Claims what the node may use of limits, and takes what it is granted.
//!
//! The node says what it has spent, and asks: each second when something changed, every few seconds where rates are
//! shared, and at once when a request waits. One claim is open at a time. What it says are sums that only grow, so that
//! nothing is missed when a claim is lost, and another control plane can take over at any time.

mod alone;
mod round;

use super::{Identity, connect::SessionError, pace::Backoff};
use crate::{
    live::{LeaseWatch, LimitMetrics, Live},
    purse::Left,
};
use cliproxy_domain::{BudgetClaim, BudgetId};
use cliproxy_host::{Clock, Entropy};
use cliproxy_proto::{
    convert::quota::{claims_to_wire, grants_from_wire},
    v1::{LeaseDown, LeaseUp, quota_client::QuotaClient},
};
use parking_lot::Mutex;
use round::{Claims, Due};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// How often the node says what changed.
const TICK: Duration = Duration::from_secs(1);
/// A claim that is not answered for so long is given up: the next says the same, and more.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many claims that were given up are remembered. An answer that is later than that is taken for a word without age.
const REMEMBERED: usize = 64;
/// What one answer may hold.
const MAX_ANSWER: usize = 8 << 20;

/// What the node's claims need.
pub struct LeaseParts {
    /// Has what is held.
    pub live: Arc<Live>,
    /// What earlier processes of the node left.
    pub left: Option<Left>,
    /// Whether anybody answers.
    pub watch: Arc<LeaseWatch>,
    /// Between how many nodes limits are divided where there is no control plane.
    pub nodes: u32,
    /// What metrics show.
    pub metrics: Arc<LimitMetrics>,
    /// The seams.
    pub clock: Arc<dyn Clock>,
    /// The seams.
    pub entropy: Entropy,
}

/// The node's claims. They outlive sessions.
pub struct Leases {
    parts: LeaseParts,
    /// The number of the last claim, over all streams.
    req: AtomicU64,
    /// What was said last and heard.
    said: Mutex<Vec<BudgetClaim>>,
    /// The node stops: all that is left goes back.
    closing: AtomicBool,
    /// The control plane has heard that no share of any rate is used any more.
    rates_closed: AtomicBool,
    /// Budgets that the control plane has heard the last of, as long as they leave or the node does.
    closed: Mutex<BTreeSet<BudgetId>>,
}

/// A claim that is not answered yet.
struct Open {
    claims: Claims,
    req: u64,
    /// What is granted is counted from here.
    sent_at: Instant,
    until: time::Instant,
}

/// Claims of one stream that were given up, and when they were sent: what is answered late is counted from there.
#[derive(Default)]
struct GivenUp(VecDeque<(u64, Instant)>);

impl GivenUp {
    fn add(&mut self, open: &Open) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((open.req, open.sent_at));
    }

    fn sent_at(&mut self, req: u64) -> Option<Instant> {
        // Answers come in the order of their claims.
        while let Some((oldest, sent_at)) = self.0.front().copied().filter(|(oldest, _)| *oldest <= req) {
            self.0.pop_front();
            if oldest == req {
                return Some(sent_at);
            }
        }
        None
    }
}

impl Leases {
    /// Starts with nothing said.
    pub fn new(parts: LeaseParts) -> Self {
        let (said, closed) = (Mutex::default(), Mutex::default());
        Self {
            parts,
            req: AtomicU64::new(0),
            said,
            closing: AtomicBool::new(false),
            rates_closed: AtomicBool::new(false),
            closed,
        }
    }

    /// Gives back all that is left from now on, as the node stops.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
        self.parts.live.lease_news().want();
    }

    /// Tells whether the control plane has heard the last of everything, once the node [stops](Leases::close).
    pub fn is_closed(&self) -> bool {
        let limits = self.parts.live.limits();
        let closed = self.closed.lock();
        let now = self.parts.clock.passed();
        let rates = self.rates_closed.load(Relaxed) || limits.rates().next().is_none();
        rates && limits.budgets().all(|purse| closed.contains(purse.id()) || purse.state(now).is_none())
    }

    /// Claims over `channel`, for as long as it is polled. A stream that fails costs the session nothing: it is opened
    /// again.
    pub(super) async fn keep(&self, channel: Channel, identity: &Identity) -> SessionError {
        let mut backoff = Backoff::default();
        loop {
            self.needed().await;
            let error = self.run(channel.clone(), identity).await;
            if error.is_of_the_connection() {
                return error;
            }
            tracing::info!(%error, "limits cannot be claimed of the control plane for now");
            let pause = match error {
                SessionError::Later { after, .. } => after,
                _ => backoff.next(&self.parts.entropy),
            };
            time::sleep(pause).await;
        }
    }

    /// Waits until there is anything to claim.
    async fn needed(&self) {
        while self.is_idle() {
            tokio::select! {
                biased;
                () = self.parts.live.lease_news().wanted() => {}
                () = time::sleep(TICK) => {}
            }
        }
    }

    fn is_idle(&self) -> bool {
        let limits = self.parts.live.limits();
        let left = self.parts.left.as_ref().is_none_or(Left::is_empty);
        left && limits.budgets().chain(limits.leaving()).next().is_none() && limits.rates().next().is_none()
    }

    async fn run(&self, channel: Channel, identity: &Identity) -> SessionError {
        let (up, stream) = mpsc::channel(1);
        let mut client = QuotaClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        let mut due = Due::at_once();
        // This control plane may never have heard of this process.
        self.said.lock().clear();
        let mut open = self.claim(identity, &mut due);
        if let Some((_, message)) = &open
            && up.send(message.clone()).await.is_err()
        {
            return SessionError::Closed;
        }
        let mut open = open.take().map(|(open, _)| open);
        let mut down = match client.lease(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        let mut given_up = GivenUp::default();
        loop {
            let patience = open.as_ref().map(|open| open.until);
            tokio::select! {
                biased;
                message = down.message() => match message {
                    Ok(Some(message)) => self.heard(&mut open, &message, &mut given_up, &mut due),
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return status.into(),
                },
                () = at(patience) => {
                    self.parts.metrics.unanswered();
                    open.take().iter().for_each(|open| given_up.add(open));
                }
                () = due.wait(self), if patience.is_none() => {
                    let Some((next, message)) = self.claim(identity, &mut due) else { continue };
                    open = Some(next);
                    if up.send(message).await.is_err() {
                        return SessionError::Closed;
                    }
                }
            }
        }
    }

    /// Makes the next claim; none when there is nothing new to say.
    fn claim(&self, identity: &Identity, due: &mut Due) -> Option<(Open, LeaseUp)> {
        let req = self.req.load(Relaxed) + 1;
        let sent_at = self.parts.clock.passed();
        let claims = self.next(due, req, sent_at)?;
        self.req.store(req, Relaxed);
        let message = claims_to_wire(&claims.of_node(identity, req));
        let now = self.parts.clock.now();
        self.parts.watch.asked(now);
        let until = time::Instant::from_std(now) + PATIENCE;
        Some((Open { claims, req, sent_at, until }, message))
    }

    /// Takes in what the control plane says.
    fn heard(&self, open: &mut Option<Open>, message: &LeaseDown, given_up: &mut GivenUp, due: &mut Due) {
        let odd =
            |error| tracing::warn!(%error, "a grant of the control plane means nothing, and is passed over");
        let grants = grants_from_wire(message, odd);
        let answered = open.take_if(|open| open.req == message.req);
        let unasked = answered.is_none();
        match answered {
            Some(answered) => {
                self.parts.watch.answered();
                let took = self.parts.clock.passed().saturating_duration_since(answered.sent_at);
                self.parts.metrics.answered(took);
                self.answered(&answered, &grants);
            }
            None => self.told(&grants, given_up.sent_at(message.req)),
        }
        self.parts.live.lease_news().granted();
        due.look_again(self, unasked);
    }
}

/// Waits until then; for ever where there is no such time.
async fn at(time: Option<time::Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
