//! Reading an answer, whole or in chunks (§12.3 of the wire formats): one memory and one order of events for both.

use super::{
    call_ids::{CallIds, Seed},
    citations::{self, Offsets},
    finish, json_text, logprobs,
    wire::{self, Candidate, Chunk, FunctionCall, Part},
};
use crate::{
    form::{BlockKind, Citation, Event, Finish, Opaque, ReasoningForm, State},
    json::Text,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Dialect, Failure, TokenUsage};
use std::{borrow::Cow, collections::BTreeMap};

/// Takes what is read.
pub(super) trait Take {
    /// Takes an event; they come with the guarantees that [`Event`] names.
    fn event(&mut self, event: Event<'_>);

    /// Takes a part that no event can tell. No block is open.
    fn other(&mut self, choice: u32, part: &Part<'_>);
}

/// What must be remembered of an answer.
pub(super) struct Reader {
    answer: Option<String>,
    started: bool,
    calls: CallIds,
    counts: Counts,
    told: Option<TokenUsage>,
    choices: BTreeMap<u32, Choice>,
    whole: bool,
}

/// What must be remembered of one candidate.
#[derive(Default)]
struct Choice {
    open: Option<(u32, Block)>,
    blocks: u32,
    called: bool,
    other: bool,
    finish: Option<Finish>,
    offsets: Offsets,
    cited: Vec<Citation>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thought,
}

impl Reader {
    /// Starts before a whole answer, whose text is kept to tell places in it. `seed` is what ids are made from where
    /// the answer has none.
    pub(super) fn of_whole(seed: String) -> Self {
        Self::new(Seed::Body(seed), true)
    }

    /// Starts before a stream.
    pub(super) fn of_stream(ids: crate::translate::Ids) -> Self {
        Self::new(Seed::Ids(ids), false)
    }

    fn new(seed: Seed, whole: bool) -> Self {
        Self {
            answer: None,
            started: false,
            calls: CallIds::new(seed),
            counts: Counts::default(),
            told: None,
            choices: BTreeMap::new(),
            whole,
        }
    }

    /// Reads a chunk.
    ///
    /// # Errors
    /// When a candidate's end says that it failed.
    pub(super) fn chunk(&mut self, chunk: Chunk<'_>, take: &mut dyn Take) -> Result<(), AttemptError> {
        self.start(&chunk, take);
        for (at, candidate) in (0..).zip(chunk.candidates.unwrap_or_default()) {
            self.candidate(candidate.index.unwrap_or(at), candidate, take)?;
        }
        if let Some(feedback) = &chunk.prompt_feedback
            && let Some(reason) = Text::said(&feedback.block_reason)
        {
            self.choices.entry(0).or_default().finish = Some(finish::blocked(reason));
        }
        let counts = chunk.usage_metadata.and_then(|raw| Counts::read(Dialect::Gemini, raw.get()));
        if let Some(counts) = counts {
            self.counts.merge(counts);
            let usage = self.counts.total(Dialect::Gemini, TokenUsage::default());
            // Every chunk repeats the totals.
            if self.counts.reported() && self.told != Some(usage) {
                self.told = Some(usage);
                take.event(Event::Usage(usage));
            }
        }
        Ok(())
    }

    /// Takes note of the end, which the caller has found to be one.
    pub(super) fn finish(&mut self, take: &mut dyn Take) {
        for (&choice, state) in &mut self.choices {
            state.close(choice, take);
            let finish = state.finish.take().unwrap_or(Finish::End).with_calls(state.called);
            take.event(Event::Finish { choice, finish });
        }
        take.event(Event::End);
    }

    /// Tells whether anything was said, or a reason given why not.
    pub(super) fn has_answer(&self) -> bool {
        self.choices.values().any(|choice| choice.blocks > 0 || choice.other || choice.finish.is_some())
    }

    fn start(&mut self, chunk: &Chunk<'_>, take: &mut dyn Take) {
        let id = Text::said(&chunk.response_id);
        if self.answer.is_none() {
            self.answer = id.map(str::to_owned);
        }
        if !self.started {
            self.started = true;
            let model = Text::said(&chunk.model_version).map(Cow::Borrowed);
            take.event(Event::Start { id: id.map(Cow::Borrowed), model, created: None });
        }
    }

    fn candidate(
        &mut self,
        choice: u32,
        mut candidate: Candidate<'_>,
        take: &mut dyn Take,
    ) -> Result<(), AttemptError> {
        let whole = self.whole;
        let new = || Choice {
            offsets: if whole { Offsets::of_whole() } else { Offsets::default() },
            ..Choice::default()
        };
        let state = self.choices.entry(choice).or_insert_with(new);
        let parts = candidate.content.take().and_then(|content| content.parts).unwrap_or_default();
        for part in parts {
            match &part.function_call {
                Some(call) => {
                    let signature = Text::said(&part.thought_signature);
                    state.call(choice, call, signature, (&mut self.calls, self.answer.as_deref()), take)?;
                }
                None => state.part(choice, &part, take),
            }
        }
        state.cite(choice, &candidate, take);
        if let Some(result) = wire::beside(candidate.logprobs_result) {
            let content = logprobs::read(result);
            if !content.is_empty() {
                take.event(Event::Logprobs { choice, content });
            }
        }
        if let Some(reason) = Text::said(&candidate.finish_reason) {
            state.finish = Some(finish::read(reason, Text::said(&candidate.continuation_token))?);
        }
        Ok(())
    }
}

impl Choice {
    fn part(&mut self, choice: u32, part: &Part<'_>, take: &mut dyn Take) {
        let signature = Text::said(&part.thought_signature);
        if part.has_other_payload() || (part.text.is_none() && signature.is_none()) {
            self.other = true;
            self.close(choice, take);
            take.other(choice, part);
            return;
        }
        let text = Text::said(&part.text).unwrap_or("");
        let thought = part.thought == Some(true);
        if !text.is_empty() {
            let kind = if thought { Block::Thought } else { Block::Text };
            if self.open.is_none_or(|(_, open)| open != kind) {
                self.close(choice, take);
                self.open(choice, kind, take);
            }
            if let Some((block, _)) = self.open {
                take.event(Event::Delta { choice, block, text: Cow::Borrowed(text) });
            }
            if !thought {
                self.offsets.push(text);
            }
        }
        if let Some(signature) = signature {
            self.sign(choice, signature, thought, take);
        }
    }

    /// Tells a signature, and closes its block: the part that it is on must not be merged with what follows. One on
    /// an empty part is of the block before it, if that is of its kind, or else stands for itself.
    fn sign(&mut self, choice: u32, signature: &str, thought: bool, take: &mut dyn Take) {
        let kind = if thought { Block::Thought } else { Block::Text };
        if self.open.is_none_or(|(_, open)| open != kind) {
            self.close(choice, take);
            let block = self.number();
            let kind = BlockKind::Reasoning(ReasoningForm::Hidden);
            take.event(Event::Open { choice, block, kind });
            self.open = Some((block, Block::Thought));
        }
        if let Some((block, _)) = self.open {
            let state = Opaque::Native(State::native(Dialect::Gemini, signature));
            take.event(Event::State { choice, block, state });
        }
        self.close(choice, take);
    }

    fn call(
        &mut self,
        choice: u32,
        call: &FunctionCall<'_>,
        signature: Option<&str>,
        (calls, answer): (&mut CallIds, Option<&str>),
        take: &mut dyn Take,
    ) -> Result<(), AttemptError> {
        self.close(choice, take);
        let name = Text::said(&call.name).ok_or_else(|| {
            AttemptError::new(Failure::MalformedReply, "the provider's answer calls a tool without a name")
        })?;
        let args = call.args.map(|raw| raw.get()).filter(|args| *args != "null");
        let args = args.map_or(Cow::Borrowed("{}"), json_text::compact);
        let given = Text::said(&call.id);
        let Some(id) = calls.next(answer, choice, given, (name, &args)) else { return Ok(()) };
        self.called = true;
        let block = self.number();
        let kind = BlockKind::ToolCall { id, name: Cow::Borrowed(name), free: false };
        take.event(Event::Open { choice, block, kind });
        take.event(Event::Delta { choice, block, text: args });
        if let Some(signature) = signature {
            // The id goes with it, so that a later request knows it for Gemini's own.
            let item_id = given.map(str::to_owned);
            let state = State { item_id, ..State::native(Dialect::Gemini, signature) };
            take.event(Event::State { choice, block, state: Opaque::Native(state) });
        }
        take.event(Event::Close { choice, block });
        Ok(())
    }

    fn cite(&mut self, choice: u32, candidate: &Candidate<'_>, take: &mut dyn Take) {
        let Some((block, Block::Text)) = self.open else { return };
        for citation in citations::read(candidate, &self.offsets) {
            // Later chunks may repeat what was cited.
            if !self.cited.contains(&citation) {
                self.cited.push(citation.clone());
                take.event(Event::Cite { choice, block, citation: Box::new(citation) });
            }
        }
    }

    fn open(&mut self, choice: u32, kind: Block, take: &mut dyn Take) {
        let block = self.number();
        let opened = match kind {
            Block::Text => BlockKind::Text,
            Block::Thought => BlockKind::Reasoning(ReasoningForm::Summary),
        };
        take.event(Event::Open { choice, block, kind: opened });
        self.open = Some((block, kind));
    }

    fn close(&mut self, choice: u32, take: &mut dyn Take) {
        if let Some((block, _)) = self.open.take() {
            take.event(Event::Close { choice, block });
        }
    }

    fn number(&mut self) -> u32 {
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        block
    }
}
