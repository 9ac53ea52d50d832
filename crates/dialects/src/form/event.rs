//! A streamed answer, event by event.

use super::{Citation, Finish, Opaque, ReasoningForm};
use cliproxy_domain::TokenUsage;
use serde_json::Value;
use std::borrow::Cow;

/// One event of a streamed answer (§12.2 of the wire formats).
///
/// What a decoder guarantees: `Start` comes first, once; `Delta`, `State`, `Cite` and `Close` name an open
/// block; blocks are numbered from 0 in each choice in the order in which they open, and numbers are not used
/// again; a tool call opens when its id and name are known; `Usage` is a running total; every block is closed
/// before its choice's `Finish`; `End` comes last, once, and only after a `Finish` for every choice seen. Failures
/// are not events: a decoder returns them, and says nothing afterwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins.
    Start {
        /// The provider's id of it.
        id: Option<Cow<'a, str>>,
        /// The model as the provider names it.
        model: Option<Cow<'a, str>>,
        /// When it was made, in Unix seconds.
        created: Option<i64>,
    },
    /// A block begins.
    Open {
        /// In which choice.
        choice: u32,
        /// Its number.
        block: u32,
        /// What it is.
        kind: BlockKind<'a>,
    },
    /// More of a block: text, reasoning text, JSON text of a call's arguments, free input.
    Delta {
        /// In which choice.
        choice: u32,
        /// Which block.
        block: u32,
        /// The text; never empty.
        text: Cow<'a, str>,
    },
    /// A block's signature, or its encrypted content.
    State {
        /// In which choice.
        choice: u32,
        /// Which block.
        block: u32,
        /// The state.
        state: Opaque,
    },
    /// A citation of a block of text.
    Cite {
        /// In which choice.
        choice: u32,
        /// Which block.
        block: u32,
        /// The citation.
        citation: Box<Citation>,
    },
    /// Log probabilities of what was just said, in OpenAI chat's shape.
    Logprobs {
        /// In which choice.
        choice: u32,
        /// The elements of `logprobs.content`.
        content: Vec<Value>,
    },
    /// A block ends.
    Close {
        /// In which choice.
        choice: u32,
        /// Which block.
        block: u32,
    },
    /// The tokens so far.
    Usage(TokenUsage),
    /// Why a choice ended.
    Finish {
        /// Which choice.
        choice: u32,
        /// Why.
        finish: Finish,
    },
    /// The answer is whole.
    End,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockKind<'a> {
    /// Plain text.
    Text,
    /// The model's words for not answering.
    Refusal,
    /// What the model thinks.
    Reasoning(ReasoningForm),
    /// A call of a tool.
    ToolCall {
        /// What its result is matched by; never empty.
        id: Cow<'a, str>,
        /// The tool.
        name: Cow<'a, str>,
        /// Whether its deltas are free text and not JSON.
        free: bool,
    },
}
