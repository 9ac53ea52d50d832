//! Token counts: every dialect's spelling, read into one.

use cliproxy_domain::{Dialect, Operation, TokenUsage};
use serde::{Deserialize, de::Deserializer};
use serde_json::value::RawValue;

/// Counts as a dialect spells them, each of them there or not.
///
/// Reports of one answer are merged, never added up: providers repeat running totals, and some report the
/// right split only at the end (pitfalls 15 and 17 of the wire formats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `prompt_tokens`, `input_tokens`, `promptTokenCount`.
    pub input: Option<u64>,
    /// Gemini's `toolUsePromptTokenCount`, which its prompt count leaves out.
    pub tool_use_input: Option<u64>,
    /// Prompt tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to a cache.
    pub cache_write: Option<u64>,
    /// `completion_tokens`, `output_tokens`, `candidatesTokenCount`.
    pub output: Option<u64>,
    /// Tokens spent on reasoning.
    pub reasoning: Option<u64>,
}

impl Counts {
    /// Reads a usage object; none when it is not one.
    pub fn read(dialect: Dialect, json: &str) -> Option<Self> {
        match dialect {
            Dialect::OpenAiChat => serde_json::from_str::<ChatUsage>(json).ok().map(Counts::from),
            Dialect::OpenAiResponses => serde_json::from_str::<ResponsesUsage>(json).ok().map(Counts::from),
            Dialect::Anthropic => serde_json::from_str::<AnthropicUsage>(json).ok().map(Counts::from),
            Dialect::Gemini => serde_json::from_str::<GeminiUsage>(json).ok().map(Counts::from),
        }
    }

    /// Takes what a later report says; what it leaves out or has as null stays.
    pub fn merge(&mut self, later: Counts) {
        self.input = later.input.or(self.input);
        self.tool_use_input = later.tool_use_input.or(self.tool_use_input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
    }

    /// Tells whether input or output were reported at all.
    pub fn reported(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }

    /// Gives the counts in the spelling of the ledger, with `guess` for input or output that nobody reported.
    pub fn total(&self, dialect: Dialect, guess: TokenUsage) -> TokenUsage {
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or(0);
        let reasoning = self.reasoning.unwrap_or(0);
        let input = self.input.map(|input| match dialect {
            Dialect::Anthropic => input.saturating_add(cache_read).saturating_add(cache_write),
            Dialect::Gemini => input.saturating_add(self.tool_use_input.unwrap_or(0)),
            Dialect::OpenAiChat | Dialect::OpenAiResponses => input,
        });
        // Gemini leaves `candidatesTokenCount` out while it only thinks, but never counts thoughts in it.
        let output = match (dialect, self.output, self.reasoning) {
            (Dialect::Gemini, Some(output), _) => Some(output.saturating_add(reasoning)),
            (Dialect::Gemini, None, Some(thoughts)) => Some(thoughts),
            (_, output, _) => output,
        };
        TokenUsage {
            input: input.unwrap_or(guess.input),
            output: output.unwrap_or(guess.output),
            cache_read,
            cache_write,
            reasoning,
            estimated: if input.is_none() { guess.input } else { 0 }
                + if output.is_none() { guess.output } else { 0 },
        }
    }
}

/// Guesses the tokens of a call whose provider reported none: a token for four bytes of the request, and
/// `output` as counted by the caller (content events of a stream, a quarter of the bytes of an answer).
///
/// Nothing is guessed for counting tokens, which costs none, and no output for embeddings.
pub fn estimate(operation: Operation, request_bytes: usize, output: u64) -> TokenUsage {
    let input = u64::try_from(request_bytes / 4).unwrap_or(u64::MAX);
    let (input, output) = match operation {
        Operation::Generate => (input, output),
        Operation::Embed => (input, 0),
        Operation::CountTokens => (0, 0),
    };
    TokenUsage { input, output, estimated: input.saturating_add(output), ..TokenUsage::default() }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChatUsage {
    prompt_tokens: Tokens,
    completion_tokens: Tokens,
    prompt_tokens_details: Option<CachedDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponsesUsage {
    input_tokens: Tokens,
    output_tokens: Tokens,
    input_tokens_details: Option<CachedDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnthropicUsage {
    input_tokens: Tokens,
    output_tokens: Tokens,
    cache_read_input_tokens: Tokens,
    cache_creation_input_tokens: Tokens,
    output_tokens_details: Option<ThinkingDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GeminiUsage {
    prompt_token_count: Tokens,
    tool_use_prompt_token_count: Tokens,
    cached_content_token_count: Tokens,
    candidates_token_count: Tokens,
    thoughts_token_count: Tokens,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CachedDetails {
    cached_tokens: Tokens,
    cache_write_tokens: Tokens,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Tokens,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ThinkingDetails {
    thinking_tokens: Tokens,
}

impl From<ChatUsage> for Counts {
    fn from(usage: ChatUsage) -> Self {
        openai(
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.prompt_tokens_details,
            usage.completion_tokens_details,
        )
    }
}

impl From<ResponsesUsage> for Counts {
    fn from(usage: ResponsesUsage) -> Self {
        openai(
            usage.input_tokens,
            usage.output_tokens,
            usage.input_tokens_details,
            usage.output_tokens_details,
        )
    }
}

fn openai(
    input: Tokens,
    output: Tokens,
    cached: Option<CachedDetails>,
    details: Option<OutputDetails>,
) -> Counts {
    Counts {
        input: input.0,
        tool_use_input: None,
        cache_read: cached.as_ref().and_then(|details| details.cached_tokens.0),
        cache_write: cached.as_ref().and_then(|details| details.cache_write_tokens.0),
        output: output.0,
        reasoning: details.and_then(|details| details.reasoning_tokens.0),
    }
}

impl From<AnthropicUsage> for Counts {
    fn from(usage: AnthropicUsage) -> Self {
        Counts {
            input: usage.input_tokens.0,
            tool_use_input: None,
            cache_read: usage.cache_read_input_tokens.0,
            cache_write: usage.cache_creation_input_tokens.0,
            output: usage.output_tokens.0,
            reasoning: usage.output_tokens_details.and_then(|details| details.thinking_tokens.0),
        }
    }
}

impl From<GeminiUsage> for Counts {
    fn from(usage: GeminiUsage) -> Self {
        Counts {
            input: usage.prompt_token_count.0,
            tool_use_input: usage.tool_use_prompt_token_count.0,
            cache_read: usage.cached_content_token_count.0,
            cache_write: None,
            output: usage.candidates_token_count.0,
            reasoning: usage.thoughts_token_count.0,
        }
    }
}

/// A count, or nothing where a server wrote null, a negative number or no number at all. One odd field must
/// not lose the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tokens(Option<u64>);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let count = raw.get().parse::<f64>().ok().filter(|count| *count >= 0.0);
        // Beyond this no sum of the ledger could be trusted; no answer has a quadrillion tokens.
        Ok(Tokens(count.map(|count| (count as u64).min(1 << 50))))
    }
}

#[cfg(test)]
mod tests;
