//! Items of a stream that have begun.

use super::Out;
use crate::{
    form::{BlockKind, Event, ReasoningForm},
    json::{some_text, text},
    openai_responses::{
        annotation,
        reply::{encrypted, joined, nameless},
        wire::{ContentPart, Item, list, logprobs, value, values},
    },
};
use cliproxy_domain::AttemptError;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An item that was announced, or that an event spoke of.
pub(super) enum Open {
    Message(Vec<Said>),
    Call(Call),
    Reasoning(Thought),
    /// Nothing more is to be told of it: it ended, or it is of a kind that has no blocks.
    Over,
}

/// A part of a message.
#[derive(Default)]
pub(super) struct Said {
    place: u64,
    block: Option<u32>,
    refusal: bool,
    has_text: bool,
    citations: usize,
    over: bool,
}

pub(super) struct Call {
    block: Option<u32>,
    free: bool,
    /// What came before the tool's name.
    pending: String,
    has_text: bool,
}

#[derive(Default)]
pub(super) struct Thought {
    block: Option<(u32, ReasoningForm)>,
    /// The part of which text was told last.
    last: Option<(bool, u64)>,
}

impl Open {
    pub(super) fn message() -> Self {
        Open::Message(Vec::new())
    }

    pub(super) fn reasoning() -> Self {
        Open::Reasoning(Thought::default())
    }

    /// Begins an item as it is announced.
    pub(super) fn begin(item: &Item<'_>, out: &mut Out<'_>) -> Self {
        let kind = text(item.r#type).unwrap_or_default();
        match kind.as_ref() {
            "message" => Open::message(),
            "reasoning" => Open::reasoning(),
            "function_call" | "custom_tool_call" => {
                let free = kind == "custom_tool_call";
                let mut call = Call { block: None, free, pending: String::new(), has_text: false };
                call.open(item, out);
                Open::Call(call)
            }
            _ => Open::Over,
        }
    }

    /// Tells more of a message.
    pub(super) fn say(
        &mut self,
        place: u64,
        refusal: bool,
        delta: Option<&RawValue>,
        probabilities: Option<&RawValue>,
        out: &mut Out<'_>,
    ) {
        let Some(said) = self.part(place) else { return };
        if let Some(delta) = some_text(delta) {
            said.tell(refusal, delta, out);
        }
        tell_logprobs(probabilities, out);
    }

    /// Takes note of a whole text, and tells it where its pieces did not come.
    pub(super) fn said(&mut self, place: u64, refusal: bool, whole: &ContentPart<'_>, out: &mut Out<'_>) {
        if let Some(said) = self.part(place) {
            said.complete(refusal, whole, out);
        }
    }

    /// Tells of a citation.
    pub(super) fn cite(&mut self, place: u64, annotation: Option<&RawValue>, out: &mut Out<'_>) {
        let (Some(said), Some(raw)) = (self.part(place), annotation.and_then(value)) else { return };
        if said.refusal {
            return;
        }
        let block = said.opened(false, out);
        said.citations = said.citations.saturating_add(1);
        let citation = Box::new(annotation::read(raw));
        (out.sink)(Event::Cite { choice: 0, block, citation });
    }

    /// Ends a part of a message.
    pub(super) fn part_done(&mut self, place: u64, whole: &ContentPart<'_>, out: &mut Out<'_>) {
        if let Some(said) = self.part(place) {
            said.end(whole, out);
        }
    }

    fn part(&mut self, place: u64) -> Option<&mut Said> {
        let Open::Message(parts) = self else { return None };
        let at = match parts.iter().position(|part| part.place == place) {
            Some(at) => at,
            None => {
                parts.push(Said { place, ..Said::default() });
                parts.len() - 1
            }
        };
        parts.get_mut(at).filter(|part| !part.over)
    }

    /// Tells more reasoning.
    pub(super) fn think(&mut self, raw: bool, place: u64, delta: Option<&RawValue>, out: &mut Out<'_>) {
        if let Open::Reasoning(thought) = self {
            thought.tell(raw, place, some_text(delta), out);
        }
    }

    /// Takes note of a whole piece of reasoning, and tells it where its pieces did not come.
    pub(super) fn thought(&mut self, raw: bool, place: u64, whole: Option<&RawValue>, out: &mut Out<'_>) {
        if let Open::Reasoning(thought) = self
            && thought.last != Some((raw, place))
        {
            thought.tell(raw, place, some_text(whole), out);
        }
    }

    /// Tells more of a call's arguments.
    pub(super) fn argue(&mut self, delta: Option<&RawValue>, out: &mut Out<'_>) {
        if let (Open::Call(call), Some(delta)) = (self, some_text(delta)) {
            call.tell(delta, out);
        }
    }

    /// Takes note of a call's whole arguments.
    pub(super) fn argued(&mut self, whole: Option<&RawValue>, out: &mut Out<'_>) {
        if let Open::Call(call) = self
            && !call.has_text
            && let Some(whole) = some_text(whole)
        {
            call.tell(whole, out);
        }
    }

    /// Ends an item with all that it is.
    ///
    /// # Errors
    /// When it is a call that names no tool.
    pub(super) fn end(&mut self, item: &Item<'_>, out: &mut Out<'_>) -> Result<(), AttemptError> {
        match self {
            Open::Message(_) => {
                for (place, part) in (0..).zip(list::<ContentPart<'_>>(item.content)) {
                    self.part_done(place, &part, out);
                }
            }
            Open::Call(call) => {
                call.open(item, out);
                if call.block.is_none() {
                    return Err(nameless());
                }
                self.argued(item.arguments.or(item.input), out);
            }
            Open::Reasoning(thought) => thought.end(item, out),
            Open::Over => {}
        }
        self.close(out);
        Ok(())
    }

    /// Closes what is open of it.
    pub(super) fn close(&mut self, out: &mut Out<'_>) {
        let mut close = |block: Option<u32>| block.into_iter().for_each(|block| out.close(block));
        match std::mem::replace(self, Open::Over) {
            Open::Message(parts) => {
                parts.into_iter().filter(|part| !part.over).for_each(|part| close(part.block));
            }
            Open::Call(call) => close(call.block),
            Open::Reasoning(thought) => close(thought.block.map(|(block, _)| block)),
            Open::Over => {}
        }
    }
}

impl Said {
    fn opened(&mut self, refusal: bool, out: &mut Out<'_>) -> u32 {
        if let Some(block) = self.block {
            return block;
        }
        self.refusal = refusal;
        let block = out.open(if refusal { BlockKind::Refusal } else { BlockKind::Text });
        self.block = Some(block);
        block
    }

    fn tell(&mut self, refusal: bool, text: Cow<'_, str>, out: &mut Out<'_>) {
        let block = self.opened(refusal, out);
        self.has_text = true;
        out.delta(block, text);
    }

    fn complete(&mut self, refusal: bool, whole: &ContentPart<'_>, out: &mut Out<'_>) {
        if self.has_text {
            return;
        }
        let text = if refusal { whole.refusal } else { whole.text };
        if let Some(text) = some_text(text) {
            self.tell(refusal, text, out);
            tell_logprobs(whole.logprobs, out);
        }
    }

    fn end(&mut self, whole: &ContentPart<'_>, out: &mut Out<'_>) {
        let refusal = text(whole.r#type).is_some_and(|kind| kind == "refusal");
        self.complete(refusal, whole, out);
        self.over = true;
        let Some(block) = self.block else { return };
        if !self.refusal {
            for raw in values(whole.annotations).into_iter().skip(self.citations) {
                let citation = Box::new(annotation::read(raw));
                (out.sink)(Event::Cite { choice: 0, block, citation });
            }
        }
        out.close(block);
    }
}

fn tell_logprobs(raw: Option<&RawValue>, out: &mut Out<'_>) {
    let content = raw.filter(|raw| raw.get() != "[]").map(|raw| logprobs(Some(raw))).unwrap_or_default();
    if !content.is_empty() {
        (out.sink)(Event::Logprobs { choice: 0, content });
    }
}

impl Call {
    /// Opens the call once its tool is known; its id may have to be made up.
    fn open(&mut self, item: &Item<'_>, out: &mut Out<'_>) {
        let (None, Some(name)) = (self.block, some_text(item.name)) else { return };
        let id = some_text(item.call_id).or_else(|| some_text(item.id));
        let id = id.unwrap_or_else(|| Cow::Owned(out.ids.call(*out.calls)));
        *out.calls = out.calls.saturating_add(1);
        let block = out.open(BlockKind::ToolCall { id, name, free: self.free });
        self.block = Some(block);
        out.delta(block, Cow::Owned(std::mem::take(&mut self.pending)));
    }

    fn tell(&mut self, text: Cow<'_, str>, out: &mut Out<'_>) {
        self.has_text = true;
        match self.block {
            Some(block) => out.delta(block, text),
            None => self.pending.push_str(&text),
        }
    }
}

impl Thought {
    fn tell(&mut self, raw: bool, place: u64, text: Option<Cow<'_, str>>, out: &mut Out<'_>) {
        let Some(text) = text else { return };
        let form = if raw { ReasoningForm::Raw } else { ReasoningForm::Summary };
        let block = match self.block {
            Some((block, open)) if open == form => {
                if self.last != Some((raw, place)) {
                    out.delta(block, Cow::Borrowed("\n\n"));
                }
                block
            }
            other => {
                other.into_iter().for_each(|(block, _)| out.close(block));
                out.open(BlockKind::Reasoning(form))
            }
        };
        self.block = Some((block, form));
        self.last = Some((raw, place));
        out.delta(block, text);
    }

    fn end(&mut self, item: &Item<'_>, out: &mut Out<'_>) {
        if self.block.is_none() {
            self.tell(false, 0, joined(item.summary).map(Cow::Owned), out);
            self.tell(true, 0, joined(item.content).map(Cow::Owned), out);
        }
        if let Some(state) = encrypted(item) {
            let (block, _) = *self.block.get_or_insert_with(|| {
                let form = ReasoningForm::Hidden;
                (out.open(BlockKind::Reasoning(form)), form)
            });
            (out.sink)(Event::State { choice: 0, block, state });
        }
    }
}
