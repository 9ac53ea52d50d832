//! How a server that calls itself OpenAI-compatible differs from OpenAI, declared rather than programmed.

use crate::failure::ErrorClass;

/// What is particular about a server. The default is OpenAI itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The header that carries the key.
    pub auth_header: String,
    /// What stands before the key in it, with the space; empty for the bare key.
    pub auth_prefix: String,
    /// Headers that every request carries.
    pub headers: Vec<(String, String)>,
    /// Where chat completions are, below the base URL. `{model}` stands for the model's name. A path of `None` is
    /// the usual one below `/v1`.
    pub chat_path: Option<String>,
    /// The same for embeddings.
    pub embeddings_path: Option<String>,
    /// A query that every request carries, as `api-version=2026-06-01`.
    pub query: Option<String>,
    /// How the limit of output tokens is spelled.
    pub max_tokens: MaxTokensName,
    /// Whether a stream's usage is asked for with `stream_options.include_usage`.
    pub stream_usage: bool,
    /// Where reasoning text stands in messages, beside the names that are always read.
    pub reasoning_field: String,
    /// Whether the `developer` role is known; otherwise it is sent as `system`.
    pub developer_role: bool,
    /// Whether tool definitions may be `strict`, and response formats a JSON schema with a name.
    pub strict_schemas: bool,
    /// Whether `parallel_tool_calls` is known.
    pub parallel_tool_calls: bool,
    /// Characters of a tool call's id at most.
    pub max_tool_id: usize,
    /// What errors mean, where the usual reading is wrong; the first that fits has the word.
    pub errors: Vec<ErrorRule>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            auth_header: "authorization".to_owned(),
            auth_prefix: "Bearer ".to_owned(),
            headers: Vec::new(),
            chat_path: None,
            embeddings_path: None,
            query: None,
            max_tokens: MaxTokensName::MaxCompletionTokens,
            stream_usage: true,
            reasoning_field: "reasoning_content".to_owned(),
            developer_role: true,
            strict_schemas: true,
            parallel_tool_calls: true,
            max_tool_id: 64,
            errors: Vec::new(),
        }
    }
}

/// How a chat server spells the limit of output tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaxTokensName {
    /// `max_completion_tokens`, OpenAI's newer name.
    MaxCompletionTokens,
    /// `max_tokens`, the older name, which most compatible servers know alone.
    MaxTokens,
}

impl MaxTokensName {
    /// Both names.
    pub const ALL: [MaxTokensName; 2] = [MaxTokensName::MaxCompletionTokens, MaxTokensName::MaxTokens];

    /// Gives the field's name.
    pub fn as_str(self) -> &'static str {
        match self {
            MaxTokensName::MaxCompletionTokens => "max_completion_tokens",
            MaxTokensName::MaxTokens => "max_tokens",
        }
    }
}

/// What an error means. Every condition that is there must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRule {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The envelope's `code` or `type`.
    pub code: Option<String>,
    /// A part of the message, in any case.
    pub message: Option<String>,
    /// What it means.
    pub class: ErrorClass,
}

/// What happens to what a request asks for and its target cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnLoss {
    /// It is left out or emulated, and the answer's `x-cliproxy-warnings` says so.
    #[default]
    Warn,
    /// The target is not used.
    Refuse,
}

impl OnLoss {
    /// Both choices.
    pub const ALL: [OnLoss; 2] = [OnLoss::Warn, OnLoss::Refuse];

    /// Names the choice as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            OnLoss::Warn => "warn",
            OnLoss::Refuse => "refuse",
        }
    }
}

/// What happens to tools that only another vendor's servers can run, as web search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnsupportedTools {
    /// The target is not used.
    #[default]
    Reject,
    /// They are left out with a warning. Coding agents declare such tools always and seldom need them.
    Drop,
}

impl UnsupportedTools {
    /// Both choices.
    pub const ALL: [UnsupportedTools; 2] = [UnsupportedTools::Reject, UnsupportedTools::Drop];

    /// Names the choice as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            UnsupportedTools::Reject => "reject",
            UnsupportedTools::Drop => "drop",
        }
    }
}

/// How requests are translated between dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslationPolicy {
    /// What happens to what the target cannot be told.
    pub on_loss: OnLoss,
    /// What happens to tools that only another vendor's servers can run.
    pub unsupported_tools: UnsupportedTools,
    /// The `max_tokens` of a request to Anthropic that names none, where the model's own limit is not known or is
    /// higher.
    pub default_max_tokens: u64,
}

impl Default for TranslationPolicy {
    fn default() -> Self {
        Self {
            on_loss: OnLoss::Warn,
            unsupported_tools: UnsupportedTools::Reject,
            default_max_tokens: 32_000,
        }
    }
}
