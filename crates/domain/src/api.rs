//! The client APIs that cliproxy speaks, and the kinds of provider that it calls.

use serde::{Deserialize, Serialize};

/// One of the four wire formats, on the client's side or the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions, and the endpoints that share its error shape (embeddings, models).
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google Gemini `generateContent`.
    Gemini,
}

impl Dialect {
    /// Names the dialect as metrics, logs and `explain` show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAiChat => "openai_chat",
            Dialect::OpenAiResponses => "openai_responses",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
        }
    }
}

/// What a request asks of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Generates text: chat completions, responses, messages, `generateContent`.
    Generate,
    /// Counts the tokens of a prompt.
    CountTokens,
    /// Embeds texts.
    Embed,
}

/// The family a provider belongs to: it decides paths, authentication and the meaning of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// `api.anthropic.com` and servers that speak its Messages API.
    Anthropic,
    /// `api.openai.com`: Chat Completions, Responses and embeddings.
    #[serde(rename = "openai")]
    OpenAi,
    /// `generativelanguage.googleapis.com`.
    Gemini,
    /// Servers that speak Chat Completions and embeddings, but not Responses.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
}

impl ProviderKind {
    /// Tells whether a provider of this kind takes requests of `dialect` as they are.
    pub fn speaks(self, dialect: Dialect) -> bool {
        match self {
            ProviderKind::Anthropic => dialect == Dialect::Anthropic,
            ProviderKind::OpenAi => matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses),
            ProviderKind::Gemini => dialect == Dialect::Gemini,
            ProviderKind::OpenAiCompatible => dialect == Dialect::OpenAiChat,
        }
    }

    /// Names the kind as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProviderKind::Anthropic => "anthropic",
            ProviderKind::OpenAi => "openai",
            ProviderKind::Gemini => "gemini",
            ProviderKind::OpenAiCompatible => "openai_compatible",
        }
    }
}
