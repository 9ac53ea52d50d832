//! A whole answer.

use super::Part;
use cliproxy_domain::{Dialect, TokenUsage};
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model as the provider names it.
    pub model: Option<String>,
    /// When it was made, in Unix seconds.
    pub created: Option<i64>,
    /// The answers, by index.
    pub choices: Vec<Choice>,
    /// The tokens, where the provider reported them.
    pub usage: Option<TokenUsage>,
    /// The service tier that was used, in the words of the form's dialect-neutral names where known.
    pub tier: Option<super::Tier>,
    /// OpenAI's `system_fingerprint`.
    pub fingerprint: Option<String>,
}

/// One answer of possibly several.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its index.
    pub index: u32,
    /// What it says, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// Log probabilities in OpenAI chat's shape, the elements of `logprobs.content`.
    pub logprobs: Option<Vec<Value>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    End,
    /// At one of the client's stop texts, and at which, where that is known.
    StopSequence(Option<String>),
    /// At the limit of output tokens.
    MaxTokens,
    /// At the end of the model's context.
    ContextWindow,
    /// To call tools.
    ToolUse,
    /// The provider's filter stopped it. `native` is the provider's own word, as `RECITATION`.
    ContentFilter {
        /// The dialect and its word.
        native: Option<(Dialect, String)>,
    },
    /// The model declined.
    Refusal {
        /// Anthropic's category.
        category: Option<String>,
        /// Anthropic's explanation.
        explanation: Option<String>,
    },
    /// It waits to be resumed (Anthropic's `pause_turn`, Gemini's `CONTINUATION`), with the token to do so.
    Pause {
        /// Gemini's `continuationToken`.
        token: Option<String>,
    },
}

impl Finish {
    /// Gives what is told of an answer that `called` tools: an ordinary end is a call for tools, whatever the
    /// provider says (§10 of the wire formats).
    pub fn with_calls(self, called: bool) -> Finish {
        if called && self == Finish::End { Finish::ToolUse } else { self }
    }
}
