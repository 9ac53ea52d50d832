//! Writing a request for a provider.

mod content;
mod items;
mod options;
mod tools;

use crate::{
    form::{Args, PartKind, Refused, Request, ToolCall, Turn},
    json::{Array, Object},
    places,
    translate::{Notes, Target},
};
use cliproxy_domain::{Dialect, Need};
use std::{borrow::Cow, collections::BTreeSet};

const OWN: Dialect = Dialect::OpenAiResponses;

/// What a request is written with.
struct Writer<'w> {
    request: &'w Request,
    target: &'w Target<'w>,
    notes: &'w mut Notes,
    /// Whether the request came in this dialect: then it says what it said, and nothing is added.
    own: bool,
    /// The ids of the free-form calls in the history: chat answers them as all others.
    free_calls: BTreeSet<&'w str>,
    /// Items and messages written so far.
    written: usize,
    /// Marks of cached prefixes written so far.
    cache_marks: u8,
}

/// Writes a request.
pub(crate) fn encode_request(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer::new(request, target, notes);
    writer.refuse_what_cannot_be_said()?;
    let mut out = Vec::with_capacity(1024);
    let mut object = Object::new(&mut out);
    object.field("model", target.model);
    writer.prompt(&mut object)?;
    writer.reasoning(&mut object)?;
    writer.text(&mut object)?;
    writer.sampling(&mut object)?;
    writer.identity(&mut object)?;
    writer.storage(&mut object)?;
    writer.rest(&mut object)?;
    drop(object);
    Ok(out)
}

/// Writes a request for the number of tokens of its prompt, with the fields that its endpoint takes.
pub(crate) fn encode_count(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer::new(request, target, notes);
    let mut out = Vec::with_capacity(1024);
    let mut object = Object::new(&mut out);
    object.field("model", target.model);
    writer.prompt(&mut object)?;
    writer.reasoning(&mut object)?;
    writer.text(&mut object)?;
    let previous = ["previous_response_id", "conversation", "truncation"];
    object.bag(request.bag.of(OWN).filter(|(name, _)| previous.contains(name)));
    drop(object);
    Ok(out)
}

impl<'w> Writer<'w> {
    fn new(request: &'w Request, target: &'w Target<'w>, notes: &'w mut Notes) -> Self {
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        let free = parts.filter_map(|part| match &part.kind {
            PartKind::ToolCall(ToolCall { id, args: Args::Free(_), .. }) => Some(id.as_str()),
            _ => None,
        });
        let free_calls = free.collect();
        Self { request, target, notes, own: request.from == OWN, free_calls, written: 0, cache_marks: 0 }
    }

    fn refuse_what_cannot_be_said(&self) -> Result<(), Refused> {
        if self.own {
            return Ok(());
        }
        let request = self.request;
        if let Some(field) = request.server_state.first() {
            return Err(Refused::lacking(Need::ServerState, *field));
        }
        if request.choices.is_some_and(|choices| choices > 1) {
            return Err(Refused::lacking(Need::Choices, request.field_of(Need::Choices)));
        }
        if request.media_output {
            return Err(Refused::lacking(Need::MediaOutput, request.field_of(Need::MediaOutput)));
        }
        Ok(())
    }

    /// Writes what the model reads.
    fn prompt(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let turns = self.request.turns.as_slice();
        let turns = match turns.split_first() {
            Some((first, rest)) if self.is_instructions(first, rest) => {
                let text = first.parts.first().and_then(|part| part.as_text());
                object.maybe("instructions", text);
                rest
            }
            _ => turns,
        };
        let first = self.request.turns.len().saturating_sub(turns.len());
        let mut items = Vec::with_capacity(512);
        self.items(turns, first, &mut Array::new(&mut items))?;
        // No input at all is another thing than an empty one: a stored prompt may have all that is to be said.
        if self.written > 0 {
            object.raw("input", std::str::from_utf8(&items).unwrap_or("[]"));
        }
        self.tools(object)
    }

    /// Tells whether the first turn goes into `instructions`: one text, and the only instruction before the
    /// conversation (§9.3 of the wire formats). In a request of this dialect it must have come from there.
    fn is_instructions(&self, first: &Turn, rest: &[Turn]) -> bool {
        let [part] = first.parts.as_slice() else { return false };
        let says = part.as_text().is_some_and(|text| !text.is_empty());
        let plain = says && part.cache.is_none() && part.state.is_none() && first.bag.is_empty();
        if self.own {
            return plain && self.request.quiet.get("instructions").is_some();
        }
        let alone = rest.first().is_some_and(|next| !next.role.is_instruction());
        plain && first.role.is_instruction() && alone
    }

    /// Names the place of a turn in the client's words. Instructions outside the list shift the places in it, but
    /// for chat, so that only the list is named with certainty.
    fn place(&self, at: usize) -> Cow<'static, str> {
        places::turn(self.request.from, at)
    }

    /// Names a list of turns in the client's words.
    fn list(&self) -> &'static str {
        places::list(self.request.from)
    }
}

#[cfg(test)]
mod tests;
