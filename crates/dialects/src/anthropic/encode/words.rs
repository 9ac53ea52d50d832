//! The places of messages in the words of the client.

use crate::{
    form::{Part, PartKind, Request},
    places,
};
use std::borrow::Cow;

/// Names the message that `part` stands in. Only in chat is the place in the list the same as in the form.
pub(super) fn place(request: &Request, part: &Part) -> Cow<'static, str> {
    let at = request.turns.iter().position(|turn| turn.parts.iter().any(|one| is_within(one, part)));
    at.map_or(Cow::Borrowed(places::list(request.from)), |at| places::turn(request.from, at))
}

fn is_within(one: &Part, part: &Part) -> bool {
    let inner: &[Part] = match &one.kind {
        PartKind::ToolResult(result) => &result.content,
        _ => &[],
    };
    std::ptr::eq(one, part) || inner.iter().any(|inner| std::ptr::eq(inner, part))
}
