//! What an answer is written with.

use super::Notes;
use crate::{envelope::Sealer, form::Request, framing::Framing};
use cliproxy_domain::Dialect;
use serde_json::{Map, Value};

/// What an answer is written with: facts of its request, and identity for what the provider names differently.
#[derive(Clone, Debug)]
pub struct ReplyContext {
    /// The client's dialect.
    pub client: Dialect,
    /// How a stream is framed for the client.
    pub framing: Framing,
    /// The provider's dialect.
    pub upstream: Dialect,
    /// The model as the client asked for it: what the answer says.
    pub model: String,
    /// The model as the provider was asked for it: what envelopes say.
    pub upstream_model: String,
    /// The credential that was used: encrypted reasoning is bound to it.
    pub credential: String,
    /// Closes envelopes for this provider.
    pub sealer: Sealer,
    /// New ids.
    pub ids: Ids,
    /// Now, in Unix seconds, for answers whose provider does not say.
    pub created: i64,
    /// What the request left behind.
    pub notes: Notes,
    /// Whether a client whose dialect shows reasoning only on demand is to see it: it asked for an effort, or for
    /// the thoughts.
    pub shows_reasoning: bool,
    /// Whether the client of a chat stream asked for usage.
    pub stream_usage: bool,
    /// An estimate of the prompt's tokens, for dialects that must say a number before it is known.
    pub input_estimate: u64,
    /// The fields of a Responses request that its answer repeats; empty for other clients.
    pub echo: Map<String, Value>,
}

impl ReplyContext {
    /// Tells whether a client that sent `request` is to see reasoning, where its dialect shows it on demand alone, or
    /// has no standard place for it (§10 of the wire formats).
    pub fn shows_reasoning(request: &Request) -> bool {
        match request.from {
            Dialect::OpenAiChat => request.reasoning.effort.is_some() || request.has_reasoning(),
            Dialect::Gemini => request.reasoning.shown == Some(true),
            // Who did not ask for thinking reads the first block as the answer.
            Dialect::Anthropic => request.wants_thoughts() || request.has_reasoning(),
            Dialect::OpenAiResponses => true,
        }
    }
}

/// Makes ids that are new with each request and the same throughout it.
#[derive(Clone, Copy, Debug)]
pub struct Ids([u64; 2]);

impl Ids {
    /// Takes 128 random bits.
    pub fn new(random: [u64; 2]) -> Self {
        Self(random)
    }

    /// Gives the answer's id in a client's dialect.
    pub fn answer(&self, dialect: Dialect) -> String {
        let [a, b] = self.0;
        match dialect {
            Dialect::OpenAiChat => format!("chatcmpl-{a:016x}{:08x}", b as u32),
            Dialect::OpenAiResponses => format!("resp_{a:016x}{b:016x}"),
            Dialect::Anthropic => format!("msg_{a:016x}{:08x}", b as u32),
            Dialect::Gemini => format!("{a:016x}{:08x}", b as u32),
        }
    }

    /// Gives the id of the answer's item number `ordinal`, as `fc_…`.
    pub fn item(&self, prefix: &str, ordinal: u32) -> String {
        let [a, b] = self.0;
        format!("{prefix}_{a:016x}{b:016x}{ordinal:04x}")
    }

    /// Gives the id of the call number `ordinal`, where the provider gave none.
    pub fn call(&self, ordinal: u32) -> String {
        let [a, b] = self.0;
        format!("call_{a:016x}{:08x}{ordinal:04x}", b as u32)
    }
}
