//! The first step: what is empty is left out, and neighbours of one role become one turn.

use crate::{
    form::{CacheMark, Part, PartKind, Refused, Request, Role},
    places,
};
use std::{borrow::Cow, mem};

/// A part, and the number of the turn that it came in.
pub(super) type Placed<'r> = (usize, Cow<'r, Part>);

/// A conversation whose results are not in their places yet.
pub(super) struct Draft<'r> {
    pub(super) system: Vec<Placed<'r>>,
    pub(super) turns: Vec<DraftTurn<'r>>,
    system_anywhere: bool,
    /// The last part that takes marks has one, so that a further mark says nothing more.
    marked: bool,
}

/// A turn whose parts may come from several messages.
pub(super) struct DraftTurn<'r> {
    pub(super) role: Role,
    pub(super) parts: Vec<Placed<'r>>,
}

impl<'r> Draft<'r> {
    /// Gathers the parts that say something.
    pub(super) fn of(request: &'r Request, system_anywhere: bool) -> Self {
        let mut draft = Self { system: Vec::new(), turns: Vec::new(), system_anywhere, marked: false };
        for (at, turn) in request.turns.iter().enumerate() {
            for part in &turn.parts {
                if is_empty(part) {
                    if let Some(mark) = &part.cache {
                        draft.mark_last(mark);
                    }
                } else {
                    draft.push(turn.role, at, part);
                }
            }
        }
        draft
    }

    fn push(&mut self, role: Role, at: usize, part: &'r Part) {
        let part = without_empty_content(part);
        if takes_marks(&part) {
            self.marked = part.cache.is_some();
        }
        let role = match &part.kind {
            PartKind::ToolResult(_) => Role::User,
            PartKind::ToolCall(_) => Role::Assistant,
            _ if role.is_instruction() => Role::System,
            _ => role,
        };
        if role != Role::System {
            self.push_to(role, at, part);
        } else if self.turns.is_empty() {
            self.system.push((at, part));
        } else if self.system_anywhere {
            self.push_to(Role::System, at, part);
        } else {
            self.push_to(Role::User, at, as_user_text(part));
        }
    }

    fn push_to(&mut self, role: Role, at: usize, part: Cow<'r, Part>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.parts.push((at, part)),
            _ => self.turns.push(DraftTurn { role, parts: vec![(at, part)] }),
        }
    }

    /// Moves the mark of a part that is left out to the part before it: the prefix is the same.
    fn mark_last(&mut self, mark: &CacheMark) {
        if mem::replace(&mut self.marked, true) {
            return;
        }
        let said = self.turns.iter_mut().rev().flat_map(|turn| turn.parts.iter_mut().rev());
        let mut places = said.chain(self.system.iter_mut().rev());
        let last = places.find(|(_, part)| takes_marks(part));
        if let Some((_, part)) = last
            && part.cache.is_none()
        {
            part.to_mut().cache = Some(mark.clone());
        }
    }

    /// Makes sure that a user says something: where the client has no user at all, its last instruction does.
    pub(super) fn need_user(&mut self, request: &Request) -> Result<(), Refused> {
        let of_user = |at: usize| request.turns.get(at).is_some_and(|turn| turn.role == Role::User);
        if self.turns.iter().flat_map(|turn| &turn.parts).any(|(at, _)| of_user(*at)) {
            return Ok(());
        }
        if let Some(at) = request.turns.iter().rposition(|turn| turn.role == Role::User) {
            let path = places::turn_of(request, at);
            let message =
                format!("`{path}` is empty, as is every user message: send one that says something");
            return Err(Refused::new(path, message));
        }
        if !self.turns.is_empty() {
            return Ok(());
        }
        let Some((last, _)) = self.system.last() else {
            let path = places::list(request.from);
            return Err(Refused::new(path, format!("`{path}` is empty: send at least one message")));
        };
        let first = self.system.partition_point(|(at, _)| at < last);
        let parts = self.system.split_off(first);
        self.turns.push(DraftTurn { role: Role::User, parts });
        Ok(())
    }
}

/// Wraps an instruction that stands in a user's turn, so that it can be told from the user's own words.
pub(super) fn as_user_text(part: Cow<'_, Part>) -> Cow<'_, Part> {
    let Some(text) = part.as_text() else { return part };
    let mut said = Part::text(format!("<system>\n{text}\n</system>"));
    said.cache = part.cache.clone();
    Cow::Owned(said)
}

fn takes_marks(part: &Part) -> bool {
    !matches!(part.kind, PartKind::Reasoning { .. })
}

/// Tells whether a part says nothing. Gemini may sign an empty text: that is kept.
fn is_empty(part: &Part) -> bool {
    let text = match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) | PartKind::Reasoning { text, .. } => text,
        _ => return false,
    };
    text.is_empty() && part.state.is_none()
}

/// Leaves empty texts out of a result's content.
fn without_empty_content(part: &Part) -> Cow<'_, Part> {
    let has_empty = |part: &Part| match &part.kind {
        PartKind::ToolResult(result) => result.content.iter().any(is_empty),
        _ => false,
    };
    if !has_empty(part) {
        return Cow::Borrowed(part);
    }
    let mut part = part.clone();
    if let PartKind::ToolResult(result) = &mut part.kind {
        for inner in mem::take(&mut result.content) {
            if !is_empty(&inner) {
                result.content.push(inner);
            } else if inner.cache.is_some() {
                let before = result.content.last_mut().map_or(&mut part.cache, |before| &mut before.cache);
                *before = before.take().or(inner.cache);
            }
        }
    }
    Cow::Owned(part)
}
