//! What clients of each dialect call what the form holds, for warnings and refusals.

use crate::form::{Part, Request};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// A field that Anthropic cannot be told as it is, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Temperature,
    TopP,
    TopK,
    PresencePenalty,
    FrequencyPenalty,
    Seed,
    TopLogprobs,
    Stop,
    Effort,
    Format,
    Tier,
    Verbosity,
}

/// Gives the field's name in the client's dialect.
pub(super) fn word(word: Word, from: Dialect) -> &'static str {
    if from == Dialect::Gemini {
        return gemini(word);
    }
    match (word, from) {
        (Word::Temperature, _) => "temperature",
        (Word::TopP, _) => "top_p",
        (Word::TopK, _) => "top_k",
        (Word::PresencePenalty, _) => "presence_penalty",
        (Word::FrequencyPenalty, _) => "frequency_penalty",
        (Word::Seed, _) => "seed",
        (Word::TopLogprobs, _) => "top_logprobs",
        (Word::Stop, Dialect::Anthropic) => "stop_sequences",
        (Word::Stop, _) => "stop",
        (Word::Effort, Dialect::OpenAiChat) => "reasoning_effort",
        (Word::Effort, Dialect::OpenAiResponses) => "reasoning.effort",
        (Word::Effort, _) => "thinking",
        (Word::Format, Dialect::OpenAiChat) => "response_format",
        (Word::Format, Dialect::OpenAiResponses) => "text.format",
        (Word::Format, _) => "output_config.format",
        (Word::Tier, _) => "service_tier",
        (Word::Verbosity, Dialect::OpenAiResponses) => "text.verbosity",
        (Word::Verbosity, _) => "verbosity",
    }
}

fn gemini(word: Word) -> &'static str {
    match word {
        Word::Temperature => "generationConfig.temperature",
        Word::TopP => "generationConfig.topP",
        Word::TopK => "generationConfig.topK",
        Word::PresencePenalty => "generationConfig.presencePenalty",
        Word::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Word::Seed => "generationConfig.seed",
        Word::TopLogprobs => "generationConfig.logprobs",
        Word::Stop => "generationConfig.stopSequences",
        Word::Effort => "generationConfig.thinkingConfig",
        Word::Format => "generationConfig.responseMimeType",
        Word::Tier => "serviceTier",
        Word::Verbosity => "verbosity",
    }
}

/// Names the list of messages.
pub(super) fn messages(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat | Dialect::Anthropic => "messages",
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
    }
}

/// Names the message that `part` stands in. Only in chat is the place in the list the same as in the form.
pub(super) fn place(request: &Request, part: &Part) -> Cow<'static, str> {
    let list = messages(request.from);
    if request.from != Dialect::OpenAiChat {
        return Cow::Borrowed(list);
    }
    let at = request.turns.iter().position(|turn| turn.parts.iter().any(|one| is_within(one, part)));
    at.map_or(Cow::Borrowed(list), |at| Cow::Owned(format!("{list}[{at}]")))
}

fn is_within(one: &Part, part: &Part) -> bool {
    use crate::form::PartKind;
    let inner: &[Part] = match &one.kind {
        PartKind::ToolResult(result) => &result.content,
        _ => &[],
    };
    std::ptr::eq(one, part) || inner.iter().any(|inner| std::ptr::eq(inner, part))
}
