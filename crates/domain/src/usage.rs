//! Tokens and attempts: what the ledger counts.

use crate::{
    name::{ClientName, CredentialName, ModelName, PriceVersion, ProviderName},
    time::WallTime,
    version::{Incarnation, Seq},
};
use std::{ops::AddAssign, time::Duration};

/// The tokens of one answer, in the one spelling that all dialects are read into.
///
/// `input` includes what was read from and written to the provider's prompt cache; `output` includes
/// reasoning. Anthropic's `input_tokens` excludes cache reads and writes, Gemini's `candidatesTokenCount`
/// excludes thoughts: readers add them up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// All prompt tokens.
    pub input: u64,
    /// All generated tokens.
    pub output: u64,
    /// Of `input`, those read from the provider's cache.
    pub cache_read: u64,
    /// Of `input`, those written to the provider's cache.
    pub cache_write: u64,
    /// Of `output`, those spent on reasoning.
    pub reasoning: u64,
    /// Of `input + output`, those that we estimated as the provider reported none.
    pub estimated: u64,
}

impl TokenUsage {
    /// Gives input and output together. No sum of this type passes its end: what nodes report may be nonsense.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl AddAssign for TokenUsage {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.estimated = self.estimated.saturating_add(other.estimated);
    }
}

/// How upstream calls ended, each call counted in exactly one of the first seven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Answered in full.
    pub ok: u64,
    /// Refused for the request's or the credential's sake (4xx other than 429).
    pub err_4xx: u64,
    /// Refused for rate or quota (429 and 402).
    pub rate_limited: u64,
    /// Failed at the provider: 5xx, a malformed answer, a stream that broke before its end.
    pub err_5xx: u64,
    /// Not answered in time.
    pub timeout: u64,
    /// Not connected.
    pub connect: u64,
    /// Cancelled as the client had gone.
    pub cancelled: u64,
    /// Of all these, attempts that were not a request's first.
    pub retried: u64,
    /// Sum of the latencies of the attempts in `ok`, in microseconds.
    pub latency_us: u64,
    /// Of the attempts in `ok`, those that were streams.
    pub streams: u64,
    /// Sum of these streams' latencies, in microseconds.
    pub stream_us: u64,
    /// Sum of their times to the first event, in microseconds.
    pub first_event_us: u64,
}

impl AttemptCounts {
    /// Counts all attempts.
    pub fn attempts(&self) -> u64 {
        let failed = [self.err_4xx, self.rate_limited, self.err_5xx, self.timeout, self.connect];
        failed.into_iter().fold(self.ok, u64::saturating_add).saturating_add(self.cancelled)
    }

    /// Tells whether the provider answered any of them, be it with a refusal.
    pub fn were_answered(&self) -> bool {
        self.ok > 0 || self.err_4xx > 0 || self.rate_limited > 0
    }

    /// Tells whether any of them says something of the provider: those that the client cancelled do not.
    pub fn were_heard(&self) -> bool {
        self.were_answered() || self.err_5xx > 0 || self.timeout > 0 || self.connect > 0
    }

    /// Counts the attempts that speak against the provider: what the client got wrong or gave up is not among
    /// them.
    pub fn errors(&self) -> u64 {
        let failed = [self.err_5xx, self.timeout, self.connect];
        failed.into_iter().fold(self.rate_limited, u64::saturating_add)
    }
}

impl AddAssign for AttemptCounts {
    fn add_assign(&mut self, other: Self) {
        self.ok = self.ok.saturating_add(other.ok);
        self.err_4xx = self.err_4xx.saturating_add(other.err_4xx);
        self.rate_limited = self.rate_limited.saturating_add(other.rate_limited);
        self.err_5xx = self.err_5xx.saturating_add(other.err_5xx);
        self.timeout = self.timeout.saturating_add(other.timeout);
        self.connect = self.connect.saturating_add(other.connect);
        self.cancelled = self.cancelled.saturating_add(other.cancelled);
        self.retried = self.retried.saturating_add(other.retried);
        self.latency_us = self.latency_us.saturating_add(other.latency_us);
        self.streams = self.streams.saturating_add(other.streams);
        self.stream_us = self.stream_us.saturating_add(other.stream_us);
        self.first_event_us = self.first_event_us.saturating_add(other.first_event_us);
    }
}

/// What is called. `model` is the upstream's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LedgerKey {
    /// The provider that was called.
    pub provider: ProviderName,
    /// The credential that it was called with.
    pub credential: CredentialName,
    /// The model that it was asked for.
    pub model: ModelName,
}

/// What a ledger row is counted under: what was called, for whom, and at which price.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsageKey {
    /// The provider that was called.
    pub provider: ProviderName,
    /// The credential that it was called with.
    pub credential: CredentialName,
    /// The model that it was asked for, by the upstream's name.
    pub model: ModelName,
    /// The client that asked; none where nobody said who.
    pub client: Option<ClientName>,
    /// The price that the cost is reckoned by; none where no price is known, and nothing is reckoned.
    pub price: Option<PriceVersion>,
}

/// Of no client, at no price.
impl From<LedgerKey> for UsageKey {
    fn from(called: LedgerKey) -> Self {
        let LedgerKey { provider, credential, model } = called;
        Self { provider, credential, model, client: None, price: None }
    }
}

/// Sums of one key over one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// What is counted.
    pub key: UsageKey,
    /// How the attempts ended.
    pub attempts: AttemptCounts,
    /// The tokens they took.
    pub tokens: TokenUsage,
    /// What they cost, in billionths of a US dollar, each attempt rounded up.
    pub cost_nanos: u64,
}

impl LedgerRow {
    /// Adds the sums of another row, of whatever key.
    pub fn add(&mut self, other: &LedgerRow) {
        self.attempts += other.attempts;
        self.tokens += other.tokens;
        self.cost_nanos = self.cost_nanos.saturating_add(other.cost_nanos);
    }
}

/// One window of one node's ledger. Once it has a `seq` it never changes: a re-send is the same batch, or
/// deduplication would lose data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The incarnation of the node that counted this.
    pub incarnation: Incarnation,
    /// The batch's place in that incarnation.
    pub seq: Seq,
    /// When the window began, by the node's wall clock.
    pub window_start: WallTime,
    /// How long the window was.
    pub window: Duration,
    /// The rows, sorted by key, one a key.
    pub rows: Vec<LedgerRow>,
}
