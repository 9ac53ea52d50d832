//! Reading a provider's stream.

mod items;

use crate::{
    form::{BlockKind, Event},
    json::text,
    openai_responses::{
        outcome,
        wire::{ContentPart, Item, Response, list, malformed},
    },
    translate::Ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Dialect, Failure, TokenUsage};
use items::Open;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// Reads a stream event by event. Items may interleave; each has its place in the output for a key.
pub(crate) struct StreamDecoder {
    ids: Ids,
    started: bool,
    ended: bool,
    items: BTreeMap<u64, Open>,
    /// The number of the next block.
    next_block: u32,
    calls: u32,
}

/// An event of the stream; which fields are there, its type says.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    content_index: u64,
    #[serde(default)]
    summary_index: u64,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    annotation: Option<&'a RawValue>,
    #[serde(borrow)]
    part: Option<ContentPart<'a>>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

/// Where blocks are opened and told of.
struct Out<'o> {
    sink: &'o mut dyn FnMut(Event<'_>),
    next_block: &'o mut u32,
    calls: &'o mut u32,
    ids: Ids,
}

impl Out<'_> {
    fn open(&mut self, kind: BlockKind<'_>) -> u32 {
        let block = *self.next_block;
        *self.next_block = block.saturating_add(1);
        (self.sink)(Event::Open { choice: 0, block, kind });
        block
    }

    fn delta(&mut self, block: u32, text: Cow<'_, str>) {
        if !text.is_empty() {
            (self.sink)(Event::Delta { choice: 0, block, text });
        }
    }

    fn close(&mut self, block: u32) {
        (self.sink)(Event::Close { choice: 0, block });
    }
}

impl StreamDecoder {
    pub(crate) fn new(ids: Ids) -> Self {
        Self { ids, started: false, ended: false, items: BTreeMap::new(), next_block: 0, calls: 0 }
    }

    /// Reads one event; `name` is that of the SSE event, empty where the server writes none.
    pub(crate) fn event(
        &mut self,
        name: &[u8],
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        if self.ended || data.is_empty() || data.starts_with(b"[DONE]") {
            return Ok(());
        }
        let wire: Wire<'_> = match serde_json::from_slice(data) {
            Ok(wire) => wire,
            // JSON of another shape: what a provider may add one day must not stop a stream.
            Err(error) if error.is_data() => return Ok(()),
            Err(_) => return Err(malformed("the provider sent an event that is not valid JSON")),
        };
        let named = text(wire.r#type).unwrap_or_default();
        let kind = std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).unwrap_or(&named);
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                self.start(wire.response, sink)
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                return self.end(kind, wire.response, sink);
            }
            "response.failed" => return Err(outcome::failed(&response(wire.response))),
            _ => {
                self.start(None, sink);
                return self.content(kind, &wire, sink);
            }
        }
        Ok(())
    }

    /// Takes note of the stream's end. All was said with the response's own end.
    pub(crate) fn finish(&mut self, _: &mut dyn FnMut(Event<'_>)) -> Result<(), AttemptError> {
        if self.ended {
            return Ok(());
        }
        Err(AttemptError::new(Failure::StreamBroken, "the provider's stream ended early"))
    }

    fn start(&mut self, raw: Option<&RawValue>, sink: &mut dyn FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let response = response(raw);
        sink(Event::Start {
            id: text(response.id),
            model: text(response.model),
            created: response.created(),
        });
    }

    fn content(
        &mut self,
        kind: &str,
        wire: &Wire<'_>,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        let mut out = Out { sink, next_block: &mut self.next_block, calls: &mut self.calls, ids: self.ids };
        let (place, part) = (wire.output_index, wire.content_index);
        let known = &mut self.items;
        match kind {
            "response.output_item.added" => {
                if let Some(item) = &wire.item {
                    known.entry(place).or_insert_with(|| Open::begin(item, &mut out));
                }
            }
            "response.output_item.done" => {
                if let Some(item) = &wire.item {
                    known.entry(place).or_insert_with(|| Open::begin(item, &mut out)).end(item, &mut out)?;
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let message = known.entry(place).or_insert_with(Open::message);
                message.say(part, kind == "response.refusal.delta", wire.delta, wire.logprobs, &mut out);
            }
            "response.output_text.done" => {
                let whole =
                    ContentPart { text: wire.text, logprobs: wire.logprobs, ..ContentPart::default() };
                known.entry(place).or_insert_with(Open::message).said(part, false, &whole, &mut out);
            }
            "response.refusal.done" => {
                let whole = ContentPart { refusal: wire.refusal, ..ContentPart::default() };
                known.entry(place).or_insert_with(Open::message).said(part, true, &whole, &mut out);
            }
            "response.output_text.annotation.added" => {
                let message = known.entry(place).or_insert_with(Open::message);
                message.cite(part, wire.annotation, &mut out);
            }
            "response.content_part.done" => {
                if let (Some(item), Some(whole)) = (known.get_mut(&place), &wire.part) {
                    item.part_done(part, whole, &mut out);
                }
            }
            "response.reasoning_summary_text.delta" => {
                let reasoning = known.entry(place).or_insert_with(Open::reasoning);
                reasoning.think(false, wire.summary_index, wire.delta, &mut out);
            }
            "response.reasoning_summary_text.done" => {
                let reasoning = known.entry(place).or_insert_with(Open::reasoning);
                reasoning.thought(false, wire.summary_index, wire.text, &mut out);
            }
            "response.reasoning_text.delta" => {
                let reasoning = known.entry(place).or_insert_with(Open::reasoning);
                reasoning.think(true, part, wire.delta, &mut out);
            }
            "response.reasoning_text.done" => {
                let reasoning = known.entry(place).or_insert_with(Open::reasoning);
                reasoning.thought(true, part, wire.text, &mut out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                if let Some(call) = known.get_mut(&place) {
                    call.argue(wire.delta, &mut out);
                }
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                if let Some(call) = known.get_mut(&place) {
                    call.argued(wire.arguments.or(wire.input), &mut out);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the answer with what its last event says of it: items that were never announced, tokens, and why.
    fn end(
        &mut self,
        kind: &str,
        raw: Option<&RawValue>,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), AttemptError> {
        let response = response(raw);
        if response.is_failed() {
            return Err(outcome::failed(&response));
        }
        self.start(raw, sink);
        let mut out =
            Out { sink: &mut *sink, next_block: &mut self.next_block, calls: &mut self.calls, ids: self.ids };
        for (place, item) in (0..).zip(list::<Item<'_>>(response.output)) {
            let open = self.items.entry(place).or_insert_with(|| Open::begin(&item, &mut out));
            open.end(&item, &mut out)?;
        }
        self.items.values_mut().for_each(|item| item.close(&mut out));
        let counts = response.usage.and_then(|raw| Counts::read(Dialect::OpenAiResponses, raw.get()));
        let implied = if kind == "response.incomplete" { "incomplete" } else { "completed" };
        let finish = outcome::read(&response, implied, self.calls > 0)?;
        if let Some(counts) = counts.filter(Counts::reported) {
            sink(Event::Usage(counts.total(Dialect::OpenAiResponses, TokenUsage::default())));
        }
        sink(Event::Finish { choice: 0, finish });
        sink(Event::End);
        self.ended = true;
        Ok(())
    }
}

fn response<'a>(raw: Option<&'a RawValue>) -> Response<'a> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}
