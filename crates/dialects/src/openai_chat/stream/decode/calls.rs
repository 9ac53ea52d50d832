//! Calls of one choice, put together from fragments (§12.3 of the wire formats).

use super::Sink;
use crate::{
    form::{BlockKind, Event, Opaque, State},
    json::text,
    openai_chat::{
        CHAT,
        wire::{self, Call, malformed},
    },
    translate::Ids,
};
use cliproxy_domain::AttemptError;
use std::borrow::Cow;

/// Where a call is opened.
pub(super) struct Place<'p> {
    pub(super) choice: u32,
    /// The number of the next block of the choice.
    pub(super) blocks: &'p mut u32,
    pub(super) ids: &'p Ids,
    /// Calls so far that had no id.
    pub(super) made: &'p mut u32,
}

/// The calls of one choice. One is open at a time; of those before it only the numbers are kept.
#[derive(Default)]
pub(super) struct Calls {
    current: Option<Current>,
    /// The highest number of a call that is closed.
    closed: Option<u64>,
    called: bool,
}

/// The call that is being sent. It opens when its id and its name are known; until then its arguments wait.
#[derive(Default)]
struct Current {
    index: Option<u64>,
    id: String,
    name: String,
    free: bool,
    pending: String,
    state: Option<Opaque>,
    block: Option<u32>,
    /// Arguments have come.
    begun: bool,
}

/// A fragment of a call.
struct Fragment<'f> {
    index: Option<u64>,
    id: Cow<'f, str>,
    name: Cow<'f, str>,
    free: bool,
    text: Cow<'f, str>,
}

impl<'f> Fragment<'f> {
    fn of(call: &Call<'f>) -> Self {
        let (name, said) = match (&call.custom, &call.function) {
            (Some(custom), _) => (custom.name, text(custom.input).unwrap_or_default()),
            (None, Some(function)) => (function.name, wire::arguments(function.arguments)),
            (None, None) => (None, Cow::Borrowed("")),
        };
        Self {
            index: wire::number(call.index),
            id: text(call.id).unwrap_or_default(),
            name: text(name).unwrap_or_default(),
            free: call.custom.is_some(),
            text: said,
        }
    }
}

impl Calls {
    /// Tells whether there was a call.
    pub(super) fn called(&self) -> bool {
        self.called
    }

    pub(super) fn fragment(
        &mut self,
        call: &Call<'_>,
        mut place: Place<'_>,
        sink: Sink<'_>,
    ) -> Result<(), AttemptError> {
        let fragment = Fragment::of(call);
        if !self.current.as_ref().is_some_and(|current| current.takes(&fragment)) {
            let late = fragment.index.is_some() && fragment.index <= self.closed;
            if late && fragment.name.is_empty() {
                // More of a call that was closed when another began: it would be lost.
                return if fragment.text.trim().is_empty() {
                    Ok(())
                } else {
                    Err(malformed("the provider sent arguments of two calls in turns"))
                };
            }
            self.end(&mut place, sink)?;
            self.current = Some(Current { index: fragment.index, free: fragment.free, ..Current::default() });
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        current.add(fragment, call, place, sink);
        self.called |= current.block.is_some();
        Ok(())
    }

    /// Closes the call that is open.
    pub(super) fn close(&mut self, mut place: Place<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        self.end(&mut place, sink)
    }

    fn end(&mut self, place: &mut Place<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        self.closed = self.closed.max(current.index);
        if current.block.is_none() {
            if current.name.is_empty() {
                return if current.pending.trim().is_empty() && current.id.is_empty() {
                    Ok(())
                } else {
                    Err(malformed("the provider sent a call without a name"))
                };
            }
            current.id = place.ids.call(*place.made);
            *place.made = place.made.saturating_add(1);
            current.open(place, sink);
            self.called = true;
        }
        let Some(block) = current.block else { return Ok(()) };
        if let Some(state) = current.state.take() {
            sink(Event::State { choice: place.choice, block, state });
        }
        sink(Event::Close { choice: place.choice, block });
        Ok(())
    }
}

impl Current {
    /// Tells whether a fragment is of this call. Servers leave out the number, say the same number for every call,
    /// repeat id and name, or make up another id for each fragment.
    fn takes(&self, fragment: &Fragment<'_>) -> bool {
        let other_id = !fragment.id.is_empty() && !self.id.is_empty() && fragment.id != self.id;
        let named_again = !fragment.name.is_empty() && !self.name.is_empty();
        match fragment.index {
            Some(_) if self.index.is_some() && fragment.index != self.index => false,
            Some(_) => !(other_id && named_again),
            None if !fragment.id.is_empty() => !other_id,
            None => !(named_again && self.begun),
        }
    }

    fn add(&mut self, fragment: Fragment<'_>, call: &Call<'_>, mut place: Place<'_>, sink: Sink<'_>) {
        if self.id.is_empty() {
            self.id = fragment.id.into_owned();
        }
        if self.name.is_empty() {
            self.name = fragment.name.into_owned();
        }
        self.free |= fragment.free && self.block.is_none();
        self.begun |= !fragment.text.is_empty();
        if let Some(signature) = call.signature() {
            self.state = Some(Opaque::Native(State::native(CHAT, signature)));
        }
        if let Some(block) = self.block {
            if !fragment.text.is_empty() {
                sink(Event::Delta { choice: place.choice, block, text: fragment.text });
            }
            return;
        }
        self.pending.push_str(&fragment.text);
        if !self.id.is_empty() && !self.name.is_empty() {
            self.open(&mut place, sink);
        }
    }

    fn open(&mut self, place: &mut Place<'_>, sink: Sink<'_>) {
        let (choice, block) = (place.choice, *place.blocks);
        *place.blocks = block.saturating_add(1);
        self.block = Some(block);
        let (id, name) = (self.id.as_str().into(), self.name.as_str().into());
        sink(Event::Open { choice, block, kind: BlockKind::ToolCall { id, name, free: self.free } });
        // Before the arguments: writers that have a place for it before the call have not begun to write that yet.
        if let Some(state) = self.state.take() {
            sink(Event::State { choice, block, state });
        }
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            sink(Event::Delta { choice, block, text: pending.into() });
        }
    }
}
