//! Messages (§9.3 to §9.5 of the wire formats).

mod assistant;

use super::{
    CHAT, Scope, nested,
    parts::{self, Piece, pieces},
};
use crate::{
    form::{Media, Part, PartKind, Refused, Role, ToolResult, Turn},
    json::{Array, Object},
    tool_ids,
    translate::Notes,
};

/// Writes `messages`, `instruction` before all others.
pub(super) fn write(
    body: &mut Object<'_>,
    scope: &Scope<'_>,
    notes: &mut Notes,
    instruction: Option<String>,
) -> Result<(), Refused> {
    let mut writer = Writer { list: body.array("messages"), scope, carried: Vec::new(), open: false };
    if let Some(instruction) = instruction {
        writer.list.object().field("role", "system").field("content", &instruction);
    }
    for (at, turn) in scope.request.turns.iter().enumerate() {
        for field in turn.bag.foreign_to(CHAT) {
            notes.losses.dropped(format!("messages.{field}"))?;
        }
        match turn.role {
            Role::User => writer.user(turn, at, notes)?,
            Role::System | Role::Developer => writer.instruction(turn, at, notes)?,
            Role::Assistant => {
                writer.flush(at, notes)?;
                writer.open = assistant::write(&mut writer.list, turn, at, scope, notes)?;
            }
        }
    }
    writer.flush(scope.request.turns.len(), notes)?;
    writer.close(notes)
}

struct Writer<'w, 's> {
    list: Array<'w>,
    scope: &'w Scope<'s>,
    /// Media out of tool results, which may hold text alone: they follow in a user's message.
    carried: Vec<&'w Part>,
    /// The last message is the assistant's, without a call.
    open: bool,
}

impl<'w> Writer<'w, '_> {
    fn user(&mut self, turn: &'w Turn, at: usize, notes: &mut Notes) -> Result<(), Refused> {
        let mut results = 0;
        for part in &turn.parts {
            let PartKind::ToolResult(result) = &part.kind else { continue };
            results += 1;
            let bag = if turn.parts.len() == 1 { Some(turn) } else { None };
            self.result(result, bag, at, notes)?;
        }
        if results > 0 && results == turn.parts.len() {
            return Ok(());
        }
        let others = turn.parts.iter().filter(|part| !matches!(part.kind, PartKind::ToolResult(_)));
        let said = pieces(self.carried.iter().copied().chain(others), self.scope);
        if said.is_empty() && !self.scope.own {
            return if results > 0 { Ok(()) } else { Err(empty(at, self.scope)) };
        }
        self.carried.clear();
        self.message("user", &said, Some(turn), at, notes)
    }

    fn instruction(&mut self, turn: &'w Turn, at: usize, notes: &mut Notes) -> Result<(), Refused> {
        self.flush(at, notes)?;
        let said = pieces(turn.parts.iter(), self.scope);
        if said.is_empty() && !self.scope.own {
            return Ok(());
        }
        let developer = turn.role == Role::Developer && self.scope.target.profile.developer_role;
        self.message(if developer { "developer" } else { "system" }, &said, Some(turn), at, notes)
    }

    fn message(
        &mut self,
        role: &str,
        said: &[Piece<'_>],
        turn: Option<&Turn>,
        at: usize,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        self.open = false;
        let mut message = self.list.object();
        message.field("role", role);
        parts::write(&mut message, said, "\n\n", at, self.scope, notes)?;
        if let Some(turn) = turn {
            message.maybe("name", turn.name.as_deref());
            nested::write_outer(&mut message, &turn.bag, &[]);
        }
        Ok(())
    }

    /// Writes a result as a message of its own. That the tool failed has no place here; the text tells.
    fn result(
        &mut self,
        result: &'w ToolResult,
        turn: Option<&Turn>,
        at: usize,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        self.open = false;
        let scope = self.scope;
        let mut shown: Vec<Part> = Vec::new();
        for part in &result.content {
            let stand_in = match &part.kind {
                PartKind::Image { .. } => "(image below)",
                PartKind::Audio(_) => "(audio below)",
                PartKind::File { media, .. } if !matches!(media, Media::Text(_)) => "(file below)",
                PartKind::Foreign { dialect, name, .. } if *dialect != CHAT => {
                    parts::foreign(name, at, scope, notes)?;
                    continue;
                }
                _ => {
                    shown.push(part.clone());
                    continue;
                }
            };
            self.carried.push(part);
            shown.push(Part::text(stand_in));
        }
        let id = tool_ids::fitted(&result.id, CHAT, scope.target.profile.max_tool_id);
        let mut message = self.list.object();
        message.field("role", "tool").field("tool_call_id", &id);
        message.maybe("name", result.name.as_deref().filter(|_| scope.own));
        parts::write(&mut message, &pieces(shown.iter(), scope), "\n\n", at, scope, notes)?;
        if let Some(turn) = turn {
            nested::write_outer(&mut message, &turn.bag, &[]);
        }
        Ok(())
    }

    /// Writes what tool results could not hold, if a message of another role comes next.
    fn flush(&mut self, at: usize, notes: &mut Notes) -> Result<(), Refused> {
        let carried = std::mem::take(&mut self.carried);
        if carried.is_empty() {
            return Ok(());
        }
        self.message("user", &pieces(carried.into_iter(), self.scope), None, at, notes)
    }

    /// Asks for more where another dialect's conversation ends with the assistant: nothing is continued here. No
    /// server answers to nothing at all.
    fn close(mut self, notes: &mut Notes) -> Result<(), Refused> {
        if self.list.is_empty() {
            let field = self.scope.message(0);
            let message = format!("`{field}` is missing or says nothing: send at least one message");
            return Err(Refused::new(field, message));
        }
        if self.open && !self.scope.own {
            notes.losses.changed(self.scope.list(), "continued")?;
            self.list.object().field("role", "user").field("content", "(continue)");
        }
        Ok(())
    }
}

fn empty(at: usize, scope: &Scope<'_>) -> Refused {
    let field = scope.message(at);
    let message =
        format!("`{field}` has a user's message that says nothing: give it content, or leave it out");
    Refused::new(field, message)
}
