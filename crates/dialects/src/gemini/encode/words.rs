//! Fields in the words of the client's dialect, for warnings and refusals.

use crate::form::{PartKind, Request};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// Names the list of messages.
pub(super) fn list(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat | Dialect::Anthropic => "messages",
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
    }
}

/// Names the message that holds the call `id`, as far as its place is known: several items of a Responses request may
/// be one turn, and system prompts stand outside the list in other dialects than chat.
pub(super) fn message_of_call(request: &Request, id: &str) -> Cow<'static, str> {
    let list = list(request.from);
    let outside = match request.from {
        Dialect::OpenAiChat => 0,
        Dialect::OpenAiResponses => return Cow::Borrowed(list),
        Dialect::Anthropic | Dialect::Gemini => {
            request.turns.iter().take_while(|turn| turn.role.is_instruction()).count()
        }
    };
    let calls = |kind: &PartKind| matches!(kind, PartKind::ToolCall(call) if call.id == id);
    let place = request.turns.iter().position(|turn| turn.parts.iter().any(|part| calls(&part.kind)));
    place.map_or(Cow::Borrowed(list), |at| Cow::Owned(format!("{list}[{}]", at.saturating_sub(outside))))
}

/// Names the field that says how much to think.
pub(super) fn effort(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat => "reasoning_effort",
        Dialect::OpenAiResponses => "reasoning.effort",
        Dialect::Anthropic => "thinking",
        Dialect::Gemini => "generationConfig.thinkingConfig",
    }
}

/// Names the list of stop texts.
pub(super) fn stop(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "stop",
        Dialect::Anthropic => "stop_sequences",
        Dialect::Gemini => "generationConfig.stopSequences",
    }
}

/// Names the field of the client's own id.
pub(super) fn user(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "safety_identifier",
        Dialect::Anthropic => "metadata.user_id",
        Dialect::Gemini => "labels",
    }
}

/// Names the field that says how many words to make.
pub(super) fn verbosity(from: Dialect) -> &'static str {
    if from == Dialect::OpenAiResponses { "text.verbosity" } else { "verbosity" }
}

/// Names the field that allows several calls at once.
pub(super) fn parallel(from: Dialect) -> &'static str {
    if from == Dialect::Anthropic { "tool_choice.disable_parallel_tool_use" } else { "parallel_tool_calls" }
}

/// Names the schema of tool number `at`.
pub(super) fn tool_schema(from: Dialect, at: usize) -> String {
    match from {
        Dialect::OpenAiChat => format!("tools[{at}].function.parameters"),
        Dialect::OpenAiResponses => format!("tools[{at}].parameters"),
        Dialect::Anthropic => format!("tools[{at}].input_schema"),
        Dialect::Gemini => format!("tools[{at}].parametersJsonSchema"),
    }
}
