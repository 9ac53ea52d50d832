//! Reading a provider's stream.

use super::{
    super::{citation, finish},
    wire::{self, Block, Delta, Message},
};
use crate::{
    form::{BlockKind, Event, Finish, Opaque, ReasoningForm, State},
    json::{Text, mended, says_something},
    tool_ids,
    translate::Ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Dialect, Failure, TokenUsage};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// Reads a stream event by event.
pub(crate) struct StreamDecoder {
    /// The answer's id, or one of ours: what the ids of calls that have none are made of.
    answer: Box<str>,
    started: bool,
    ended: bool,
    /// The blocks that are open, by their index in the stream.
    open: BTreeMap<u64, Open>,
    /// Numbers given to blocks.
    blocks: u32,
    /// Calls so far.
    calls: u32,
    counts: Counts,
    finish: Option<Finish>,
}

/// An open block.
struct Open {
    /// Its number; none for one that only this dialect understands, whose deltas say nothing.
    block: Option<u32>,
    /// Whether what it starts with is a call's whole input, which is told when no fragment replaces it.
    input: Option<String>,
    /// Its signature. It comes whole; a second replaces the first.
    signature: Option<State>,
}

impl StreamDecoder {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            answer: ids.answer(Dialect::Anthropic).into(),
            started: false,
            ended: false,
            open: BTreeMap::new(),
            blocks: 0,
            calls: 0,
            counts: Counts::default(),
            finish: None,
        }
    }

    /// Reads one event; `name` is that of the SSE event, empty where a server leaves it out.
    pub(crate) fn event(&mut self, name: &[u8], data: &[u8], sink: Sink<'_>) -> Result<(), AttemptError> {
        if self.ended || data.is_empty() || data.starts_with(b"[DONE]") || name == b"ping" {
            return Ok(());
        }
        match serde_json::from_slice::<wire::Event<'_>>(data) {
            Ok(event) => self.read(name, event, sink),
            Err(error) => match mended(data) {
                Some(mended) => {
                    let event = serde_json::from_slice(&mended).map_err(|error| malformed(&error));
                    event.and_then(|event| self.read(name, event, sink))
                }
                // What a provider may add one day must not stop a stream.
                None if error.is_data() => Ok(()),
                None => Err(malformed(&error)),
            },
        }
    }

    fn read(&mut self, name: &[u8], event: wire::Event<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        match name.unwrap_or_else(|| Text::plain(event.r#type.as_ref())) {
            "message_start" => self.message_start(event.message, sink),
            "content_block_start" => {
                if let (Some(index), Some(block)) = (event.index, event.content_block) {
                    self.block_start(index, block, sink)?;
                }
            }
            "content_block_delta" => {
                if let (Some(index), Some(delta)) = (event.index, event.delta) {
                    self.block_delta(index, delta, sink);
                }
            }
            "content_block_stop" => {
                if let Some(open) = event.index.and_then(|index| self.open.remove(&index)) {
                    close(open, sink);
                }
            }
            "message_delta" => self.message_delta(event.delta, event.usage, sink),
            "message_stop" => self.end(sink),
            _ => {}
        }
        Ok(())
    }

    fn message_start(&mut self, message: Option<Message<'_>>, sink: Sink<'_>) {
        if self.started {
            return;
        }
        let (id, model, usage) =
            message.map_or((None, None, None), |message| (message.id, message.model, message.usage));
        if let Some(id) = &id {
            self.answer = id.0.as_ref().into();
        }
        self.start(id.map(|id| id.0), model.map(|model| model.0), sink);
        self.usage(usage, sink);
    }

    fn start(&mut self, id: Option<Cow<'_, str>>, model: Option<Cow<'_, str>>, sink: Sink<'_>) {
        self.started = true;
        sink(Event::Start { id, model, created: None });
    }

    /// Takes note of counts: those that are left out or null stay as they were.
    fn usage(&mut self, raw: Option<&RawValue>, sink: Sink<'_>) {
        let Some(counts) = raw.and_then(|raw| Counts::read(Dialect::Anthropic, raw.get())) else { return };
        self.counts.merge(counts);
        if self.counts.reported() {
            sink(Event::Usage(self.counts.total(Dialect::Anthropic, TokenUsage::default())));
        }
    }

    fn block_start(&mut self, index: u64, block: Block<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        if !self.started {
            self.start(None, None, sink);
        }
        // A server that leaves out a stop starts the next block all the same.
        if let Some(forgotten) = self.open.remove(&index) {
            close(forgotten, sink);
        }
        let mut open = Open { block: None, input: None, signature: None };
        let kind = match Text::plain(block.r#type.as_ref()) {
            "text" => Some(BlockKind::Text),
            "thinking" => Some(BlockKind::Reasoning(ReasoningForm::Summary)),
            "redacted_thinking" => Some(BlockKind::Reasoning(ReasoningForm::Hidden)),
            "tool_use" => Some(self.call(&block)?),
            _ => None,
        };
        if let Some(kind) = kind {
            let number = self.blocks;
            self.blocks = self.blocks.saturating_add(1);
            open.block = Some(number);
            sink(Event::Open { choice: 0, block: number, kind });
            begin(&mut open, number, block, sink);
        }
        self.open.insert(index, open);
        Ok(())
    }

    fn call<'b>(&mut self, block: &'b Block<'_>) -> Result<BlockKind<'b>, AttemptError> {
        let name = Text::plain(block.name.as_ref());
        if name.is_empty() {
            let message = "the provider's stream has a tool call without a name";
            return Err(AttemptError::new(Failure::MalformedReply, message));
        }
        let ordinal = self.calls;
        self.calls = self.calls.saturating_add(1);
        let id = match Text::plain(block.id.as_ref()) {
            "" => Cow::Owned(tool_ids::made(&self.answer, ordinal)),
            id => Cow::Borrowed(id),
        };
        Ok(BlockKind::ToolCall { id, name: Cow::Borrowed(name), free: false })
    }

    fn block_delta(&mut self, index: u64, delta: Delta<'_>, sink: Sink<'_>) {
        let Some(open) = self.open.get_mut(&index) else { return };
        let Some(block) = open.block else { return };
        for text in [delta.text, delta.thinking, delta.partial_json].into_iter().flatten() {
            if !text.0.is_empty() {
                open.input = None;
                sink(Event::Delta { choice: 0, block, text: text.0 });
            }
        }
        if let Some(signature) = delta.signature {
            open.sign(&signature.0, false);
        }
        cite(block, delta.citation, sink);
    }

    fn message_delta(&mut self, delta: Option<Delta<'_>>, usage: Option<&RawValue>, sink: Sink<'_>) {
        if !self.started {
            self.start(None, None, sink);
        }
        self.usage(usage, sink);
        let Some(delta) = delta else { return };
        if let Some(reason) = &delta.stop_reason {
            let sequence = delta.stop_sequence.map(|sequence| sequence.0);
            let details = delta.stop_details.and_then(|raw| serde_json::from_str(raw.get()).ok());
            self.finish = Some(finish::read(&reason.0, sequence, details, self.calls > 0));
        }
    }

    /// Takes note of the stream's end. The caller knows that it is whole: a stop reason without `message_stop` will
    /// do.
    pub(crate) fn finish(&mut self, sink: Sink<'_>) -> Result<(), AttemptError> {
        self.end(sink);
        Ok(())
    }

    fn end(&mut self, sink: Sink<'_>) {
        if self.ended {
            return;
        }
        self.ended = true;
        if !self.started {
            self.start(None, None, sink);
        }
        while let Some((_, open)) = self.open.pop_first() {
            close(open, sink);
        }
        let finish = self.finish.take().unwrap_or_else(|| Finish::End.with_calls(self.calls > 0));
        sink(Event::Finish { choice: 0, finish });
        sink(Event::End);
    }
}

impl Open {
    fn sign(&mut self, signature: &str, redacted: bool) {
        if !signature.is_empty() {
            self.signature = Some(State { redacted, ..State::native(Dialect::Anthropic, signature) });
        }
    }
}

/// Tells what a block starts with. `{}` is a placeholder for a call's input and no fragment of it (pitfall 1 of the
/// wire formats).
fn begin(open: &mut Open, number: u32, block: Block<'_>, sink: Sink<'_>) {
    for text in [block.text, block.thinking].into_iter().flatten() {
        if !text.0.is_empty() {
            sink(Event::Delta { choice: 0, block: number, text: text.0 });
        }
    }
    open.sign(Text::plain(block.signature.as_ref()), false);
    open.sign(Text::plain(block.data.as_ref()), true);
    open.input = block.input.filter(|input| says_something(Some(input))).map(|input| input.get().to_owned());
    let citations = block.citations.and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok());
    citations.into_iter().flatten().for_each(|raw| cite(number, Some(raw), sink));
}

fn cite(block: u32, raw: Option<&RawValue>, sink: Sink<'_>) {
    let Some(raw) = raw.filter(|raw| says_something(Some(raw))) else { return };
    if let Ok(raw) = serde_json::from_str(raw.get()) {
        sink(Event::Cite { choice: 0, block, citation: Box::new(citation::read(raw)) });
    }
}

fn close(open: Open, sink: Sink<'_>) {
    let Some(block) = open.block else { return };
    if let Some(input) = open.input {
        sink(Event::Delta { choice: 0, block, text: Cow::Owned(input) });
    }
    if let Some(state) = open.signature {
        sink(Event::State { choice: 0, block, state: Opaque::Native(state) });
    }
    sink(Event::Close { choice: 0, block });
}

fn malformed(error: &serde_json::Error) -> AttemptError {
    let message = format!("the provider sent an event that is not valid JSON at column {}", error.column());
    AttemptError::new(Failure::MalformedReply, message)
}
