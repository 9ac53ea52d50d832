//! One attempt from its start to its end, whichever way it ends.

use super::{
    ProbeResult,
    charge::{Charge, Metered, Reached, Settled},
    halt::Halt,
    legs::{GONE, Leg, Legs, OUTRUN, SUCCESS},
};
use crate::{
    authenticate::Caller,
    live::{OpenCall, Priced},
};
use cliproxy_domain::{
    AttemptError, Cooldown, CooldownKey, Dialect, Failure, LedgerKey, RequestId, TokenUsage,
};
use cliproxy_engine::{Choice, Excluded};
use cliproxy_host::Clock;
use cliproxy_observe::metrics;
use http::HeaderMap;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// For which request.
    pub request: RequestId,
    /// Its place among the request's, from 1.
    pub number: u32,
    /// Who asked.
    pub caller: Caller,
    /// What it costs; none where no price is known.
    pub price: Option<Priced>,
    /// What was called, with which credential.
    pub choice: Choice,
    /// The client's dialect.
    pub client: Dialect,
    /// The dialect in which the provider is spoken to.
    pub upstream: Dialect,
    /// Whether its body was written by translation.
    pub translated: bool,
    /// How many fields of the request were lost on the way from the one to the other.
    pub lost: usize,
    /// When it began.
    pub started: Instant,
    /// The epoch in force for its credential and model when it began: later words of an operator outrank what it saw.
    pub seen_epoch: u64,
    /// The rest that it finds out about, with its round.
    pub probes: Option<(CooldownKey, u32)>,
}

impl Attempted {
    /// Gives what it cost, in billionths of a US dollar; nothing where no price is known.
    pub fn cost(&self, usage: &TokenUsage) -> u64 {
        self.price.as_ref().map_or(0, |price| price.cost(usage))
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum AttemptOutcome<'a> {
    /// Answered in full.
    Answered,
    /// Failed, before or within the answer.
    Failed(&'a AttemptError),
    /// Given up as the client had gone.
    Cancelled,
    /// Given up as another attempt for the same request had begun to answer.
    Outrun,
}

/// How long an attempt took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// To its end.
    pub all: Duration,
    /// To the first semantic event of a stream, if one came.
    pub to_first_event: Option<Duration>,
}

/// Is told of attempts. Called on the request path: it must not block.
pub trait Witness: Send + Sync {
    /// A request was decided on, and this was left out.
    fn left_out(&self, excluded: &[Excluded]);

    /// An attempt begins. What it gives counts it as open until it is dropped: the provider may be gone by then, or
    /// gone and back, and then has another count.
    fn began(&self, attempted: &Attempted) -> metrics::InFlight;

    /// The first semantic event of a stream came, this long after the start.
    fn first_event(&self, attempted: &Attempted, after: Duration);

    /// An attempt ended; called exactly once for each that began. Tells whether a rest that it found out about goes on.
    fn ended(
        &self,
        attempted: &Attempted,
        outcome: AttemptOutcome<'_>,
        usage: TokenUsage,
        took: Took,
    ) -> bool;

    /// A request that was to find out whether a rest goes on found this.
    fn probed(&self, rest: &Cooldown, subject: &LedgerKey, result: ProbeResult);

    /// A request would have used a key whose rest is past its end, and the permit is not here.
    fn permit_wanted(&self, rest: &Cooldown, subject: LedgerKey);

    /// This followed a failed attempt, in the words of the metrics.
    fn retried(&self, verdict: &'static str);

    /// This came of a second call beside a first.
    fn hedged(&self, result: super::HedgeResult);
}

/// An attempt that has not ended. Dropped, it counts as cancelled: that is how a hang-up before the first byte
/// shows.
pub struct InFlight {
    attempted: Attempted,
    witness: Arc<dyn Witness>,
    clock: Arc<dyn Clock>,
    legs: Legs,
    /// There until the attempt has ended.
    open: Option<(metrics::InFlight, Option<OpenCall>)>,
    to_first_event: Option<Duration>,
    /// The tokens of what came before the commit point.
    so_far: Mutex<TokenUsage>,
    charge: Charge,
    /// What it came to, where limits apply.
    settled: Option<Settled>,
}

impl InFlight {
    /// Begins an attempt; `call` counts it among the open calls of its credential.
    pub(super) fn begin(
        attempted: Attempted,
        call: Option<OpenCall>,
        legs: Legs,
        witness: Arc<dyn Witness>,
        clock: Arc<dyn Clock>,
        charge: Charge,
    ) -> Self {
        let open = Some((witness.began(&attempted), call));
        charge.sent();
        let (to_first_event, so_far) = (None, Mutex::default());
        Self { attempted, witness, clock, legs, open, to_first_event, so_far, charge, settled: None }
    }

    /// Tells whether what its answer takes is counted while it comes.
    pub(super) fn is_metered(&self) -> bool {
        self.charge.is_metered()
    }

    /// Tells whether its answer may have to be ended from our side.
    pub(super) fn may_end_early(&self) -> bool {
        self.charge.may_end_early()
    }

    /// Counts what its answer has taken so far; tells whether it may go on.
    pub(super) fn meter(&mut self, usage: &TokenUsage) -> Metered {
        self.charge.meter(usage, self.clock.passed())
    }

    /// Halts its answer until more is granted; none where no limits apply.
    pub(super) fn halt(&self) -> Option<Halt> {
        Some(Halt::begins(self.charge.live()?, self.clock.now()))
    }

    /// Its answer goes on, or ends, after it halted for more, which `came` or did not.
    pub(super) fn halted(&mut self, halt: &Halt, came: bool) {
        self.charge.waited(halt.took(self.clock.now()), came);
    }

    /// Takes what another call for the same answer needs; tells whether it was there.
    pub(super) fn call_again(&self) -> bool {
        self.charge.call_again(self.clock.passed())
    }

    /// Its answer was ended from our side.
    pub(super) fn ended_early(&self) {
        let quota = self.charge.ended_early().map_or_else(|| "a rate".to_owned(), ToString::to_string);
        self.legs.ends_early(format!("ended early: no more was to be had of {quota}"));
        tracing::info!(%quota, request_id = %self.attempted.request, provider = %self.attempted.choice.target.provider,
            model = %self.attempted.choice.target.model,
            "an answer was ended as one that has reached its maximum of tokens: no more of a quota was to be had");
    }

    /// Takes what the head of its answer says of the credential's limits.
    pub(super) fn told(&self, headers: &HeaderMap) {
        self.charge.told(headers, self.clock.wall(), self.clock.passed());
    }

    pub(super) fn first_event(&mut self) {
        let after = self.took();
        self.to_first_event = Some(after);
        self.witness.first_event(&self.attempted, after);
    }

    /// The rest that it was to find out about is over: what fails from here on is a failure like any other.
    pub(super) fn found_out(&mut self) {
        self.attempted.probes = None;
    }

    /// Notes the tokens of what has come, for an attempt that is given up before its commit point.
    pub(super) fn so_far(&self, usage: TokenUsage) {
        *self.so_far.lock() = usage;
    }

    pub(super) fn answered(mut self, usage: TokenUsage) {
        self.end(AttemptOutcome::Answered, usage);
    }

    pub(super) fn failed(mut self, error: &AttemptError, usage: TokenUsage) {
        self.end(AttemptOutcome::Failed(error), usage);
    }

    /// Ends an attempt that failed before its commit point, `unreached` if the provider never heard of it. Tells whether a
    /// rest that it found out about goes on.
    pub(super) fn failed_early(mut self, error: &AttemptError, unreached: bool) -> bool {
        let usage = *self.so_far.lock();
        if matches!(error.failure, Failure::RateLimited { .. }) {
            self.charge.throttled(self.clock.passed());
        }
        let reached = if unreached { Reached::Nobody } else { Reached::of(error, &usage) };
        self.end_as(AttemptOutcome::Failed(error), usage, reached)
    }

    pub(super) fn cancelled(mut self, usage: TokenUsage) {
        self.end(AttemptOutcome::Cancelled, usage);
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    fn took(&self) -> Duration {
        self.now().saturating_duration_since(self.attempted.started)
    }

    fn end(&mut self, outcome: AttemptOutcome<'_>, usage: TokenUsage) -> bool {
        let reached = match outcome {
            AttemptOutcome::Answered => Reached::Answered,
            AttemptOutcome::Failed(error) => Reached::of(error, &usage),
            AttemptOutcome::Cancelled | AttemptOutcome::Outrun => Reached::GivenUp,
        };
        self.end_as(outcome, usage, reached)
    }

    fn end_as(&mut self, outcome: AttemptOutcome<'_>, usage: TokenUsage, reached: Reached) -> bool {
        if self.open.take().is_none() {
            return false;
        }
        let took = Took { all: self.took(), to_first_event: self.to_first_event };
        // What is told of usage is what budgets are charged.
        let usage = self.charge.taken(usage, reached);
        self.settle(&usage, reached);
        self.remember(outcome, took.all, &usage);
        self.witness.ended(&self.attempted, outcome, usage, took)
    }

    fn settle(&mut self, usage: &TokenUsage, reached: Reached) {
        let provider = &self.attempted.choice.target.provider;
        let settled = self.charge.settle(provider, usage, reached, self.clock.passed());
        self.settled = settled.or(self.settled);
    }

    fn remember(&self, outcome: AttemptOutcome<'_>, took: Duration, usage: &TokenUsage) {
        let Attempted { number, choice, started, price, .. } = &self.attempted;
        let cost = || price.as_ref().map(|price| (price.cost(usage), price.version.clone()));
        let leg = || {
            let leg = match outcome {
                AttemptOutcome::Failed(error) => Leg::failed(*number, choice, *started, took, error),
                AttemptOutcome::Answered => Leg::plain(*number, choice, *started, took, SUCCESS),
                AttemptOutcome::Cancelled => Leg::plain(*number, choice, *started, took, GONE),
                AttemptOutcome::Outrun => Leg::plain(*number, choice, *started, took, OUTRUN),
            };
            Leg { cost: cost(), settled: self.settled, ..leg }
        };
        self.legs.ended(leg, matches!(outcome, AttemptOutcome::Answered));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.open.is_some() {
            let outrun = self.legs.is_outrun(self.attempted.number);
            let outcome = if outrun { AttemptOutcome::Outrun } else { AttemptOutcome::Cancelled };
            let usage = *self.so_far.lock();
            self.end(outcome, usage);
        }
    }
}
