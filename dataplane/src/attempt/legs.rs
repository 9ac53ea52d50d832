//! What is remembered of a request's attempts until it has ended.

use super::charge::Settled;
use cliproxy_domain::{AttemptError, AttemptRecord, PriceVersion};
use cliproxy_engine::{Choice, Why};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The attempts of one request. Clones share them; nothing else does, so that nobody waits for the lock.
#[derive(Clone, Default)]
pub struct Legs(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    /// Keeps also those that were answered at once.
    all: bool,
    legs: Vec<Leg>,
    /// What followed, by the attempt's number.
    then: Vec<(u32, Then)>,
    /// Attempts that another was faster than.
    outrun: Vec<u32>,
    /// Why the answer was ended from our side.
    ended_early: Option<String>,
}

/// One attempt that ended.
pub(super) struct Leg {
    /// Its place among the request's, from 1.
    pub(super) number: u32,
    pub(super) choice: Choice,
    pub(super) started: Instant,
    pub(super) took: Duration,
    pub(super) outcome: &'static str,
    pub(super) http_status: Option<u16>,
    pub(super) hint: Option<Duration>,
    /// In billionths of a US dollar, by which price; none where none is known.
    pub(super) cost: Option<(u64, PriceVersion)>,
    pub(super) settled: Option<Settled>,
}

/// What was decided after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    NextChoice,
    SameAfter(Duration),
    GaveUp(Why),
    /// After the pause it rested for longer, or another request was finding out about it.
    RestsLonger,
    /// Another attempt was under way beside it.
    LeftToOther,
}

/// The outcome of an attempt that was answered.
pub(super) const SUCCESS: &str = "success";
/// The outcome of an attempt whose client had gone.
pub(super) const GONE: &str = "client_gone";
/// The outcome of an attempt that another one was faster than.
pub(super) const OUTRUN: &str = "outrun";

impl Legs {
    /// Remembers the attempts of a request; of one that is not `sampled` only if one of them fails.
    pub fn new(sampled: bool) -> Self {
        Self(Arc::new(Mutex::new(Memory { all: sampled, ..Memory::default() })))
    }

    pub(super) fn ended(&self, leg: impl FnOnce() -> Leg, answered: bool) {
        let mut memory = self.0.lock();
        if memory.all || !answered || !memory.legs.is_empty() {
            memory.legs.push(leg());
        }
    }

    pub(super) fn then(&self, number: u32, then: Then) {
        self.0.lock().then.push((number, then));
    }

    /// Says of an attempt that is about to be dropped that another one was faster.
    pub(super) fn outrun(&self, number: u32) {
        self.0.lock().outrun.push(number);
    }

    pub(super) fn is_outrun(&self, number: u32) -> bool {
        self.0.lock().outrun.contains(&number)
    }

    /// Tells whether there is something to tell: an attempt failed, or ran beside another, or its answer was cut short.
    pub fn is_eventful(&self) -> bool {
        let memory = self.0.lock();
        !memory.legs.is_empty() || memory.ended_early.is_some()
    }

    /// Notes why the answer was ended from our side: the request is kept, with its attempts.
    pub(super) fn ends_early(&self, why: String) {
        let mut memory = self.0.lock();
        memory.all = true;
        memory.ended_early = Some(why);
    }

    /// Tells why the answer was ended from our side; none where it was not.
    pub fn ended_early(&self) -> Option<String> {
        self.0.lock().ended_early.clone()
    }

    /// Gives the attempts for people, in their order, with times counted from `started`.
    pub fn records(&self, started: Instant) -> Vec<AttemptRecord> {
        let mut memory = self.0.lock();
        memory.legs.sort_by_key(|leg| leg.number);
        let record = |leg: &Leg| AttemptRecord {
            provider: leg.choice.target.provider.clone(),
            model: leg.choice.target.model.clone(),
            credential: leg.choice.credential.clone(),
            started_ms: millis(leg.started.saturating_duration_since(started)),
            took_ms: millis(leg.took),
            outcome: leg.outcome.to_owned(),
            http_status: leg.http_status,
            hint_ms: leg.hint.map(millis),
            cost_usd: leg.cost.as_ref().map(|(nanos, _)| *nanos as f64 / 1e9),
            price: leg.cost.as_ref().map(|(_, version)| version.clone()),
            reserved_tokens: leg.settled.map(|settled| settled.reserved),
            spent_tokens: leg.settled.map(|settled| settled.spent),
            then: tell(leg.outcome, memory.then.iter().rfind(|(number, _)| *number == leg.number)),
        };
        memory.legs.iter().map(record).collect()
    }
}

impl Leg {
    /// Describes an attempt that did not fail.
    pub(super) fn plain(
        number: u32,
        choice: &Choice,
        started: Instant,
        took: Duration,
        outcome: &'static str,
    ) -> Self {
        Self {
            number,
            choice: choice.clone(),
            started,
            took,
            outcome,
            http_status: None,
            hint: None,
            cost: None,
            settled: None,
        }
    }

    /// Describes an attempt that failed.
    pub(super) fn failed(
        number: u32,
        choice: &Choice,
        started: Instant,
        took: Duration,
        error: &AttemptError,
    ) -> Self {
        let outcome = error.failure.error_type();
        let (http_status, hint) = (error.status, error.failure.retry_after());
        Self { http_status, hint, ..Self::plain(number, choice, started, took, outcome) }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn tell(outcome: &str, then: Option<&(u32, Then)>) -> String {
    match (outcome, then.map(|(_, then)| then)) {
        (SUCCESS, _) => "the answer went to the client".to_owned(),
        (GONE, _) => "given up as the client had gone".to_owned(),
        (OUTRUN, _) => "given up as another attempt had begun to answer".to_owned(),
        (_, Some(Then::NextChoice)) => "next choice".to_owned(),
        (_, Some(Then::SameAfter(pause))) => format!("the same choice again after {} ms", pause.as_millis()),
        (_, Some(Then::LeftToOther)) => "left to the attempt beside it".to_owned(),
        (_, Some(Then::RestsLonger)) => "gave up: after a pause it still rested".to_owned(),
        (_, Some(Then::GaveUp(why))) => format!("gave up: {}", why_told(*why)),
        (_, None) => "told to the client within the answer, which had begun".to_owned(),
    }
}

fn why_told(why: Why) -> &'static str {
    match why {
        Why::AttemptsSpent => "it was tried as often as it may be",
        Why::NoChoiceLeft => "no choice is left",
        Why::NotRetryable => "no other provider would answer otherwise",
        Why::Deadline => "its time is over",
        Why::BudgetSpent => "too large a share of all requests is being tried again",
        Why::HintTooLong => "the wait that the provider names is too long for a client",
    }
}
