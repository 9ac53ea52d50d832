//! The places of messages in the words of the client.

use crate::form::{Part, Request};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

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
