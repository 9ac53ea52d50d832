//! Writing a stream for a client.

mod choice;

use super::super::{CHAT, reply::write_usage};
use crate::{form::Event, json::Object, translate::ReplyContext};
use choice::Choice;
use cliproxy_domain::TokenUsage;
use std::sync::Arc;

/// Writes a stream event by event.
///
/// What the official client asks for: role, ids and names once; numbers of calls dense in each choice; no list twice
/// in the deltas of a choice but calls, which have numbers; usage in the very last chunk.
pub(crate) struct StreamEncoder {
    context: Arc<ReplyContext>,
    /// A chunk up to its choices, the same in all of them.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Option<TokenUsage>,
}

impl StreamEncoder {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        Self { context, head: Vec::new(), choices: Vec::new(), usage: None }
    }

    /// Appends what the client is told of `event`, in whole SSE events.
    pub(crate) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { created, .. } => {
                self.head = head(&self.context, created.unwrap_or(self.context.created));
                self.choice(0, out);
            }
            Event::Open { choice, block, kind } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.open(*block, kind, chunks, out);
            }
            Event::Delta { choice, block, text } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.delta(*block, text, chunks, out);
            }
            Event::State { choice, block, state } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.state(*block, state, chunks, out);
            }
            Event::Cite { choice, citation, .. } => self.choice(*choice, out).0.cite(citation),
            Event::Logprobs { choice, content } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.logprobs(content, chunks, out);
            }
            Event::Close { choice, block } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.close(*block, chunks, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice, finish } => {
                let (choice, chunks) = self.choice(*choice, out);
                choice.finish(finish, chunks, out);
            }
            Event::End => self.end(out),
        }
    }
}

impl StreamEncoder {
    /// Gives the choice `index`, which begins with a chunk that names the role.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) -> (&mut Choice, Chunks<'_>) {
        let Self { context, head, choices, .. } = self;
        let chunks = Chunks { context, head };
        let place = choices.iter().position(|choice| choice.index == index).unwrap_or(choices.len());
        if place == choices.len() {
            chunks.delta(index, out, |delta| {
                delta.field("role", "assistant").field("content", "").field("refusal", &());
            });
            choices.push(Choice::new(index));
        }
        (&mut choices[place], chunks)
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.context.stream_usage
            && let Some(usage) = &self.usage
        {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            write_usage(&mut Object::new(out), usage);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// Writes chunks.
#[derive(Clone, Copy)]
struct Chunks<'c> {
    context: &'c ReplyContext,
    head: &'c [u8],
}

impl Chunks<'_> {
    /// Writes a chunk of one delta.
    fn delta(self, index: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        self.chunk(index, out, fill, |choice| {
            choice.field("logprobs", &()).field("finish_reason", &());
        });
    }

    /// Writes a chunk with the reason of the end.
    fn finish(self, index: u32, reason: &str, out: &mut Vec<u8>) {
        let rest = |choice: &mut Object<'_>| {
            choice.field("logprobs", &()).field("finish_reason", reason);
        };
        self.chunk(index, out, |_| {}, rest);
    }

    fn chunk(
        self,
        index: u32,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut Object<'_>),
        rest: impl FnOnce(&mut Object<'_>),
    ) {
        out.extend_from_slice(self.head);
        let mut choice = Object::new(out);
        choice.field("index", &index);
        delta(&mut choice.object("delta"));
        rest(&mut choice);
        drop(choice);
        // Where usage is asked for, every chunk has the field.
        let tail: &[u8] = if self.context.stream_usage { b"],\"usage\":null}\n\n" } else { b"]}\n\n" };
        out.extend_from_slice(tail);
    }
}

/// Writes a chunk up to its choices.
fn head(context: &ReplyContext, created: i64) -> Vec<u8> {
    let mut head = b"data: ".to_vec();
    let mut object = Object::new(&mut head);
    object.field("id", &context.ids.answer(CHAT)).field("object", "chat.completion.chunk");
    object.field("created", &created).field("model", &context.model);
    drop(object);
    head.pop();
    head.extend_from_slice(b",\"choices\":[");
    head
}
