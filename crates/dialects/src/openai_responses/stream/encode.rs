//! Writing a stream for a client.
//!
//! A block becomes an item when there is something to say of it. An item's end is told when the next one begins or
//! the answer ends: until then a text may follow that belongs to the same message, and it is not known whether the
//! item was cut off.

mod block;
mod events;

use crate::{
    form::{BlockKind, Event, Opaque, Place, ReasoningForm},
    framing::{StartedResponse, StreamState},
    openai_responses::{
        item, outcome,
        response::{self, Moment},
    },
    translate::ReplyContext,
};
use block::{Block, Held, Kind, Message};
use cliproxy_domain::{Dialect, TokenUsage};
use events::Events;
use std::sync::Arc;

/// Writes a stream event by event.
pub(crate) struct StreamEncoder {
    context: Arc<ReplyContext>,
    /// When the response was made, once it was announced.
    created: Option<i64>,
    events: Events,
    /// The items by their places; empty where one is not at its end.
    output: Vec<String>,
    /// The blocks that are open, the one that was spoken of last at the end.
    blocks: Vec<(u32, Block)>,
    /// The item whose end is still to be told.
    held: Option<Box<Held>>,
    usage: Option<TokenUsage>,
    /// Why the answer is not whole.
    incomplete: Option<&'static str>,
}

impl StreamEncoder {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        Self {
            context,
            created: None,
            events: Events::default(),
            output: Vec::new(),
            blocks: Vec::new(),
            held: None,
            usage: None,
            incomplete: None,
        }
    }

    /// Appends what the client is told of `event`, in whole SSE events. Of several choices it is told the first.
    pub(crate) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { created, .. } => self.start(created.unwrap_or(self.context.created), out),
            Event::Open { choice: 0, block, kind } => {
                self.blocks.push((*block, Block::new(kind_of(kind))));
            }
            Event::Delta { choice: 0, block, text } => self.with(*block, out, |encoder, block, out| {
                encoder.delta(block, text, out);
            }),
            Event::State { choice: 0, block, state } => self.with(*block, out, |encoder, block, _| {
                encoder.state_of(block, state);
            }),
            Event::Cite { choice: 0, block, citation } => self.with(*block, out, |encoder, block, out| {
                encoder.announce(block, out);
                encoder.events.citation(block, citation, out);
            }),
            Event::Logprobs { choice: 0, content } => {
                let texts = self.blocks.iter_mut().map(|(_, block)| block);
                if let Some(block) = texts.rev().find(|block| block.kind == Kind::Text) {
                    self.events.logprobs(block, content, out);
                }
            }
            Event::Close { choice: 0, block } => {
                if let Some(mut block) = self.take(*block) {
                    self.close(&mut block, out);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice: 0, finish } => self.incomplete = outcome::incomplete(finish),
            Event::End => self.end(out),
            Event::Open { .. }
            | Event::Delta { .. }
            | Event::State { .. }
            | Event::Cite { .. }
            | Event::Logprobs { .. }
            | Event::Close { .. }
            | Event::Finish { .. } => {}
        }
    }

    /// Gives what an error event of ours must know of what was written.
    pub(crate) fn state(&self) -> StreamState {
        let response = self.created.map(|created_at| StartedResponse {
            id: self.context.ids.answer(self.context.client),
            model: self.context.model.clone(),
            created_at,
            next_sequence: self.events.next,
            output: self.finished(),
        });
        StreamState { response, ..StreamState::default() }
    }

    /// Gives the items that are at their end, with commas between them.
    fn finished(&self) -> String {
        let whole: Vec<&str> =
            self.output.iter().map(String::as_str).filter(|item| !item.is_empty()).collect();
        whole.join(",")
    }

    fn start(&mut self, created: i64, out: &mut Vec<u8>) {
        self.created = Some(created);
        let moment = Moment { created, status: "in_progress", ..Moment::default() };
        for kind in ["response.created", "response.in_progress"] {
            self.events.write(kind, out, |event| {
                response::within(event, "response", &self.context, &moment);
            });
        }
    }

    fn with(
        &mut self,
        number: u32,
        out: &mut Vec<u8>,
        act: impl FnOnce(&mut Self, &mut Block, &mut Vec<u8>),
    ) {
        if let Some(mut block) = self.take(number) {
            act(self, &mut block, out);
            self.blocks.push((number, block));
        }
    }

    fn take(&mut self, number: u32) -> Option<Block> {
        let at = self.blocks.iter().position(|(known, _)| *known == number)?;
        Some(self.blocks.remove(at).1)
    }

    fn delta(&mut self, block: &mut Block, text: &str, out: &mut Vec<u8>) {
        if block.kind == Kind::Reasoning(ReasoningForm::Hidden) && block.item.is_none() {
            block.kind = Kind::Reasoning(ReasoningForm::Summary);
        }
        block.text.push_str(text);
        // A signature of Gemini's may come after the arguments, and its carrier stands before the call.
        let waits = self.context.upstream == Dialect::Gemini && matches!(block.kind, Kind::Call { .. });
        if !waits {
            self.announce(block, out);
            self.events.delta(block, text, out);
        }
    }

    fn state_of(&mut self, block: &mut Block, state: &Opaque) {
        let place = match block.kind {
            Kind::Reasoning(_) => Place::Here,
            Kind::Call { .. } if block.item.is_none() => Place::Next,
            Kind::Call { .. } | Kind::Text | Kind::Refusal => Place::Previous,
        };
        block.state = Some((item::sealed(state, place, &self.context), place));
    }

    /// Announces the block's item, and before it the carrier of its signature.
    fn announce(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        if block.item.is_some() {
            return;
        }
        if let Some((sealed, _)) = block.state.take_if(|(_, place)| *place == Place::Next) {
            self.carrier(&sealed, out);
        }
        let item = match self.held.take().map(|held| *held) {
            Some(Held::Message(message)) if block.is_said() => message,
            held => {
                self.held = held.map(Box::new);
                self.tell_held("completed", out);
                self.new_item(block, out)
            }
        };
        self.events.part_added(block, &item, out);
        block.item = Some(item);
    }

    fn new_item(&mut self, block: &Block, out: &mut Vec<u8>) -> Message {
        let place = self.output.len();
        let ordinal = u32::try_from(place).unwrap_or(u32::MAX);
        self.output.push(String::new());
        let id = self.context.ids.item(block.prefix(), ordinal);
        let item = Message { place, id, parts: String::new(), count: 0 };
        self.events.item_added(block, &item, out);
        item
    }

    fn close(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        match block.kind {
            Kind::Text | Kind::Refusal if block.item.is_none() => {}
            Kind::Text | Kind::Refusal => {
                self.events.part_done(block, out);
                if let Some(message) = block.item.take() {
                    self.hold(Held::Message(message), out);
                }
            }
            Kind::Reasoning(_) if block.item.is_none() && block.state.is_none() => {}
            Kind::Reasoning(form) => {
                self.announce(block, out);
                self.events.part_done(block, out);
                if let Some(item) = block.item.take() {
                    let sealed = block.state.take().map(|(sealed, _)| sealed);
                    let json = item::reasoning(&item.id, form, &block.text, sealed.as_deref());
                    self.tell_end(item.place, json, out);
                }
            }
            Kind::Call { .. } => {
                let told = block.item.is_some();
                self.announce(block, out);
                if !told {
                    block.complete_input();
                    self.events.delta(block, &block.text, out);
                }
                self.events.part_done(block, out);
                let item = block.item.take();
                if let (Some(item), Kind::Call { id, name, free }) = (item, block.kind.clone()) {
                    let input = std::mem::take(&mut block.text);
                    self.hold(
                        Held::Call { place: item.place, id: item.id, call_id: id, name, free, input },
                        out,
                    );
                }
            }
        }
        if let Some((sealed, _)) = block.state.take() {
            self.carrier(&sealed, out);
        }
    }

    /// Writes the reasoning item that carries the signature of a block that has no room for it.
    fn carrier(&mut self, sealed: &str, out: &mut Vec<u8>) {
        let mut block = Block::new(Kind::Reasoning(ReasoningForm::Hidden));
        block.state = Some((sealed.to_owned(), Place::Here));
        self.close(&mut block, out);
    }

    fn hold(&mut self, held: Held, out: &mut Vec<u8>) {
        self.tell_held("completed", out);
        self.held = Some(Box::new(held));
    }

    fn tell_held(&mut self, status: &'static str, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            let (place, json) = held.finished(status);
            self.tell_end(place, json, out);
        }
    }

    fn tell_end(&mut self, place: usize, json: String, out: &mut Vec<u8>) {
        self.events.write("response.output_item.done", out, |event| {
            event.field("output_index", &place).raw("item", &json);
        });
        if let Some(slot) = self.output.get_mut(place) {
            *slot = json;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let incomplete = self.incomplete;
        let status = if incomplete.is_some() { "incomplete" } else { "completed" };
        self.tell_held(status, out);
        let output = self.finished();
        let moment = Moment {
            created: self.created.unwrap_or(self.context.created),
            status,
            incomplete,
            output: &output,
            usage: self.usage,
            tier: None,
        };
        let kind = if incomplete.is_some() { "response.incomplete" } else { "response.completed" };
        self.events.write(kind, out, |event| response::within(event, "response", &self.context, &moment));
    }
}

fn kind_of(kind: &BlockKind<'_>) -> Kind {
    match kind {
        BlockKind::Text => Kind::Text,
        BlockKind::Refusal => Kind::Refusal,
        BlockKind::Reasoning(form) => Kind::Reasoning(*form),
        BlockKind::ToolCall { id, name, free } => Kind::call(id, name, *free),
    }
}
