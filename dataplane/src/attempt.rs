//! Calls upstreams until one has begun to answer.
//!
//! The commit point is the first semantic event of a stream, or a whole answer that is what it says it is. Until
//! then any failure may go to the next choice; afterwards the answer is the client's.

mod in_flight;
mod partial;
mod source;
mod tail;
mod try_once;

pub use in_flight::{AttemptOutcome, Attempted, InFlight, Witness};
pub use source::{Source, StreamSource, WholeSource};

use crate::{decode::Call, live::Live, route::Route};
use bytes::Bytes;
use cliproxy_domain::{AttemptError, Failure, Target, TimeoutPhase};
use cliproxy_engine::{Choice, Standing, Verdict, after_failure};
use cliproxy_host::{Clock, Entropy};
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
        let policy = &route.known.snapshot.policy;
        let total = policy.timeouts.total;
        let choices = &route.order.choices;
        // A route has at least one choice: `route` refuses otherwise.
        let Some(mut choice) = choices.first() else { return Err(nothing_to_try(&call)) };
        let (mut tried, mut attempts) = (1, 0);
        loop {
            attempts += 1;
            let failed = match self.one(&call, &route, choice, attempts).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            // A credential may have been sent away since the route was decided, by this very attempt.
            let next = (tried..choices.len()).find(|next| !self.rests(&choices[*next]));
            let standing = Standing {
                attempts,
                max_attempts: policy.retries.max_attempts,
                choices_left: next.is_some(),
                time_left: self.time_left(&call, total),
                draw: self.entropy.fraction(),
            };
            match after_failure(failed.error.failure, standing) {
                Verdict::NextChoice => {
                    if let Some(next) = next {
                        choice = &choices[next];
                        tried = next + 1;
                    }
                }
                Verdict::SameAfter(pause) => tokio::time::sleep(pause).await,
                Verdict::GiveUp => {
                    let Failed { error, answer } = failed;
                    return Err(Exhausted { error, answer, target: choice.target.clone(), attempts });
                }
            }
        }
    }

    async fn one(
        &self,
        call: &Arc<Call>,
        route: &Route,
        choice: &Choice,
        attempts: u32,
    ) -> Result<Reply, Failed> {
        let now = self.clock.now();
        let seen_epoch =
            self.live.resting(&choice.target.provider, &choice.credential).map_or(0, |rest| rest.epoch);
        let attempted = Attempted {
            request: call.id.clone(),
            choice: choice.clone(),
            retry: attempts > 1,
            started: now,
            seen_epoch,
        };
        let in_flight = InFlight::begin(attempted, Arc::clone(&self.witness), Arc::clone(&self.clock));
        let upstream = route.known.upstream(&choice.target.provider).ok_or_else(|| {
            AttemptError::new(Failure::ConnectFailed, "the provider is not part of the configuration")
        });
        let (time, tried) = match upstream {
            Err(error) => (Duration::ZERO, Err(error.into())),
            Ok(upstream) => {
                let own = upstream.provider.timeouts.total;
                let time = self.time_for(call, own, route.known.snapshot.policy.timeouts.total);
                let attempt = try_once::try_once(call, upstream, choice, &self.clock);
                let tried = match tokio::time::timeout(time, attempt).await {
                    Ok(tried) => tried,
                    Err(_) => {
                        let message = "the answer took longer than timeouts.total allows";
                        Err(AttemptError::new(Failure::Timeout(TimeoutPhase::Total), message).into())
                    }
                };
                (time, tried)
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
            }),
            Err(failed) => {
                in_flight.failed(&failed.error, Default::default());
                Err(failed)
            }
        }
    }

    fn rests(&self, choice: &Choice) -> bool {
        let until = self.live.rests_until(&choice.target, &choice.credential);
        until.is_some_and(|until| until > self.clock.wall())
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

fn nothing_to_try(call: &Call) -> Exhausted {
    Exhausted {
        error: AttemptError::new(Failure::ConnectFailed, "no provider is left to try"),
        answer: None,
        target: Target { provider: "none".into(), model: call.model.clone() },
        attempts: 0,
    }
}
