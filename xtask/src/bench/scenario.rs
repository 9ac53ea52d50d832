//! What is asked.

use super::{
    client::Client,
    upstream::{EVENTS, FRAMING_EVENTS},
};
use hyper::body::Bytes;
use std::time::Duration;

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A question of 1 KB and an answer of 1 KB.
    #[value(name = "chat-1k")]
    Chat1k,
    /// A question of 100 KB and an answer of 1 KB.
    #[value(name = "chat-100k")]
    Chat100k,
    /// A question of 1 KB and an answer of 100 events, each sent by itself.
    #[value(name = "stream-100")]
    Stream100,
}

/// How much of it is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Requests whose cost is measured, in each round.
    pub(super) requests: u64,
    /// Requests a second while delays are measured.
    pub(super) per_second: u32,
    /// For how long delays are measured, in each round.
    pub(super) lasting: Duration,
}

/// One kind of request with its bytes, of one client.
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) client: Client,
    pub(super) body: Bytes,
    pub(super) amount: Amount,
}

impl Scenario {
    /// Prepares a scenario; `quick` measures a fraction.
    pub(super) fn new(kind: Kind, client: Client, quick: bool) -> Self {
        let (requests, per_second) = match (kind, quick) {
            (Kind::Chat1k, false) => (100_000, 200),
            (Kind::Chat1k, true) => (20_000, 200),
            (Kind::Chat100k, false) => (30_000, 200),
            (Kind::Chat100k, true) => (8_000, 200),
            // 32 streams at a time take half a second.
            (Kind::Stream100, false) => (512, 40),
            (Kind::Stream100, true) => (128, 40),
        };
        let lasting = Duration::from_secs(if quick { 2 } else { 6 });
        let body_bytes = if kind == Kind::Chat100k { 100 * 1024 } else { 1024 };
        Self {
            kind,
            client,
            body: client.request(body_bytes, kind == Kind::Stream100),
            amount: Amount { requests, per_second, lasting },
        }
    }

    /// Names the scenario.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Chat1k => "chat-1k",
            Kind::Chat100k => "chat-100k",
            Kind::Stream100 => "stream-100",
        }
    }

    /// Tells whether the answer is a stream.
    pub(super) fn streams(&self) -> bool {
        self.kind == Kind::Stream100
    }

    /// Gives in how many parts an answer comes at least when no event of it was joined to another. Events that open
    /// or close an answer may have no counterpart in another dialect.
    pub(super) fn parts(&self) -> u64 {
        match (self.kind, self.client) {
            (Kind::Chat1k | Kind::Chat100k, _) => 1,
            (Kind::Stream100, Client::Chat) => EVENTS,
            (Kind::Stream100, Client::Messages) => EVENTS - FRAMING_EVENTS,
        }
    }

    /// Gives what the cost is divided by, and in which unit: 10,000 requests, or a million events of the upstream.
    pub(super) fn cost_of(&self, cpu_seconds: f64) -> f64 {
        let requests = self.amount.requests as f64;
        if self.streams() {
            cpu_seconds / (requests * EVENTS as f64) * 1e6
        } else {
            cpu_seconds / requests * 1e4
        }
    }

    /// Names what [`Scenario::cost_of`] is the cost of.
    pub(super) fn cost_unit(&self) -> &'static str {
        if self.streams() { "1M events" } else { "10k requests" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_told_by_ten_thousand_requests_or_a_million_events() {
        let chat = Scenario::new(Kind::Chat1k, Client::Chat, false);
        assert_eq!(chat.cost_of(2.5), 0.25);
        let streams = Scenario::new(Kind::Stream100, Client::Chat, false);
        assert_eq!(streams.cost_of(0.512), 10.0);
    }
}
