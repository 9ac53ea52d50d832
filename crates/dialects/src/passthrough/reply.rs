//! Whole answers: what accounting needs of a body that is passed on as it is.

use crate::{classify, json::says_something, usage::Counts};
use cliproxy_domain::{AttemptError, Dialect, Failure, Operation, TokenUsage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a whole answer says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    /// The tokens that the provider reported; none when it reported nothing, and [`crate::usage::estimate`]
    /// has to guess. Zero for counting tokens, which costs none.
    pub usage: Option<TokenUsage>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, rename = "usageMetadata")]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Reads the facts of a whole answer that came with a 2xx status.
///
/// # Errors
///
/// [`Failure::MalformedReply`] when the body is not one JSON object; the error in the body, classified, when a
/// server sent one with a status of success (a failed Response is one of these).
pub fn read_reply(dialect: Dialect, operation: Operation, body: &[u8]) -> Result<ReplyFacts, AttemptError> {
    let malformed =
        || AttemptError::new(Failure::MalformedReply, "the provider's answer is not a JSON object");
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|_| malformed())?;
    if !body.trim_ascii_start().starts_with(b"{") {
        // A struct may be read from an array too.
        return Err(malformed());
    }
    if says_something(reply.error) {
        return Err(classify::in_stream_bytes(body));
    }
    if operation == Operation::CountTokens {
        return Ok(ReplyFacts { usage: Some(TokenUsage::default()) });
    }
    let raw = match dialect {
        Dialect::Gemini => reply.usage_metadata,
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic => reply.usage,
    };
    let counts = raw.and_then(|raw| Counts::read(dialect, raw.get())).filter(Counts::reported);
    Ok(ReplyFacts { usage: counts.map(|counts| counts.total(dialect, TokenUsage::default())) })
}
