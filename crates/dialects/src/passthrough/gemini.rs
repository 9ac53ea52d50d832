//! Google Gemini: §5.5 of the wire formats.

use super::event::{Seen, parse};
use crate::{classify, json::says_something};
use cliproxy_domain::{AttemptError, Dialect};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Needs no memory of its own. Every chunk is read, as every chunk carries the running usage.
#[derive(Debug)]
pub(super) struct Watch;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

impl Watch {
    pub(super) fn event(&mut self, seen: &mut Seen, data: &[u8]) -> Result<(), AttemptError> {
        let Some(chunk) = parse::<Chunk<'_>>(data)? else { return Ok(()) };
        if says_something(chunk.error) {
            return Err(classify::in_stream_bytes(data));
        }
        seen.usage(Dialect::Gemini, chunk.usage_metadata);
        let mut content = false;
        for candidate in chunk.candidates.unwrap_or_default() {
            content |= candidate.content.is_some_and(|content| says_something(content.parts));
            if says_something(candidate.finish_reason) {
                seen.end();
            }
        }
        if chunk.prompt_feedback.is_some_and(|feedback| says_something(feedback.block_reason)) {
            seen.end();
        }
        if content {
            seen.content();
        }
        Ok(())
    }
}
