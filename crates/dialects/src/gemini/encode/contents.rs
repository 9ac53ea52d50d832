//! `contents` and `systemInstruction` (§9.3 to §9.5 of the wire formats).

use super::{
    super::fields::within,
    parts,
    signatures::{self, FILLER, Signed},
};
use crate::{
    form::{Bag, Part, PartKind, Refused, Request, Role},
    json::Object,
    translate::{Notes, Target},
    turns::{self, Rules},
};
use cliproxy_domain::Dialect;
use std::{borrow::Cow, collections::BTreeMap, slice};

/// What is sent of the conversation.
pub(super) struct Conversation<'r> {
    pub(super) system: Vec<Cow<'r, Part>>,
    turns: Vec<Content<'r>>,
}

struct Content<'r> {
    role: Role,
    parts: Vec<Signed<'r>>,
    bag: Option<&'r Bag>,
}

/// The calls written so far, by their id: what their results must repeat.
pub(super) type Calls = BTreeMap<String, Called>;

/// A call as it was written.
pub(super) struct Called {
    pub(super) name: String,
    pub(super) id: Option<String>,
}

/// Orders the conversation and signs its parts. Gemini's own stays as the client wrote it.
///
/// # Errors
/// When a call has no result or a result no call, and when no user turn says anything.
pub(super) fn conversation<'r>(
    request: &'r Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Conversation<'r>, Refused> {
    if request.from == Dialect::Gemini {
        return Ok(native(request, target));
    }
    let rules = Rules { system_anywhere: false, prefill: false };
    let ordered = turns::ordered(request, rules, notes)?;
    let mut turns: Vec<Content<'r>> = Vec::with_capacity(ordered.turns.len());
    for turn in ordered.turns {
        let mut placed = signatures::place(turn.parts, target, false);
        name_calls(&mut placed.parts);
        // A turn of foreign reasoning alone is none; its neighbours are of one role then.
        match turns.last_mut() {
            _ if placed.parts.is_empty() => {}
            Some(last) if last.role == turn.role => last.parts.extend(placed.parts),
            _ => turns.push(Content { role: turn.role, parts: placed.parts, bag: None }),
        }
    }
    for turn in current_turn(&mut turns) {
        fill(turn);
    }
    Ok(Conversation { system: ordered.system, turns })
}

fn native<'r>(request: &'r Request, target: &Target<'_>) -> Conversation<'r> {
    let mut conversation = Conversation { system: Vec::new(), turns: Vec::new() };
    let mut uncovered = Vec::new();
    for turn in &request.turns {
        let parts = turn.parts.iter().map(Cow::Borrowed);
        if turn.role.is_instruction() {
            conversation.system.extend(parts);
            continue;
        }
        let mut placed = signatures::place(parts, target, true);
        if !placed.lost {
            keep_ids(&mut placed.parts);
        }
        uncovered.push(placed.lost);
        conversation.turns.push(Content { role: turn.role, parts: placed.parts, bag: Some(&turn.bag) });
    }
    let first = conversation.turns.len() - current_turn(&mut conversation.turns).len();
    let current = conversation.turns.iter_mut().zip(uncovered).skip(first);
    current.filter(|(_, uncovered)| *uncovered).for_each(|(turn, _)| fill(turn));
    conversation
}

/// Gives the turns after the user's last words: signatures are checked in these alone.
fn current_turn<'t, 'r>(turns: &'t mut [Content<'r>]) -> slice::IterMut<'t, Content<'r>> {
    let speaks = |turn: &Content<'r>| {
        turn.role == Role::User
            && turn.parts.iter().any(|signed| !matches!(signed.part.kind, PartKind::ToolResult(_)))
    };
    let after = turns.iter().rposition(speaks).map_or(0, |last| last + 1);
    turns.get_mut(after..).unwrap_or_default().iter_mut()
}

/// Puts the filler on the first call, unless it is signed.
fn fill(turn: &mut Content<'_>) {
    let first = turn.parts.iter_mut().find(|signed| matches!(signed.part.kind, PartKind::ToolCall(_)));
    if let Some(first) = first {
        first.signature.get_or_insert(Cow::Borrowed(FILLER));
    }
}

/// Gives the calls of a turn that Gemini made with ids theirs: it signs the first of several calls alone.
fn name_calls(parts: &mut [Signed<'_>]) {
    if parts.iter().any(|signed| signed.id.is_some()) {
        keep_ids(parts);
    }
}

/// Gives calls the ids that the history has for them.
fn keep_ids(parts: &mut [Signed<'_>]) {
    for signed in parts {
        if let PartKind::ToolCall(call) = &signed.part.kind
            && signed.id.is_none()
            && !is_made(&call.id)
        {
            signed.id = Some(call.id.clone());
        }
    }
}

/// Tells whether an id looks like those that are made where Gemini gave none: `call_` and 24 hexadecimal digits.
pub(super) fn is_made(id: &str) -> bool {
    id.strip_prefix("call_").is_some_and(|rest| {
        rest.len() == 24 && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Writes both fields.
pub(super) fn write(
    object: &mut Object<'_>,
    conversation: &Conversation<'_>,
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let mut writer = parts::Writer { request, target, notes, calls: Calls::new() };
    if !conversation.system.is_empty() {
        let mut system = object.object("systemInstruction");
        let mut array = system.array("parts");
        for part in &conversation.system {
            let signed = Signed { part: Cow::Borrowed(part), signature: None, id: None };
            writer.part(&mut array, &signed)?;
        }
    }
    let mut contents = object.array("contents");
    for turn in &conversation.turns {
        // The API refuses a content without parts.
        if turn.parts.iter().all(parts::says_nothing) {
            continue;
        }
        let mut content = contents.object();
        content.field("role", if turn.role == Role::Assistant { "model" } else { "user" });
        {
            let mut array = content.array("parts");
            for signed in turn.parts.iter().filter(|signed| !parts::says_nothing(signed)) {
                writer.part(&mut array, signed)?;
            }
        }
        if let Some(bag) = turn.bag {
            content.bag(within(bag, ""));
        }
    }
    Ok(())
}
