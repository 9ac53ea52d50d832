//! What is done to a request that a rule fits.

use super::Fixture;
use serde::{Deserialize, Serialize};

/// What the mock does with a request.
///
/// Faults "after n events" strike a stream once n of its events are written, at the latest before its
/// last one; an answer that is not streamed counts as two events, its two halves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Answers well.
    #[default]
    Answer,
    /// Answers with an HTTP error in the family's shape.
    Error {
        /// What went wrong.
        kind: ErrorKind,
        /// What the answer says about trying again.
        #[serde(default)]
        hint: Hint,
        /// Replaces the status that the family gives to this kind.
        #[serde(default)]
        status: Option<u16>,
    },
    /// Answers with an HTML page, as load balancers do.
    Html {
        /// The status, as 502.
        status: u16,
    },
    /// Answers with a status and no body at all.
    Empty {
        /// The status; 200 is possible.
        status: u16,
    },
    /// Goes silent and leaves the connection open.
    Hang {
        /// Where.
        at: Point,
    },
    /// Resets the connection (RST); on HTTP/2, the stream alone (`RST_STREAM`).
    Reset {
        /// Where.
        at: Point,
    },
    /// Closes the connection (FIN) in the middle of the answer; on HTTP/2 the same as `Reset`.
    Close {
        /// Where.
        at: Point,
    },
    /// Ends the body early, in a way that HTTP finds correct.
    Truncate {
        /// Events written before.
        after_events: u64,
    },
    /// Sends JSON that does not parse, then ends: as an event of a stream, or as the whole body.
    Malformed {
        /// Events written before.
        #[serde(default)]
        after_events: u64,
    },
    /// Sends the family's error event, then ends. A request without streaming gets an HTTP error.
    StreamError {
        /// Events written before.
        after_events: u64,
        /// What went wrong. A Responses stream ends with `response.failed` for `server_error` and
        /// `overloaded`, and with an `error` event for every other kind.
        kind: ErrorKind,
    },
    /// Answers with given bytes.
    Fixture(Fixture),
}

impl Behaviour {
    /// Makes an error without any hint about trying again.
    pub fn error(kind: ErrorKind) -> Self {
        Self::Error { kind, hint: Hint::default(), status: None }
    }

    /// Makes a rate limit error with the given hint.
    pub fn rate_limit(hint: Hint) -> Self {
        Self::Error { kind: ErrorKind::RateLimit, hint, status: None }
    }
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Before the first byte of the answer.
    BeforeHeaders,
    /// After the headers and this many events; 0 is after the headers alone.
    AfterEvents(u64),
}

/// The errors that providers answer with. The status is the one of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// 400: the request is wrong.
    BadRequest,
    /// 400: the prompt is longer than the model takes.
    ContextLength,
    /// 401, Gemini 400: the key is not valid.
    Auth,
    /// 403.
    Permission,
    /// 404: no such model.
    NotFound,
    /// 413, Gemini 400: the request is too large.
    TooLarge,
    /// 429: too many requests or tokens in a short time.
    RateLimit,
    /// Out of money: OpenAI 429 `insufficient_quota`, the others 402.
    Quota,
    /// 429: the limit of the day (Gemini) or the spending limit (the others) is reached.
    DailyQuota,
    /// 500.
    ServerError,
    /// 502.
    BadGateway,
    /// Anthropic 529, the others 503.
    Overloaded,
    /// 503 in every family.
    Unavailable,
    /// 504.
    Timeout,
}

/// What an error says about when to try again; every part that is set is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hint {
    /// `retry-after` in seconds.
    pub retry_after_s: Option<u64>,
    /// `retry-after` as an HTTP date this many seconds ahead; `retry_after_s` goes first.
    pub retry_after_date_s: Option<u64>,
    /// `retry-after-ms`.
    pub retry_after_ms: Option<u64>,
    /// `anthropic-ratelimit-{requests,tokens,input-tokens}-reset` this many seconds ahead, with nothing
    /// remaining; the output tokens' window is not exhausted.
    pub anthropic_reset_s: Option<u64>,
    /// `x-ratelimit-reset-{requests,tokens}` as Go durations, with nothing remaining.
    pub x_ratelimit_reset_ms: Option<u64>,
    /// `RetryInfo.retryDelay` in seconds, in the `details` of the error's body.
    pub retry_info_s: Option<f64>,
    /// `x-should-retry`.
    pub should_retry: Option<bool>,
}
