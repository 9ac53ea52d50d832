//! Places of messages and schemas in the words of the client's dialect.

use crate::{
    form::{PartKind, Request},
    places,
};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// Names the message that holds the call `id`, as far as its place is known.
pub(super) fn message_of_call(request: &Request, id: &str) -> Cow<'static, str> {
    let calls = |kind: &PartKind| matches!(kind, PartKind::ToolCall(call) if call.id == id);
    let place = request.turns.iter().position(|turn| turn.parts.iter().any(|part| calls(&part.kind)));
    place.map_or(Cow::Borrowed(places::list(request.from)), |at| places::turn_of(request, at))
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
