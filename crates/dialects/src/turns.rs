//! Conversations for dialects in which user and model take turns: Anthropic and Gemini (§9.3 to §9.5 of the wire
//! formats).

mod draft;
mod results;
#[cfg(test)]
mod tests;

use crate::{
    form::{Part, Refused, Request, Role},
    places,
    translate::Notes,
};
use cliproxy_domain::Dialect;
use draft::{Draft, as_user_text};
use std::borrow::Cow;

/// What stands in for a user's turn where the target wants one and the client has none.
const CONTINUE: &str = "(continue)";

/// What a target takes beyond strict turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Instructions may stand in mid-conversation, in a turn of [`Role::System`]. Otherwise they become a block
    /// `<system>\n…\n</system>` where they stand: at the end of the user turn before them, or else at the head of
    /// the next. So a longer history begins with the very bytes of a shorter one.
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
    /// [`Role::System`] may stand between them where the rules allow it. No turn is empty, and no text is but one
    /// that carries a state. After a turn with calls comes a user turn that begins with one result for each call,
    /// in the order of the calls.
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
    let mut draft = Draft::of(request, rules.system_anywhere);
    draft.need_user(request)?;
    results::settle(&mut draft.turns, request)?;
    let system = draft.system.into_iter().map(|(_, part)| part).collect();
    let turns = draft
        .turns
        .into_iter()
        .map(|turn| Turn { role: turn.role, parts: turn.parts.into_iter().map(|(_, part)| part).collect() });
    let mut conversation = Conversation { system, turns: turns.collect() };
    conversation.say_last_instruction_as_user();
    conversation.fill_ends(rules, request.from, notes)?;
    Ok(conversation)
}

impl<'r> Conversation<'r> {
    /// Turns an instruction after the last message into a user's text: it has no turn to stand before.
    fn say_last_instruction_as_user(&mut self) {
        let Some(last) = self.turns.pop_if(|turn| turn.role == Role::System) else { return };
        let said = last.parts.into_iter().map(as_user_text);
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User => turn.parts.extend(said),
            _ => self.turns.push(Turn { role: Role::User, parts: said.collect() }),
        }
    }

    fn fill_ends(&mut self, rules: Rules, from: Dialect, notes: &mut Notes) -> Result<(), Refused> {
        let stand_in = || Turn { role: Role::User, parts: vec![Cow::Owned(Part::text(CONTINUE))] };
        let speaks = |turn: Option<&Turn<'r>>| turn.is_some_and(|turn| turn.role == Role::Assistant);
        if speaks(self.turns.first()) {
            notes.losses.changed(places::list(from), "continued")?;
            self.turns.insert(0, stand_in());
        }
        if !rules.prefill && speaks(self.turns.last()) {
            notes.losses.changed(places::list(from), "continued")?;
            self.turns.push(stand_in());
        }
        Ok(())
    }
}
