//! The course of one request: one attempt after another, and one beside another where the first does not begin.

use super::{
    Attempted, Attempter, Exhausted, Failed, InFlight, Legs, Reply,
    charge::Charge,
    half_open::HalfOpen,
    legs::Then,
    prepared::Prepared,
    search::{Found, Nothing, Search},
    try_once,
};
use crate::{
    decode::Call,
    route::{Route, route},
};
use cliproxy_domain::{AttemptError, ErrorClass, Exclusion, Failure, LedgerKey, Target, TimeoutPhase};
use cliproxy_engine::{Standing, Verdict, Why, after_failure, cooldown::Stage, select::VERDICT};
use std::{sync::Arc, time::Duration};

/// A request on its way through its choices.
pub(super) struct Course {
    pub(super) attempter: Arc<Attempter>,
    pub(super) call: Arc<Call>,
    pub(super) route: Route,
    pub(super) legs: Legs,
}

/// How far a request has come.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) attempts: u32,
    pub(super) search: Search,
    told: Option<Told>,
}

/// An attempt that failed, and what it called.
pub(super) struct Fell {
    pub(super) found: Found,
    pub(super) number: u32,
    pub(super) failed: Failed,
}

impl Course {
    /// Serves the request by the first choice that begins to answer.
    pub(super) async fn run(mut self) -> Result<Reply, Exhausted> {
        self.route.decided.known.budgets().earn();
        self.look_around();
        let mut progress = Progress::default();
        let mut found = match progress.search.next(&self.attempter, &self.call, &self.route, true).await {
            Some(found) => found,
            None => match self.await_verdict(&mut progress).await {
                Some(found) => found,
                None => return Err(self.nothing_to_try(progress)),
            },
        };
        loop {
            let fell = match self.race(found, &mut progress).await {
                Ok(reply) => return Ok(Reply { attempts: progress.attempts, ..reply }),
                Err(fell) => fell,
            };
            let next = progress.search.next(&self.attempter, &self.call, &self.route, true).await;
            let verdict = self.verdict(&fell, &progress, next.is_some());
            self.attempter.witness.retried(word(verdict));
            self.legs.then(fell.number, then(verdict));
            let Fell { found: tried, number, failed } = fell;
            let said = Told::of(failed, &tried.prepared).or_earlier(progress.told.take());
            found = match (verdict, next) {
                (Verdict::NextChoice, Some(next)) => next,
                (Verdict::SameAfter(pause), next) => {
                    // What was reserved for it is for others meanwhile.
                    drop(next);
                    tokio::time::sleep(pause).await;
                    // It may rest for longer by now, or another request is finding out about it.
                    match progress.search.again(&self.attempter, &self.call, &self.route, tried).await {
                        Some(again) => again,
                        None => {
                            self.legs.then(number, Then::RestsLonger);
                            return Err(said.exhausted(progress.attempts, self.soonest()));
                        }
                    }
                }
                _ => return Err(said.exhausted(progress.attempts, self.soonest())),
            };
            progress.told = Some(said);
        }
    }

    /// Makes one attempt, up to its commit point.
    pub(super) async fn one(&self, found: Found, number: u32) -> Result<Reply, Fell> {
        let Found { prepared, half_open, charge } = found;
        let (now, attempter, decided) = (self.attempter.clock.now(), &self.attempter, &self.route.decided);
        let open = decided.known.open_call(prepared.slot, prepared.pick.credential);
        let attempted = self.attempted(&prepared, half_open.as_ref(), number, now);
        let (witness, clock) = (Arc::clone(&attempter.witness), Arc::clone(&attempter.clock));
        let mut in_flight = InFlight::begin(attempted, open, self.legs.clone(), witness, clock, charge);
        let limit = self.limit(&prepared);
        let attempt = try_once::try_once(&self.call, &prepared, &in_flight, &attempter.clock);
        let tried = match tokio::time::timeout(limit.left, attempt).await {
            Ok(tried) => tried,
            Err(_) => Err(limit.error().into()),
        };
        let limit = limit.after(attempter.clock.now().saturating_duration_since(now));
        match tried {
            Ok(answered) => {
                if let Some(half_open) = half_open {
                    half_open.answered(&attempter.node, attempter.clock.wall());
                    in_flight.found_out();
                }
                Ok(Reply {
                    status: answered.status,
                    headers: answered.headers,
                    source: answered.source.started(in_flight, &self.call, limit),
                    target: prepared.choice.target.clone(),
                    attempts: number,
                    translated: prepared.dialect(&self.call) != self.call.dialect,
                    warnings: answered.warnings,
                })
            }
            Err(failed) => {
                let goes_on = in_flight.failed_early(&failed.error, failed.unreached);
                if let Some(half_open) = half_open {
                    half_open.failed(goes_on);
                }
                Err(Fell {
                    found: Found { prepared, half_open: None, charge: Charge::default() },
                    number,
                    failed,
                })
            }
        }
    }

    fn attempted(
        &self,
        prepared: &Prepared,
        half_open: Option<&HalfOpen>,
        number: u32,
        now: std::time::Instant,
    ) -> Attempted {
        let decided = &self.route.decided;
        let outlook = decided.known.outlook();
        let epoch = decided.place(&outlook, prepared.pick).map(|(candidate, provider, credential)| {
            provider.epoch(credential, candidate.target.model.as_str())
        });
        let rest = half_open.and_then(HalfOpen::rest);
        Attempted {
            request: self.call.id.clone(),
            number,
            caller: self.call.caller.clone(),
            price: decided.resolved.price(prepared.pick.candidate).cloned(),
            choice: prepared.choice.clone(),
            client: self.call.dialect,
            upstream: prepared.dialect(&self.call),
            translated: prepared.is_written(),
            lost: prepared.lost(),
            started: now,
            seen_epoch: epoch.unwrap_or(0),
            probes: rest.map(|rest| (rest.key.clone(), rest.round)),
        }
    }

    /// Waits while nothing can be tried, but something is past its rest: for the permit to find out whether it goes on,
    /// or for the verdict of who has it. At most for as long as a verdict is waited for; then the client is told.
    async fn await_verdict(&mut self, progress: &mut Progress) -> Option<Found> {
        let (attempter, first) = (Arc::clone(&self.attempter), Arc::clone(&self.route.decided));
        let mut changes = attempter.live.subscribe_hints();
        let longest = self.time_left(self.route.decided.known.snapshot.policy.timeouts.total).min(VERDICT);
        let over = tokio::time::sleep(longest);
        tokio::pin!(over);
        loop {
            let mut left_out = self.route.decided.order.excluded.iter().chain(progress.search.left_out());
            if !left_out.any(|excluded| excluded.reason == Exclusion::CircuitHalfOpenBusy) {
                return None;
            }
            let last = tokio::select! {
                () = &mut over => true,
                changed = changes.changed() => changed.is_err(),
            };
            // On what is known by now: the configuration may be another as well.
            let now = attempter.clock.wall();
            self.route = route(&attempter.live, &self.call, &attempter.node, now).ok()?;
            progress.search = Search::default();
            self.look_around();
            let found = progress.search.next(&attempter, &self.call, &self.route, true).await;
            if found.is_none() && Arc::ptr_eq(&first.known, &self.route.decided.known) && last {
                // The request's record tells of the decision that it began with.
                first.nothing_tried(progress.search.left_out().to_vec());
            }
            if found.is_some() || last {
                return found;
            }
        }
    }

    /// Says what was left out, and asks for the permits of what is past its rest and is not this node's to find out
    /// about.
    fn look_around(&self) {
        let decided = &self.route.decided;
        if decided.order.excluded.is_empty() {
            return;
        }
        self.attempter.witness.left_out(&decided.order.excluded);
        let busy = |reason| reason == Exclusion::CircuitHalfOpenBusy;
        for excluded in decided.order.excluded.iter().filter(|excluded| busy(excluded.reason)) {
            let candidate = decided.resolved.set.candidates.get(excluded.candidate);
            let Some((candidate, provider)) = candidate
                .and_then(|candidate| Some((candidate, decided.outlook.providers.get(candidate.slot)?)))
            else {
                continue;
            };
            let Some(credential) = excluded.credential.and_then(|at| provider.credentials.get(at)) else {
                continue;
            };
            let model = &candidate.target.model;
            if let Some((rest, Stage::HalfOpen(_))) =
                provider.governing(credential, model.as_str(), decided.at)
            {
                let (provider, credential) = (provider.name.clone(), credential.name.clone());
                let subject = LedgerKey { provider, credential, model: model.clone() };
                self.attempter.want_permit(rest, subject, decided.at);
            }
        }
    }

    fn verdict(&self, fell: &Fell, progress: &Progress, choices_left: bool) -> Verdict {
        let policy = &self.route.decided.known.snapshot.policy;
        let error = &fell.failed.error;
        let standing = Standing {
            attempts: progress.attempts,
            max_attempts: policy.retries.max_attempts,
            choices_left,
            time_left: self.time_left(policy.timeouts.total),
            draw: self.attempter.entropy.fraction(),
            written: fell.found.prepared.is_written(),
        };
        let verdict = match after_failure(error.failure, standing) {
            // The provider's own word against asking it again.
            Verdict::SameAfter(_) if error.should_retry == Some(false) => Verdict::GiveUp(Why::NotRetryable),
            verdict => verdict,
        };
        let now = self.attempter.clock.wall();
        verdict.within(|| self.route.decided.known.budgets().retry(now))
    }

    /// Tells when the first of the model's targets is back, where all of them rest by now: sooner, perhaps, than what
    /// the last of them said of itself.
    fn soonest(&self) -> Option<Duration> {
        let now = self.attempter.clock.wall();
        let order = self.route.decided.again(&self.attempter.node, now);
        let soonest = order.soonest.filter(|_| order.picks.is_empty())?;
        Some(soonest.since(now))
    }

    /// Gives the time that a provider has for a call. It is part of the request's time, unless the provider's own
    /// total is longer: then that is counted from the request's start.
    fn limit(&self, prepared: &Prepared) -> TimeLimit {
        let own = prepared.upstream.provider.timeouts.total;
        let request = self.route.decided.known.snapshot.policy.timeouts.total;
        TimeLimit::new(own, self.time_left(own.max(request)))
    }

    fn time_left(&self, total: Duration) -> Duration {
        let now = self.attempter.clock.now();
        total.saturating_sub(now.saturating_duration_since(self.call.started))
    }

    fn nothing_to_try(&self, progress: Progress) -> Exhausted {
        self.attempter.witness.left_out(progress.search.left_out());
        let nothing = progress.search.nothing(&self.call, &self.route, self.attempter.clock.wall());
        let error = match &nothing {
            Nothing::Refused(refused) => AttemptError::new(Failure::InvalidRequest, refused.message.clone()),
            Nothing::Unavailable(refusal) => {
                let retry_after = refusal.retry_after;
                let failure = match refusal.class {
                    ErrorClass::RateLimit => Failure::RateLimited { retry_after },
                    _ => Failure::Overloaded { retry_after },
                };
                AttemptError::new(failure, &*refusal.message)
            }
        };
        let (refused, unavailable) = match nothing {
            Nothing::Refused(refused) => (Some(refused), None),
            Nothing::Unavailable(refusal) => (None, Some(refusal)),
        };
        Exhausted {
            error,
            answer: None,
            target: Target { provider: "none".into(), model: self.call.model.clone() },
            attempts: 0,
            refused,
            unavailable,
            soonest: None,
        }
    }
}

/// How long a call may take, and what it means when it takes longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    pub(super) left: Duration,
    phase: TimeoutPhase,
}

impl TimeLimit {
    /// Limits a call to `left` of the provider's `own` total. Where others have used up more than a tenth of that, a
    /// provider that takes longer did nothing wrong.
    pub(super) fn new(own: Duration, left: Duration) -> Self {
        let short = left < own / 10 * 9;
        let phase = if short { TimeoutPhase::Deadline } else { TimeoutPhase::Total };
        Self { left: left.min(own), phase }
    }

    /// Gives the limit of what follows.
    pub(super) fn after(self, took: Duration) -> Self {
        Self { left: self.left.saturating_sub(took), ..self }
    }

    /// Says that it has passed.
    pub(super) fn error(self) -> AttemptError {
        let message = match self.phase {
            TimeoutPhase::Deadline => "the time that was left of the request's timeouts.total is over",
            _ => "the answer took longer than timeouts.total allows",
        };
        AttemptError::new(Failure::Timeout(self.phase), message)
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NextChoice => super::RETRY_WORDS[0],
        Verdict::SameAfter(_) => super::RETRY_WORDS[1],
        Verdict::GiveUp(why) => why.as_str(),
    }
}

fn then(verdict: Verdict) -> Then {
    match verdict {
        Verdict::NextChoice => Then::NextChoice,
        Verdict::SameAfter(pause) => Then::SameAfter(pause),
        Verdict::GiveUp(why) => Then::GaveUp(why),
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
    fn of(failed: Failed, prepared: &Prepared) -> Self {
        Self { failed, target: prepared.choice.target.clone(), written: prepared.is_written() }
    }

    /// Keeps what was said `before` when a provider of the client's own API said it and this is of another: that one
    /// read the client's own words.
    fn or_earlier(self, before: Option<Told>) -> Told {
        match before {
            Some(before) if self.written && !before.written => before,
            _ => self,
        }
    }

    /// `soonest` is when the first of what rests is back.
    fn exhausted(self, attempts: u32, soonest: Option<Duration>) -> Exhausted {
        let Failed { error, answer, .. } = self.failed;
        Exhausted { error, answer, target: self.target, attempts, refused: None, unavailable: None, soonest }
    }
}
