//! One attempt from its start to its end, whichever way it ends.

use crate::live::OpenCall;
use cliproxy_domain::{AttemptError, Dialect, RequestId, TokenUsage};
use cliproxy_engine::Choice;
use cliproxy_host::Clock;
use cliproxy_observe::metrics;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// For which request.
    pub request: RequestId,
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
    /// Whether it was not the request's first.
    pub retry: bool,
    /// When it began.
    pub started: Instant,
    /// The epoch in force for its credential and model when it began: later words of an operator outrank what it saw.
    pub seen_epoch: u64,
    /// Whether a stream was asked for.
    pub streaming: bool,
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
    /// An attempt begins. What it gives counts it as open until it is dropped: the provider may be gone by then, or
    /// gone and back, and then has another count.
    fn began(&self, attempted: &Attempted) -> metrics::InFlight;

    /// The first semantic event of a stream came, this long after the start.
    fn first_event(&self, attempted: &Attempted, after: Duration);

    /// An attempt ended; called exactly once for each that began.
    fn ended(&self, attempted: &Attempted, outcome: AttemptOutcome<'_>, usage: TokenUsage, took: Took);
}

/// An attempt that has not ended. Dropped, it counts as cancelled: that is how a hang-up before the first byte
/// shows.
pub struct InFlight {
    attempted: Attempted,
    witness: Arc<dyn Witness>,
    clock: Arc<dyn Clock>,
    /// There until the attempt has ended.
    open: Option<(metrics::InFlight, Option<OpenCall>)>,
    to_first_event: Option<Duration>,
}

impl InFlight {
    /// Begins an attempt; `call` counts it among the open calls of its credential.
    pub(super) fn begin(
        attempted: Attempted,
        call: Option<OpenCall>,
        witness: Arc<dyn Witness>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let open = Some((witness.began(&attempted), call));
        Self { attempted, witness, clock, open, to_first_event: None }
    }

    pub(super) fn first_event(&mut self) {
        let after = self.took();
        self.to_first_event = Some(after);
        self.witness.first_event(&self.attempted, after);
    }

    pub(super) fn answered(mut self, usage: TokenUsage) {
        self.end(AttemptOutcome::Answered, usage);
    }

    pub(super) fn failed(mut self, error: &AttemptError, usage: TokenUsage) {
        self.end(AttemptOutcome::Failed(error), usage);
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

    fn end(&mut self, outcome: AttemptOutcome<'_>, usage: TokenUsage) {
        if self.open.take().is_some() {
            let took = Took { all: self.took(), to_first_event: self.to_first_event };
            self.witness.ended(&self.attempted, outcome, usage, took);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.end(AttemptOutcome::Cancelled, TokenUsage::default());
    }
}
