//! Calls upstreams until one has begun to answer.
//!
//! The commit point is the first semantic event of a stream, or a whole answer that is what it says it is. Until
//! then any failure may go to the next choice; afterwards the answer is the client's.

mod charge;
mod course;
mod half_open;
mod halt;
mod in_flight;
mod legs;
mod opened;
mod partial;
mod prepared;
mod race;
mod resume;
mod search;
mod source;
mod tail;
mod translated;
mod translation;
mod try_once;

pub use charge::ToldBudgets;
pub use half_open::ProbeResult;
pub use in_flight::{AttemptOutcome, Attempted, InFlight, Took, Witness};
pub use legs::Legs;
pub use race::HedgeResult;
pub use source::{Source, StreamSource, WholeSource};

use crate::{
    decode::Call,
    live::{LeaseWatch, LimitMetrics, Live},
    refusal::Refusal,
    route::Route,
};
use bytes::Bytes;
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{AttemptError, Cooldown, LedgerKey, NodeId, Target, WallTime};
use cliproxy_host::{Clock, Entropy};
use course::Course;
use http::{HeaderMap, StatusCode};
use std::{sync::Arc, time::Duration};

/// What attempts need of the node.
pub struct Attempter {
    /// Told of every attempt's end.
    pub witness: Arc<dyn Witness>,
    /// What the node knows: rests are noted here at once.
    pub live: Arc<Live>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of pauses.
    pub entropy: Entropy,
    /// The node's name: permits are granted to it.
    pub node: NodeId,
    /// Whether anybody grants parts of limits.
    pub leases: Arc<LeaseWatch>,
    /// What metrics show of limits.
    pub limits: Arc<LimitMetrics>,
    /// Which budgets the log has told of.
    pub told: ToldBudgets,
}

/// An answer that has begun.
pub struct Reply {
    /// The upstream's status: a success.
    pub status: StatusCode,
    /// The upstream's headers.
    pub headers: HeaderMap,
    /// The answer's bytes.
    pub source: Source,
    /// Who answers.
    pub target: Target,
    /// Upstream calls made for this request, this one included.
    pub attempts: u32,
    /// Whether it was in another dialect than the client's.
    pub translated: bool,
    /// What translation lost, as `x-cliproxy-warnings` tells it.
    pub warnings: Option<String>,
}

/// No choice could serve the request.
#[derive(Debug)]
pub struct Exhausted {
    /// The last failure.
    pub error: AttemptError,
    /// The last upstream's own answer, when it is an error in the client's dialect.
    pub answer: Option<UpstreamAnswer>,
    /// Who was asked last.
    pub target: Target,
    /// Upstream calls made.
    pub attempts: u32,
    /// Why no target could take the request, when none was called for that.
    pub refused: Option<Refused>,
    /// Why no target could be called, when all are out.
    pub unavailable: Option<Refusal>,
    /// When the first of the model's targets is back, when all of them rest by now.
    pub soonest: Option<Duration>,
}

/// An upstream's error answer, as it came.
#[derive(Debug)]
pub struct UpstreamAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

/// Why one attempt failed, with the upstream's answer when it gave one.
pub(crate) struct Failed {
    pub(crate) error: AttemptError,
    pub(crate) answer: Option<UpstreamAnswer>,
    /// The provider never heard of it.
    pub(crate) unreached: bool,
}

impl From<AttemptError> for Failed {
    fn from(error: AttemptError) -> Self {
        Self { error, answer: None, unreached: false }
    }
}

/// What may follow a failed attempt, as metrics name it; the reasons for giving up are [`Why`](cliproxy_engine::Why)'s.
pub const RETRY_WORDS: [&str; 2] = ["next_choice", "same_again"];

impl Attempter {
    /// Serves `call` by the first choice of `route` that begins to answer. Dropping the future cancels the upstream
    /// calls and counts them as cancelled. What is to be remembered of the attempts goes to `legs`.
    ///
    /// # Errors
    /// When nothing can be tried, no choice is left, the failure leaves none, or attempts, budget or time are used up.
    pub async fn serve(
        self: Arc<Self>,
        call: Arc<Call>,
        route: Route,
        legs: Legs,
    ) -> Result<Reply, Exhausted> {
        Course { attempter: self, call, route, legs }.run().await
    }

    /// Tells whether nobody grants parts of limits now.
    fn is_lease_away(&self) -> bool {
        self.leases.is_away(self.live.is_cut_off(), self.clock.now())
    }

    /// Asks for the permit to find out about a rest that is past its end, at most once a second.
    fn want_permit(&self, rest: &Cooldown, subject: LedgerKey, now: WallTime) {
        if self.live.wants_permit(&rest.key, now) {
            self.witness.permit_wanted(rest, subject);
        }
    }
}
