//! Instructions and messages.

use super::{
    blocks::{Block, Writer, begin_with_thinking, blocks},
    thinking::Cover,
};
use crate::{
    form::{Part, PartKind, Refused, Request, Role},
    json::Object,
    translate::Target,
    turns::{Conversation, Turn},
};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// What stands in for JSON mode, which Anthropic knows only with a schema.
pub(super) const ONE_OBJECT: &str = "Answer with one JSON object and nothing else.";

/// Writes `system`: a string where it is one plain text.
pub(super) fn system(
    parts: &[Cow<'_, Part>],
    object: &mut Object<'_>,
    writer: &mut Writer<'_, '_>,
) -> Result<(), Refused> {
    let parts: Vec<Block<'_>> = parts.iter().map(|part| Block::Part(part.as_ref())).collect();
    if !parts.is_empty() {
        write(&parts, "system", Role::System, object, writer)?;
    }
    Ok(())
}

/// Writes `messages`.
pub(super) fn messages(
    turns: &[Turn<'_>],
    object: &mut Object<'_>,
    writer: &mut Writer<'_, '_>,
) -> Result<(), Refused> {
    let mut list = object.array("messages");
    for turn in turns {
        let mut blocks = blocks(&turn.parts, writer.target);
        if writer.thinking_first && turn.role == Role::Assistant {
            begin_with_thinking(&mut blocks);
        }
        if !blocks.iter().any(Block::says_something) {
            continue;
        }
        let mut message = list.object();
        message.field("role", if turn.role == Role::User { "user" } else { role(turn.role) });
        write(&blocks, "content", turn.role, &mut message, writer)?;
    }
    Ok(())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Developer => "system",
    }
}

fn write(
    blocks: &[Block<'_>],
    key: &str,
    role: Role,
    object: &mut Object<'_>,
    writer: &mut Writer<'_, '_>,
) -> Result<(), Refused> {
    if let [Block::Part(part)] = blocks
        && let Some(text) = plain(part)
    {
        object.field(key, text);
        return Ok(());
    }
    let mut list = object.array(key);
    blocks.iter().try_for_each(|block| writer.block(block, role, &mut list))
}

/// Gives the text of a part that is text and nothing else.
pub(super) fn plain(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::Text { text, citations }
            if citations.is_empty() && part.cache.is_none() && part.bag.is_empty() && !text.is_empty() =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Looks how the calls of the current tool loop are covered: the turns from the end back to the last in which the
/// user says something new.
pub(super) fn cover(conversation: &Conversation<'_>, request: &Request, target: &Target<'_>) -> Cover {
    let mut cover = Cover::default();
    for turn in conversation.turns.iter().rev() {
        let answers = turn.parts.iter().any(|part| matches!(part.kind, PartKind::ToolResult(_)));
        match turn.role {
            Role::User if !answers => break,
            Role::Assistant => {
                let calls = turn.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
                if calls {
                    let had = turn
                        .parts
                        .iter()
                        .any(|part| part.state.is_some() || matches!(part.kind, PartKind::Reasoning { .. }));
                    let has = blocks(&turn.parts, target).iter().any(Block::is_thinking);
                    cover.lost |= had && !has;
                    // The first turn of the loop is the last that is looked at.
                    cover.bare = !has;
                }
            }
            Role::User | Role::System | Role::Developer => {}
        }
    }
    // A client of another dialect that brings no state at all has no pocket for it, or does not know of it.
    cover.lost |= cover.bare && request.from != Dialect::Anthropic && !carries_state(request);
    cover
}

fn carries_state(request: &Request) -> bool {
    request.turns.iter().flat_map(|turn| &turn.parts).any(|part| part.state.is_some())
}
