//! Chunks, as server-sent events with CRLF or as the elements of one array (§5.5 of the wire formats).

use super::super::super::answer;
use crate::{
    framing::{ArrayPosition, Framing},
    json::Object,
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;

/// Frames chunks and says in each what all repeat.
pub(super) struct Frame {
    framing: Framing,
    position: ArrayPosition,
    model: String,
    id: String,
    /// What an unsigned call bears.
    unsigned: Option<&'static str>,
}

impl Frame {
    pub(super) fn new(context: &ReplyContext) -> Self {
        Self {
            framing: context.framing,
            position: ArrayPosition::Unopened,
            model: context.model.clone(),
            id: context.ids.answer(Dialect::Gemini),
            unsigned: answer::unsigned(context),
        }
    }

    /// Tells where the array stands.
    pub(super) fn position(&self) -> ArrayPosition {
        self.position
    }

    /// Writes a chunk of one text.
    pub(super) fn text(
        &mut self,
        out: &mut Vec<u8>,
        choice: u32,
        text: &str,
        thought: bool,
        signature: Option<&str>,
    ) {
        self.candidate(out, choice, |candidate| {
            let mut content = candidate.object("content");
            content.field("role", "model");
            answer::text(&mut content.array("parts"), text, thought, signature);
        });
    }

    /// Writes a chunk of one call: its id, its name and its arguments.
    pub(super) fn call(
        &mut self,
        out: &mut Vec<u8>,
        choice: u32,
        (id, name, args): (&str, &str, &str),
        signature: Option<&str>,
    ) {
        let signature = signature.or(self.unsigned);
        self.candidate(out, choice, |candidate| {
            let mut content = candidate.object("content");
            content.field("role", "model");
            answer::call(&mut content.array("parts"), id, name, args, signature);
        });
    }

    /// Writes a chunk of one candidate.
    pub(super) fn candidate(&mut self, out: &mut Vec<u8>, choice: u32, write: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, |object| {
            let mut candidates = object.array("candidates");
            let mut candidate = candidates.object();
            write(&mut candidate);
            candidate.field("index", &choice);
        });
    }

    /// Writes the last chunk, and closes the array.
    pub(super) fn last(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, write);
        if self.framing == Framing::JsonArray {
            out.push(b']');
            self.position = ArrayPosition::Closed;
        }
    }

    fn chunk(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(match (self.framing, self.position) {
            (Framing::Sse, _) => b"data: ",
            (Framing::JsonArray, ArrayPosition::Unopened) => b"[",
            (Framing::JsonArray, _) => b",\r\n",
        });
        {
            let mut object = Object::new(out);
            write(&mut object);
            object.field("modelVersion", &self.model).field("responseId", &self.id);
        }
        match self.framing {
            Framing::Sse => out.extend_from_slice(b"\r\n\r\n"),
            Framing::JsonArray => self.position = ArrayPosition::AfterElement,
        }
    }
}
