//! The parts of a message, as content blocks.

use super::{marks::Marks, media, messages::plain, words};
use crate::{
    form::{Args, Part, PartKind, Refused, Request, Role, State, ToolCall, ToolResult},
    free_input,
    json::{Array, Object},
    places, tool_ids,
    translate::{Notes, Target},
};
use cliproxy_domain::{Dialect, Need, UnsupportedTools};
use std::borrow::Cow;

/// One block that is to be written.
#[derive(Debug)]
pub(super) enum Block<'p> {
    /// Thinking that the provider knows again.
    Thinking {
        text: Cow<'p, str>,
        state: State,
    },
    Part(&'p Part),
}

impl Block<'_> {
    pub(super) fn is_thinking(&self) -> bool {
        matches!(self, Block::Thinking { .. })
    }

    /// Tells whether the block is written at all.
    pub(super) fn says_something(&self) -> bool {
        match self {
            Block::Thinking { .. } => true,
            Block::Part(part) => match &part.kind {
                PartKind::Text { text, .. } | PartKind::Refusal(text) => !text.is_empty(),
                _ => true,
            },
        }
    }
}

/// Lists the blocks of a turn. Reasoning whose signature is not this provider's is left out without a word (§8.3 of
/// the wire formats).
///
/// The signature may stand on the reasoning, or on the part after it where the client's dialect signs those; the
/// text may stand in an envelope.
pub(super) fn blocks<'p>(parts: &'p [Cow<'_, Part>], target: &Target<'_>) -> Vec<Block<'p>> {
    let mut blocks = Vec::with_capacity(parts.len());
    let mut unsigned: Option<&str> = None;
    for part in parts {
        let mut state = part.state.as_ref().and_then(|state| target.state(state));
        let sealed = state.as_mut().and_then(|state| state.text.take());
        match (&part.kind, state) {
            (PartKind::Reasoning { text, .. }, Some(state)) => {
                let text = sealed.map_or(Cow::Borrowed(text.as_str()), Cow::Owned);
                blocks.push(Block::Thinking { text, state });
                unsigned = None;
            }
            (PartKind::Reasoning { text, .. }, None) => unsigned = Some(text),
            (_, Some(state)) => {
                let text = sealed.map_or(Cow::Borrowed(unsigned.take().unwrap_or_default()), Cow::Owned);
                blocks.push(Block::Thinking { text, state });
                blocks.push(Block::Part(part));
            }
            (_, None) => {
                unsigned = None;
                blocks.push(Block::Part(part));
            }
        }
    }
    blocks
}

/// Moves the first thinking of a turn to its head.
pub(super) fn begin_with_thinking(blocks: &mut [Block<'_>]) {
    let first = blocks.iter().position(Block::is_thinking).unwrap_or_default();
    let run = blocks.iter().skip(first).take_while(|block| block.is_thinking()).count();
    if let Some(head) = blocks.get_mut(..first.saturating_add(run)) {
        head.rotate_left(first);
    }
}

/// Writes blocks.
pub(super) struct Writer<'w, 't> {
    pub(super) request: &'w Request,
    pub(super) target: &'w Target<'t>,
    pub(super) notes: &'w mut Notes,
    pub(super) marks: Marks,
    /// Whether a turn of the model that thought must begin with that: manual thinking asks for it, and messages that
    /// were merged need not.
    pub(super) thinking_first: bool,
}

impl Writer<'_, '_> {
    /// Writes a block of a message of `role`.
    pub(super) fn block(
        &mut self,
        block: &Block<'_>,
        role: Role,
        list: &mut Array<'_>,
    ) -> Result<(), Refused> {
        match block {
            Block::Thinking { state, .. } if state.redacted => {
                let mut object = list.object();
                object.field("type", "redacted_thinking").field("data", &state.payload);
                Ok(())
            }
            Block::Thinking { text, state } => {
                let mut object = list.object();
                object.field("type", "thinking").field("thinking", text).field("signature", &state.payload);
                Ok(())
            }
            Block::Part(part) => self.part(part, role, list),
        }
    }

    fn part(&mut self, part: &Part, role: Role, list: &mut Array<'_>) -> Result<(), Refused> {
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) if text.is_empty() => return Ok(()),
            PartKind::Foreign { dialect: Dialect::Anthropic, json, .. } => {
                list.element(json);
                return Ok(());
            }
            PartKind::Foreign { name, .. } => return self.foreign(part, name, role),
            // Reasoning was decided on with the turn.
            PartKind::Reasoning { .. } => return Ok(()),
            PartKind::Text { .. } | PartKind::Refusal(_) => {}
            _ if role.is_instruction() => return Err(self.misplaced(part, "an instruction", "text")),
            PartKind::Image { .. } | PartKind::File { .. } | PartKind::ToolResult(_)
                if role == Role::Assistant && self.request.from != Dialect::Anthropic =>
            {
                return Err(self.misplaced(part, "a message of the model", "text and calls"));
            }
            _ => {}
        }
        let mut object = list.object();
        self.kind(part, &mut object)?;
        self.marks.write(part.cache.as_ref(), &mut object);
        object.bag(part.bag.of(Dialect::Anthropic));
        Ok(())
    }

    fn kind(&mut self, part: &Part, object: &mut Object<'_>) -> Result<(), Refused> {
        match &part.kind {
            PartKind::Text { text, citations } => {
                object.field("type", "text").field("text", text);
                let citations: Vec<_> =
                    citations.iter().filter_map(super::super::citation::returned).collect();
                if !citations.is_empty() {
                    object.field("citations", &citations);
                }
                Ok(())
            }
            PartKind::Refusal(text) => {
                object.field("type", "text").field("text", text);
                Ok(())
            }
            PartKind::Image { media, .. } => media::image(media, &|| self.place(part), object),
            PartKind::File { media, name } => {
                media::document(media, name.as_deref(), &|| self.place(part), object)
            }
            PartKind::ToolCall(call) => self.call(part, call, object),
            PartKind::ToolResult(result) => self.result(result, object),
            PartKind::Audio(_) => Err(Refused::lacking(Need::Audio, self.place(part))),
            PartKind::Reasoning { .. } | PartKind::Foreign { .. } => Ok(()),
        }
    }

    fn call(&mut self, part: &Part, call: &ToolCall, object: &mut Object<'_>) -> Result<(), Refused> {
        let args = match &call.args {
            Args::Json(args) if args.trim().is_empty() => Cow::Borrowed("{}"),
            Args::Json(args) if super::super::arguments::is_object(args) => Cow::Borrowed(args.trim()),
            Args::Json(_) => {
                let place = self.place(part);
                let message = format!(
                    "`{place}` has a tool call whose arguments are not one JSON object: send back what the model wrote, or leave the call out"
                );
                return Err(Refused::new(place, message));
            }
            Args::Free(input) => Cow::Owned(free_input::wrapped(input)),
        };
        object
            .field("type", "tool_use")
            .field("id", &tool_ids::fitted(&call.id, Dialect::Anthropic, usize::MAX))
            .field("name", &self.notes.tool_name(&call.name, self.target))
            .raw("input", &args);
        Ok(())
    }

    fn result(&mut self, result: &ToolResult, object: &mut Object<'_>) -> Result<(), Refused> {
        let id = tool_ids::fitted(&result.id, Dialect::Anthropic, usize::MAX);
        object.field("type", "tool_result").field("tool_use_id", &id);
        match result.content.as_slice() {
            [only] if plain(only).is_some() => {
                object.maybe("content", plain(only));
            }
            content if content.iter().any(|part| Block::Part(part).says_something()) => {
                let mut list = object.array("content");
                content.iter().try_for_each(|part| self.part(part, Role::User, &mut list))?;
            }
            _ => {}
        }
        object.maybe("is_error", result.error.then_some(true));
        Ok(())
    }

    /// Decides on a block that only another dialect understands. What the model's own vendor ran for it goes the way
    /// of that vendor's tools; what the user says must not get lost.
    fn foreign(&mut self, part: &Part, name: &str, role: Role) -> Result<(), Refused> {
        if name == "item_reference" {
            return Err(Refused::lacking(Need::ServerState, self.place(part)));
        }
        if role == Role::Assistant && self.target.policy.unsupported_tools == UnsupportedTools::Drop {
            let list = places::list(self.request.from);
            self.notes.losses.tell(format!("{list}.{name}"), "dropped");
            return Ok(());
        }
        let place = self.place(part);
        let name: String = name.chars().take(60).collect();
        let message = format!(
            "`{place}` has a part ({name}) that only its own API understands: leave it out, or use a model of that vendor"
        );
        Err(Refused::new(place, message))
    }

    fn misplaced(&self, part: &Part, whose: &str, holds: &str) -> Refused {
        let place = self.place(part);
        let message = format!(
            "`{place}` is {whose}, which holds only {holds} with this provider: move the rest to a user's message"
        );
        Refused::new(place, message)
    }

    fn place(&self, part: &Part) -> Cow<'static, str> {
        words::place(self.request, part)
    }
}
