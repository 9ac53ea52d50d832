//! Places of messages and schemas in the words of the client's dialect.

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

/// Names the schema of tool number `at`.
pub(super) fn tool_schema(from: Dialect, at: usize) -> String {
    match from {
        Dialect::OpenAiChat => format!("tools[{at}].function.parameters"),
        Dialect::OpenAiResponses => format!("tools[{at}].parameters"),
        Dialect::Anthropic => format!("tools[{at}].input_schema"),
        Dialect::Gemini => format!("tools[{at}].parametersJsonSchema"),
    }
}
