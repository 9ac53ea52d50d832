//! One choice of a stream that is read: which of its blocks is open.

use super::{
    Sink,
    calls::{Calls, Place},
};
use crate::{
    form::{BlockKind, Event, Finish, ReasoningForm},
    json::some_text,
    openai_chat::{
        details::Details,
        wire::{self, Said},
        words,
    },
    translate::Ids,
};
use cliproxy_domain::AttemptError;
use std::borrow::Cow;

/// One choice.
pub(super) struct Choice {
    pub(super) index: u32,
    blocks: u32,
    /// The open block of text, refusal or reasoning; calls are open beside it.
    open: Option<(u32, BlockKind<'static>)>,
    details: Details,
    calls: Calls,
    reason: Option<Finish>,
}

impl Choice {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            blocks: 0,
            open: None,
            details: Details::default(),
            calls: Calls::default(),
            reason: None,
        }
    }

    pub(super) fn has_content(&self) -> bool {
        self.blocks > 0 || self.calls.called()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.reason.is_some()
    }

    /// Gives the reason of the end: an ordinary one for a choice that was ended by the stream's end alone.
    pub(super) fn reason(&self) -> Finish {
        // A call may come after the reason, from servers that split their last chunk.
        self.reason.clone().unwrap_or(Finish::End).with_calls(self.calls.called())
    }

    pub(super) fn delta(
        &mut self,
        delta: &Said<'_>,
        ids: &Ids,
        made: &mut u32,
        sink: Sink<'_>,
    ) -> Result<(), AttemptError> {
        self.reasoning(delta, sink);
        if let Some(text) = some_text(delta.content) {
            self.say(BlockKind::Text, text, sink);
        }
        if let Some(text) = some_text(delta.refusal) {
            self.say(BlockKind::Refusal, text, sink);
        }
        if let Some((block, BlockKind::Text)) = self.open {
            for citation in wire::citations(delta.annotations) {
                sink(Event::Cite { choice: self.index, block, citation: Box::new(citation) });
            }
        }
        for call in wire::calls(delta.tool_calls)? {
            self.close_words(sink);
            let place = Place { choice: self.index, blocks: &mut self.blocks, ids, made: &mut *made };
            self.calls.fragment(&call, place, sink)?;
        }
        if let Some(call) = wire::older_call(delta.function_call) {
            self.close_words(sink);
            let place = Place { choice: self.index, blocks: &mut self.blocks, ids, made };
            self.calls.fragment(&call, place, sink)?;
        }
        Ok(())
    }

    fn reasoning(&mut self, delta: &Said<'_>, sink: Sink<'_>) {
        let from_details = delta.reasoning_details.map(|raw| self.details.take(raw)).unwrap_or_default();
        let text = some_text(delta.reasoning_content)
            .or_else(|| some_text(delta.reasoning))
            .unwrap_or(Cow::Owned(from_details));
        if !text.is_empty() {
            self.say(BlockKind::Reasoning(ReasoningForm::Raw), text, sink);
        }
    }

    fn say(&mut self, kind: BlockKind<'static>, text: Cow<'_, str>, sink: Sink<'_>) {
        let choice = self.index;
        let block = match &self.open {
            Some((block, open)) if *open == kind => *block,
            _ => {
                self.close_open(sink);
                // What OpenRouter sends beside reasoning belongs to the block that begins.
                if !matches!(kind, BlockKind::Reasoning(_)) {
                    self.flush_details(sink);
                }
                self.begin(kind, sink)
            }
        };
        sink(Event::Delta { choice, block, text });
    }

    fn begin(&mut self, kind: BlockKind<'static>, sink: Sink<'_>) -> u32 {
        let block = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        self.open = Some((block, kind.clone()));
        sink(Event::Open { choice: self.index, block, kind });
        block
    }

    /// Closes text, refusal and reasoning.
    fn close_words(&mut self, sink: Sink<'_>) {
        self.close_open(sink);
        self.flush_details(sink);
    }

    fn close_open(&mut self, sink: Sink<'_>) {
        let choice = self.index;
        let Some((block, kind)) = self.open.take() else { return };
        if matches!(kind, BlockKind::Reasoning(_))
            && let Some(state) = self.details.take_state()
        {
            sink(Event::State { choice, block, state });
        }
        sink(Event::Close { choice, block });
    }

    /// Tells of state that came without any text.
    fn flush_details(&mut self, sink: Sink<'_>) {
        let Some(state) = self.details.take_state() else { return };
        let choice = self.index;
        let block = self.begin(BlockKind::Reasoning(ReasoningForm::Hidden), sink);
        sink(Event::State { choice, block, state });
        self.open = None;
        sink(Event::Close { choice, block });
    }

    /// Takes note of a reason; the first has the word.
    pub(super) fn finish(
        &mut self,
        word: &str,
        at: Option<Cow<'_, str>>,
        ids: &Ids,
        made: &mut u32,
        sink: Sink<'_>,
    ) -> Result<(), AttemptError> {
        self.close(ids, made, sink)?;
        let reason = words::finish_of(word, self.calls.called(), at.map(Cow::into_owned))?;
        self.reason.get_or_insert(reason);
        Ok(())
    }

    /// Closes every block.
    pub(super) fn close(&mut self, ids: &Ids, made: &mut u32, sink: Sink<'_>) -> Result<(), AttemptError> {
        self.close_words(sink);
        let place = Place { choice: self.index, blocks: &mut self.blocks, ids, made };
        self.calls.close(place, sink)
    }
}
