//! Following a passing stream closely enough to end it from our side, as one that has reached its maximum of tokens.
//!
//! It costs reading every event, so it is done only where an answer may have to be ended.

mod anthropic;
mod chat;
mod gemini;
mod responses;

use crate::framing::{ArrayPosition, Framing};
use cliproxy_domain::{Dialect, TokenUsage};
use serde_json::value::RawValue;

/// What must be known of a stream to end it.
#[derive(Debug)]
pub(super) enum Follower {
    Chat(chat::Follower),
    Responses(Box<responses::Follower>),
    Anthropic(anthropic::Follower),
    Gemini(gemini::Follower),
}

impl Follower {
    pub(super) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => Follower::Chat(chat::Follower::default()),
            Dialect::OpenAiResponses => Follower::Responses(Box::default()),
            Dialect::Anthropic => Follower::Anthropic(anthropic::Follower::default()),
            Dialect::Gemini => Follower::Gemini(gemini::Follower::default()),
        }
    }

    /// Takes note of an event; gives how many bytes of what the model said are in it.
    pub(super) fn event(&mut self, data: &[u8]) -> usize {
        if data.is_empty() || data.starts_with(b"[DONE]") {
            return 0;
        }
        match self {
            Follower::Chat(follower) => follower.event(data),
            Follower::Responses(follower) => follower.event(data),
            Follower::Anthropic(follower) => follower.event(data),
            Follower::Gemini(follower) => follower.event(data),
        }
    }

    /// Writes what ends the stream after the whole events so far; `array` is where a JSON array stands then.
    pub(super) fn end(&self, framing: Framing, array: ArrayPosition, usage: &TokenUsage) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        match self {
            Follower::Chat(follower) => follower.end(usage, &mut out),
            Follower::Responses(follower) => follower.end(usage, &mut out),
            Follower::Anthropic(follower) => follower.end(usage, &mut out),
            Follower::Gemini(follower) => follower.end(framing, array, usage, &mut out),
        }
        out
    }
}

/// Values beyond this many bytes are not kept.
const MAX_KEPT_BYTES: usize = 256;

/// Keeps the JSON text of a small value; null and what is large leave what was kept before.
fn keep(kept: &mut Option<Box<str>>, raw: Option<&RawValue>) {
    if kept.is_none()
        && let Some(raw) = raw.filter(|raw| raw.get().len() <= MAX_KEPT_BYTES && raw.get() != "null")
    {
        *kept = Some(raw.get().into());
    }
}

/// Gives the bytes within a string literal; 0 for anything else.
fn said(raw: Option<&RawValue>) -> usize {
    raw.map_or(0, |raw| if raw.get().starts_with('"') { raw.get().len().saturating_sub(2) } else { 0 })
}
