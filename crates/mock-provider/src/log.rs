//! The log of what the mock received and how each request ended: the ground truth for checks elsewhere.
//!
//! Totals are exact for ever. Entries are kept for the newest [`ENTRIES_KEPT`] finished requests.

mod book;
mod open;

pub(crate) use self::{book::Book, open::Open};
use crate::script::{Family, Operation, Usage};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The number of finished requests whose entries are kept.
pub const ENTRIES_KEPT: usize = 100_000;

/// A copy of the log at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Log {
    /// Counts over all requests.
    pub totals: Totals,
    /// Of these, the requests for the list of models or one of them: health probes.
    pub probes: Totals,
    /// Counts by key and model, in that order.
    pub by: Vec<TotalsOf>,
    /// The newest finished requests, oldest first.
    pub entries: Vec<Entry>,
}

impl Log {
    /// Sums the counts of one model over all keys.
    pub fn of_model(&self, model: &str) -> Totals {
        self.sum(|row| *row.model == *model)
    }

    /// Sums the counts of one key over all models.
    pub fn of_key(&self, key: &str) -> Totals {
        self.sum(|row| *row.key == *key)
    }

    /// Gives when the newest request with a key began, over all models, in microseconds since the mock started; none
    /// without any.
    pub fn last_started_us(&self, key: &str) -> Option<u64> {
        self.by.iter().filter(|row| *row.key == *key).map(|row| row.last_started_us).max()
    }

    fn sum(&self, fits: impl Fn(&TotalsOf) -> bool) -> Totals {
        let mut totals = Totals::default();
        for row in self.by.iter().filter(|row| fits(row)) {
            totals.add(&row.totals);
        }
        totals
    }
}

/// Counts of requests by how they ended, and the tokens that answers reported.
/// `requests` is the sum of the next five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests whose body was read, or that ended before that.
    pub requests: u64,
    /// Requests that are not finished.
    pub in_flight: u64,
    /// Good answers that were written to their end.
    pub completed: u64,
    /// Error answers that were written to their end.
    pub errors: u64,
    /// Answers that the mock broke by itself: reset, closed, cut short, malformed, failed in the stream.
    pub broken: u64,
    /// Requests that the client left before the end was written.
    pub cancelled: u64,
    /// Input tokens reported; counted only when the answer was written to its end.
    pub input_tokens: u64,
    /// Output tokens reported, counted likewise.
    pub output_tokens: u64,
}

impl Totals {
    fn start(&mut self) {
        self.requests += 1;
        self.in_flight += 1;
    }

    fn finish(&mut self, outcome: Outcome, usage: Option<Usage>) {
        self.in_flight -= 1;
        match outcome {
            Outcome::Ok => self.completed += 1,
            Outcome::Error => self.errors += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Reset
            | Outcome::Closed
            | Outcome::Truncated
            | Outcome::Malformed
            | Outcome::StreamError => self.broken += 1,
        }
        if let Some(usage) = usage {
            self.input_tokens += usage.input_tokens;
            self.output_tokens += usage.output_tokens;
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.in_flight += other.in_flight;
        self.completed += other.completed;
        self.errors += other.errors;
        self.broken += other.broken;
        self.cancelled += other.cancelled;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

/// The counts of one key and model.
#[derive(Clone, Debug, Serialize)]
pub struct TotalsOf {
    /// The key's name, or `…` and its last four characters.
    pub key: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// The counts.
    #[serde(flatten)]
    pub totals: Totals,
    /// When the headers of the newest of them were read, in microseconds since the mock started.
    pub last_started_us: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A good answer was written to its end.
    Ok,
    /// An HTTP error was written to its end.
    Error,
    /// The mock reset the connection.
    Reset,
    /// The mock closed the connection early.
    Closed,
    /// The mock ended the body early.
    Truncated,
    /// The mock sent broken JSON.
    Malformed,
    /// The mock ended the stream with an error event.
    StreamError,
    /// The client left, or its connection broke, before the end was written.
    Cancelled,
}

/// One finished request.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts requests from 1, in order of arrival.
    pub id: u64,
    /// The request's `x-request-id` header.
    pub request_id: Option<Box<str>>,
    /// The key's name, or `…` and its last four characters; empty without a key.
    pub key: Arc<str>,
    /// The model asked for; empty when the body did not say.
    pub model: Arc<str>,
    /// The API spoken; `None` for a path that no API has.
    pub family: Option<Family>,
    /// What was asked for.
    pub operation: Option<Operation>,
    /// Tells whether a stream was asked for.
    pub stream: bool,
    /// The path, without its query.
    pub path: Box<str>,
    /// The names of the request's headers, in order of arrival.
    #[serde(serialize_with = "header_names")]
    pub headers: Box<[http::HeaderName]>,
    /// The length of the request's body.
    pub body_bytes: u64,
    /// XXH3 (128 bits) of the request's body.
    #[serde(serialize_with = "hexadecimal")]
    pub body_xxh3: u128,
    /// When the headers were read, in microseconds since the mock started.
    pub started_us: u64,
    /// When the request ended, likewise.
    pub finished_us: u64,
    /// The status answered; 0 when none was.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Events of a stream handed to the connection.
    pub events: u64,
    /// Usage reported in an answer that was written to its end.
    pub usage: Option<Usage>,
    /// The request's body, when the script keeps bodies and this is one of the newest.
    #[serde(rename = "body_base64", skip_serializing_if = "Option::is_none", serialize_with = "base64")]
    pub body: Option<Bytes>,
}

fn header_names<S: Serializer>(names: &[http::HeaderName], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(http::HeaderName::as_str))
}

fn hexadecimal<S: Serializer>(hash: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{hash:032x}"))
}

fn base64<S: Serializer>(body: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body.as_deref().unwrap_or_default()))
}
