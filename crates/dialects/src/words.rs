//! What clients of each dialect call what the form holds, for warnings and refusals.

use crate::form::{OutputFormat, Request, Tier};
use cliproxy_domain::Dialect;

/// A field that some dialect cannot be told as it is, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Temperature,
    TopP,
    TopK,
    PresencePenalty,
    FrequencyPenalty,
    Seed,
    TopLogprobs,
    Stop,
    MaxOutput,
    Effort,
    Format,
    Verbosity,
    Tier,
    User,
    ParallelTools,
}

/// Gives the field's name in the words of the request's own dialect. A client reads it in a header: it must find it
/// in what it sent.
pub(crate) fn word(word: Word, request: &Request) -> &'static str {
    match request.from {
        Dialect::OpenAiChat => openai(word, request),
        Dialect::OpenAiResponses => responses(word, request),
        Dialect::Anthropic => anthropic(word, request),
        Dialect::Gemini => gemini(word, request),
    }
}

/// The names of Chat Completions, which others share as far as they have none of their own.
fn openai(word: Word, request: &Request) -> &'static str {
    match word {
        Word::Temperature => "temperature",
        Word::TopP => "top_p",
        Word::TopK => "top_k",
        Word::PresencePenalty => "presence_penalty",
        Word::FrequencyPenalty => "frequency_penalty",
        Word::Seed => "seed",
        Word::TopLogprobs => "top_logprobs",
        Word::Stop => "stop",
        Word::MaxOutput => "max_completion_tokens",
        Word::Effort => "reasoning_effort",
        Word::Format => "response_format",
        Word::Verbosity => "verbosity",
        Word::Tier => "service_tier",
        // The older name is still the commoner one.
        Word::User if request.quiet.get("user").is_some() => "user",
        Word::User => "safety_identifier",
        Word::ParallelTools => "parallel_tool_calls",
    }
}

fn responses(word: Word, request: &Request) -> &'static str {
    match word {
        Word::MaxOutput => "max_output_tokens",
        Word::Effort => "reasoning.effort",
        Word::Format => "text.format",
        Word::Verbosity => "text.verbosity",
        _ => openai(word, request),
    }
}

fn anthropic(word: Word, request: &Request) -> &'static str {
    match word {
        Word::Stop => "stop_sequences",
        Word::MaxOutput => "max_tokens",
        Word::Effort if request.quiet.get("thinking").is_some() => "thinking",
        Word::Effort => "output_config.effort",
        Word::Format => "output_config.format",
        Word::Tier if request.tier == Some(Tier::Fast) => "speed",
        Word::User => "metadata.user_id",
        Word::ParallelTools => "tool_choice.disable_parallel_tool_use",
        _ => openai(word, request),
    }
}

fn gemini(word: Word, request: &Request) -> &'static str {
    match word {
        Word::Temperature => "generationConfig.temperature",
        Word::TopP => "generationConfig.topP",
        Word::TopK => "generationConfig.topK",
        Word::PresencePenalty => "generationConfig.presencePenalty",
        Word::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Word::Seed => "generationConfig.seed",
        Word::TopLogprobs => "generationConfig.logprobs",
        Word::Stop => "generationConfig.stopSequences",
        Word::MaxOutput => "generationConfig.maxOutputTokens",
        Word::Effort => "generationConfig.thinkingConfig",
        Word::Format => gemini_format(request),
        Word::Tier => "serviceTier",
        Word::Verbosity | Word::User | Word::ParallelTools => openai(word, request),
    }
}

fn gemini_format(request: &Request) -> &'static str {
    let spelled = |name| request.bag.spelling(Dialect::Gemini, name).is_some();
    match &request.format {
        Some(OutputFormat::Schema { .. }) if spelled("responseJsonSchema") => {
            "generationConfig.responseJsonSchema"
        }
        Some(OutputFormat::Schema { .. }) => "generationConfig.responseSchema",
        _ => "generationConfig.responseMimeType",
    }
}
