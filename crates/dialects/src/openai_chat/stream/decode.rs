//! Reading a provider's stream.

mod calls;
mod choice;

use super::super::{
    CHAT,
    wire::{self, Chunk, ChunkChoice, malformed},
};
use crate::{form::Event, json::some_text, translate::Ids, usage::Counts};
use choice::Choice;
use cliproxy_domain::{AttemptError, TokenUsage};

/// Choices of an answer at most, as the API has it.
const MAX_CHOICES: usize = 128;

/// Where events go.
type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// Reads a stream event by event.
///
/// The ends of the choices are told when the stream ends: usage may come after them, and some servers say a second
/// `finish_reason`, of which the first has the word.
pub(crate) struct StreamDecoder {
    ids: Ids,
    started: bool,
    ended: bool,
    /// Something was said, whatever the reasons.
    content: bool,
    counts: Counts,
    choices: Vec<Choice>,
    /// Calls so far that had no id.
    made: u32,
}

impl StreamDecoder {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            started: false,
            ended: false,
            content: false,
            counts: Counts::default(),
            choices: Vec::new(),
            made: 0,
        }
    }

    /// Reads one event; `name` is that of the SSE event, empty where the dialect has none.
    ///
    /// # Errors
    /// [`Failure::MalformedReply`] for what nobody can read, [`Failure::Upstream`] when the server says that it broke
    /// off.
    pub(crate) fn event(&mut self, name: &[u8], data: &[u8], sink: Sink<'_>) -> Result<(), AttemptError> {
        // This dialect names no events; what compatible servers name is read by what it holds.
        let _ = name;
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data.starts_with(b"[DONE]") {
            return if self.is_whole() { self.finish(sink) } else { Ok(()) };
        }
        let data = String::from_utf8_lossy(data);
        let chunk: Chunk<'_> = match serde_json::from_str(&data) {
            Ok(chunk) => chunk,
            // JSON of another shape: what a server may add one day must not stop a stream.
            Err(error) if error.is_data() => return Ok(()),
            Err(_) => return Err(malformed("the provider sent an event that is not valid JSON")),
        };
        self.chunk(chunk, sink)
    }

    fn chunk(&mut self, chunk: Chunk<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        let counts = chunk.usage.and_then(|usage| Counts::read(CHAT, usage.get())).filter(Counts::reported);
        let choices = chunk.choices.unwrap_or_default();
        // Azure begins with a chunk that has neither choices nor a name of its own.
        if !self.started && (!choices.is_empty() || counts.is_some()) {
            self.started = true;
            sink(Event::Start {
                id: some_text(chunk.id),
                model: some_text(chunk.model),
                created: wire::created(chunk.created),
            });
        }
        for choice in choices {
            self.choice(&choice, sink)?;
        }
        if let Some(counts) = counts {
            self.counts.merge(counts);
            sink(Event::Usage(self.counts.total(CHAT, TokenUsage::default())));
        }
        Ok(())
    }

    fn choice(&mut self, from: &ChunkChoice<'_>, sink: Sink<'_>) -> Result<(), AttemptError> {
        let index = wire::number(from.index).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let place = match self.choices.iter().position(|choice| choice.index == index) {
            Some(place) => place,
            None if self.choices.len() < MAX_CHOICES => {
                self.choices.push(Choice::new(index));
                self.choices.len() - 1
            }
            None => return Err(malformed("the provider sent more choices than the API has")),
        };
        let Some(choice) = self.choices.get_mut(place) else { return Ok(()) };
        if let Some(delta) = &from.delta {
            choice.delta(delta, &self.ids, &mut self.made, sink)?;
        }
        if let Some(content) = wire::logprobs(from.logprobs) {
            sink(Event::Logprobs { choice: index, content });
        }
        if let Some(word) = some_text(from.finish_reason) {
            choice.finish(&word, some_text(from.stop_reason), &self.ids, &mut self.made, sink)?;
        }
        self.content |= choice.has_content();
        Ok(())
    }

    /// Tells whether every choice has a reason for its end; `[DONE]` after content will do.
    fn is_whole(&self) -> bool {
        let reasons = self.choices.iter().all(Choice::is_finished) && !self.choices.is_empty();
        reasons || self.content
    }

    /// Takes note of the stream's end; whether it was the server's own end, the caller knows.
    pub(crate) fn finish(&mut self, sink: Sink<'_>) -> Result<(), AttemptError> {
        if self.ended || self.choices.is_empty() {
            return Ok(());
        }
        for choice in &mut self.choices {
            choice.close(&self.ids, &mut self.made, sink)?;
        }
        self.ended = true;
        for choice in &self.choices {
            sink(Event::Finish { choice: choice.index, finish: choice.reason() });
        }
        sink(Event::End);
        Ok(())
    }
}
