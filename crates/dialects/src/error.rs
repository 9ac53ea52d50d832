//! Errors as each dialect's clients expect them: as a whole answer, and within a stream that has begun.

mod in_stream;
mod table;

pub use in_stream::{encode_in_stream, keep_alive};

use bytes::Bytes;
use cliproxy_domain::{Dialect, ErrorClass};
use serde::Serialize;
use std::time::Duration;
use table::Row;

/// What a client is told of an error.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    /// What went wrong; it decides status, type and retry headers.
    pub class: ErrorClass,
    /// A status to send in place of the class's own, as 405, 408, 415 or 431.
    pub status: Option<u16>,
    /// A code to send in place of the class's own. Only OpenAI's envelope has a place for it.
    pub code: Option<&'a str>,
    /// What people read. Sent as it is: the caller has removed secrets.
    pub message: &'a str,
    /// The gateway's id of the request; must be a valid header value.
    pub request_id: &'a str,
    /// How long the client should wait. Sent only with classes that are worth a retry, and with spent limits.
    pub retry_after: Option<Duration>,
    /// The request's field at fault. Only OpenAI's envelope has a place for it.
    pub param: Option<&'a str>,
}

/// An error as a whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedError {
    /// The HTTP status.
    pub status: u16,
    /// All headers that belong to the error, `content-type` among them; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The dialect's envelope.
    pub body: Bytes,
}

/// Writes an error as a whole answer, by `golden/errors.json` and §6 of the wire formats.
///
/// `retry-after` (whole seconds, rounded up, at least 1) and `retry-after-ms` come with rate limits and
/// overload always, a second when nobody named a wait, and with other retryable classes and spent limits when a wait is
/// known.
/// `x-should-retry: false` comes with spent money and spent limits, or the official clients would retry a 429.
pub fn encode(dialect: Dialect, reply: &ErrorReply<'_>) -> EncodedError {
    let row = table::row(reply.class);
    let status = status(dialect, reply, row);
    let wait = wait(reply, row);
    let body = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            crate::json::to_bytes(&Envelope { error: openai(reply, row) })
        }
        Dialect::Anthropic => crate::json::to_bytes(&anthropic(reply, row)),
        Dialect::Gemini => crate::json::to_bytes(&Envelope { error: gemini(reply, row, status, wait) }),
    };
    EncodedError { status, headers: headers(dialect, reply, row, wait), body }
}

fn status(dialect: Dialect, reply: &ErrorReply<'_>, row: &Row) -> u16 {
    reply.status.unwrap_or(match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => row.openai_status,
        Dialect::Anthropic => row.anthropic_status,
        Dialect::Gemini => row.status,
    })
}

/// Gives the wait to name, for classes that are worth a retry.
fn wait(reply: &ErrorReply<'_>, row: &Row) -> Option<Duration> {
    match (row.retryable, reply.class) {
        // Not worth a retry soon, and when it is, is known.
        (false, ErrorClass::SpendOrDailyLimit) => reply.retry_after,
        (false, _) => None,
        (true, ErrorClass::RateLimit | ErrorClass::Overloaded) => {
            Some(reply.retry_after.unwrap_or(Duration::from_secs(1)))
        }
        (true, _) => reply.retry_after,
    }
}

fn headers(
    dialect: Dialect,
    reply: &ErrorReply<'_>,
    row: &Row,
    wait: Option<Duration>,
) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("content-type", "application/json".to_owned()), ("x-request-id", reply.request_id.to_owned())];
    if dialect == Dialect::Anthropic {
        headers.push(("request-id", reply.request_id.to_owned()));
    }
    if let Some(wait) = wait {
        headers.push(("retry-after", wait.as_millis().div_ceil(1000).max(1).to_string()));
        headers.push(("retry-after-ms", wait.as_millis().max(1).to_string()));
    }
    if row.never_retry {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    headers
}

#[derive(Serialize)]
struct Envelope<T> {
    error: T,
}

/// All four keys are always there: the official types have them required.
#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

fn openai<'a>(reply: &ErrorReply<'a>, row: &Row) -> OpenAiError<'a> {
    OpenAiError {
        message: reply.message,
        r#type: row.openai_type,
        param: reply.param,
        code: reply.code.or(row.openai_code),
    }
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'static str,
    error: AnthropicDetail<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicDetail<'a> {
    r#type: &'static str,
    message: &'a str,
}

fn anthropic<'a>(reply: &ErrorReply<'a>, row: &Row) -> AnthropicError<'a> {
    AnthropicError {
        r#type: "error",
        error: AnthropicDetail { r#type: row.anthropic_type, message: reply.message },
        request_id: reply.request_id,
    }
}

/// `code` is an integer and comes first: the official client knows an error in a stream by it (§5.5).
#[derive(Serialize)]
struct GeminiError<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<[RetryInfo; 1]>,
}

/// The only place where this dialect can name a wait: it knows no retry headers (§6.3).
#[derive(Serialize)]
struct RetryInfo {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "retryDelay")]
    retry_delay: String,
}

fn gemini<'a>(reply: &ErrorReply<'a>, row: &Row, status: u16, wait: Option<Duration>) -> GeminiError<'a> {
    GeminiError {
        code: status,
        message: reply.message,
        status: row.gemini_status,
        details: wait.map(|wait| {
            [RetryInfo {
                kind: "type.googleapis.com/google.rpc.RetryInfo",
                retry_delay: format!("{}.{:03}s", wait.as_secs(), wait.subsec_millis()),
            }]
        }),
    }
}

#[cfg(test)]
mod tests;
