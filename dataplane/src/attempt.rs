//! Calls upstreams until one has begun to answer.
//!
//! The commit point is the first semantic event of a stream, or a whole answer that is what it says it is. Until
//! then any failure may go to the next choice; afterwards the answer is the client's.

mod in_flight;
mod opened;
mod partial;
mod prepared;
mod resume;
mod search;
mod source;
mod tail;
mod translated;
mod translation;
mod try_once;

pub use in_flight::{AttemptOutcome, Attempted, InFlight, Took, Witness};
pub use source::{Source, StreamSource, WholeSource};

use crate::{decode::Call, live::Live, route::Route};
use bytes::Bytes;
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{AttemptError, Failure, Target, TimeoutPhase};
use cliproxy_engine::{Standing, Verdict, after_failure};
use cliproxy_host::{Clock, Entropy};
use http::{HeaderMap, StatusCode};
use prepared::Prepared;
use search::{Search, place};
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
}

impl From<AttemptError> for Failed {
    fn from(error: AttemptError) -> Self {
        Self { error, answer: None }
    }
}

impl Attempter {
    /// Serves `call` by the first choice of `route` that begins to answer. Dropping the future cancels the upstream
    /// call and counts it as cancelled.
    ///
    /// # Errors
    /// When no choice is left, the failure leaves none, or the attempts or the time are used up.
    pub async fn serve(self: Arc<Self>, call: Arc<Call>, route: Route) -> Result<Reply, Exhausted> {
        let policy = &route.ground.known.snapshot.policy;
        let total = policy.timeouts.total;
        let mut search = Search::default();
        let Some(mut prepared) = search.next(&self, &call, &route) else {
            return Err(nothing_to_try(&call, search.refused));
        };
        let mut attempts = 0;
        let mut told: Option<Told> = None;
        loop {
            attempts += 1;
            let failed = match self.one(&call, &route, &prepared, attempts).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            let next = search.next(&self, &call, &route);
            let standing = Standing {
                attempts,
                max_attempts: policy.retries.max_attempts,
                choices_left: next.is_some(),
                time_left: self.time_left(&call, total),
                draw: self.entropy.fraction(),
                written: prepared.is_written(),
            };
            let verdict = after_failure(failed.error.failure, standing);
            let said =
                Told { failed, target: prepared.choice.target.clone(), written: prepared.is_written() };
            let said = said.or_earlier(told.take());
            match (verdict, next) {
                (Verdict::NextChoice, Some(next)) => prepared = next,
                (Verdict::SameAfter(pause), _) => tokio::time::sleep(pause).await,
                (Verdict::NextChoice, None) | (Verdict::GiveUp(_), _) => return Err(said.exhausted(attempts)),
            }
            told = Some(said);
        }
    }

    async fn one(
        &self,
        call: &Arc<Call>,
        route: &Route,
        prepared: &Prepared,
        attempts: u32,
    ) -> Result<Reply, Failed> {
        let (now, choice, ground) = (self.clock.now(), &prepared.choice, &route.ground);
        let outlook = ground.known.outlook();
        let place = place(route, &outlook, prepared.pick);
        let open = ground.known.open_call(prepared.slot, prepared.pick.credential);
        let attempted = Attempted {
            request: call.id.clone(),
            choice: choice.clone(),
            client: call.dialect,
            upstream: prepared.dialect(call),
            translated: prepared.is_written(),
            lost: prepared.lost(),
            retry: attempts > 1,
            started: now,
            seen_epoch: place
                .map_or(0, |(provider, credential)| provider.epoch(credential, choice.target.model.as_str())),
            streaming: ground.streaming,
        };
        let in_flight = InFlight::begin(attempted, open, Arc::clone(&self.witness), Arc::clone(&self.clock));
        let own = prepared.upstream.provider.timeouts.total;
        let time = self.time_for(call, own, route.ground.known.snapshot.policy.timeouts.total);
        let attempt = try_once::try_once(call, prepared, &self.clock);
        let tried = match tokio::time::timeout(time, attempt).await {
            Ok(tried) => tried,
            Err(_) => {
                let message = "the answer took longer than timeouts.total allows";
                Err(AttemptError::new(Failure::Timeout(TimeoutPhase::Total), message).into())
            }
        };
        let time_left = time.saturating_sub(self.clock.now().saturating_duration_since(now));
        match tried {
            Ok(answered) => Ok(Reply {
                status: answered.status,
                headers: answered.headers,
                source: answered.source.started(in_flight, call, time_left),
                target: choice.target.clone(),
                attempts,
                translated: prepared.dialect(call) != call.dialect,
                warnings: answered.warnings,
            }),
            Err(failed) => {
                in_flight.failed(&failed.error, Default::default());
                Err(failed)
            }
        }
    }

    /// Gives the time that a provider with a total of its `own` has for a call. It is part of the `request`'s time,
    /// unless it is longer: then it is counted from the request's start.
    fn time_for(&self, call: &Call, own: Duration, request: Duration) -> Duration {
        own.min(self.time_left(call, own.max(request)))
    }

    fn time_left(&self, call: &Call, total: Duration) -> Duration {
        total.saturating_sub(self.clock.now().saturating_duration_since(call.started))
    }
}

/// What the client is told when nothing more is tried.
struct Told {
    failed: Failed,
    target: Target,
    /// It was a body of ours that failed.
    written: bool,
}

impl Told {
    /// Keeps what was said `before` when a provider of the client's own API said it and this is of another: that one
    /// read the client's own words.
    fn or_earlier(self, before: Option<Told>) -> Told {
        match before {
            Some(before) if self.written && !before.written => before,
            _ => self,
        }
    }

    fn exhausted(self, attempts: u32) -> Exhausted {
        let Failed { error, answer } = self.failed;
        Exhausted { error, answer, target: self.target, attempts, refused: None }
    }
}

fn nothing_to_try(call: &Call, refused: Option<Refused>) -> Exhausted {
    let error = match &refused {
        Some(refused) => AttemptError::new(Failure::InvalidRequest, refused.message.clone()),
        None => AttemptError::new(Failure::ConnectFailed, "no provider is left to try"),
    };
    Exhausted {
        error,
        answer: None,
        target: Target { provider: "none".into(), model: call.model.clone() },
        attempts: 0,
        refused,
    }
}
