//! Writing a stream for a client.

mod choice;
mod frame;

use super::super::answer::{self, Ending};
use crate::{
    form::{BlockKind, Event, Opaque},
    framing::StreamState,
    json::Object,
    translate::ReplyContext,
};
use choice::{Block, Choice};
use cliproxy_domain::TokenUsage;
use frame::Frame;
use std::{collections::BTreeMap, sync::Arc};

/// Writes a stream event by event: text as it comes, calls and signatures whole.
pub(crate) struct StreamEncoder {
    context: Arc<ReplyContext>,
    frame: Frame,
    choices: BTreeMap<u32, Choice>,
    usage: Option<TokenUsage>,
}

impl StreamEncoder {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        let frame = Frame::new(&context);
        Self { context, frame, choices: BTreeMap::new(), usage: None }
    }

    /// Appends what the client is told of `event`, in whole SSE events or elements of the array.
    pub(crate) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => {}
            Event::Open { choice, block, kind } => self.open(*choice, *block, kind),
            Event::Delta { choice, block, text } => self.delta(*choice, *block, text, out),
            Event::State { choice, block, state } => self.state_of(*choice, *block, state, out),
            Event::Cite { choice, citation, .. } => {
                self.choices.entry(*choice).or_default().citations.push((**citation).clone());
            }
            Event::Logprobs { choice, content } => {
                self.frame.candidate(out, *choice, |candidate| {
                    super::super::logprobs::write(candidate, content);
                });
            }
            Event::Close { choice, block } => self.close(*choice, *block, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice, finish } => {
                self.choices.entry(*choice).or_default().finish = Some(finish.clone());
            }
            Event::End => self.end(out),
        }
    }

    /// Gives what an error event of ours must know of what was written.
    pub(crate) fn state(&self) -> StreamState {
        StreamState { array: self.frame.position(), ..StreamState::default() }
    }

    fn open(&mut self, choice: u32, block: u32, kind: &BlockKind<'_>) {
        let opened = match kind {
            BlockKind::Text | BlockKind::Refusal => Block::Text,
            BlockKind::Reasoning(_) => Block::Reasoning(String::new()),
            BlockKind::ToolCall { id, name, free } => Block::call(id, name, *free),
        };
        self.choices.entry(choice).or_default().open.insert(block, opened);
    }

    fn delta(&mut self, choice: u32, block: u32, text: &str, out: &mut Vec<u8>) {
        let state = self.choices.entry(choice).or_default();
        match state.open.get_mut(&block) {
            Some(Block::Text) => {
                state.offsets.push(text);
                let signature = state.pocket.take();
                self.frame.text(out, choice, text, false, signature.as_deref());
            }
            Some(Block::Reasoning(thoughts)) => {
                thoughts.push_str(text);
                if self.context.shows_reasoning {
                    self.frame.text(out, choice, text, true, None);
                }
            }
            Some(Block::Call { args, .. }) => args.push_str(text),
            None => {}
        }
    }

    fn state_of(&mut self, choice: u32, block: u32, state: &Opaque, out: &mut Vec<u8>) {
        let memory = self.choices.entry(choice).or_default();
        let Some(open) = memory.open.get_mut(&block) else { return };
        let carried = match answer::own(state, &self.context) {
            Some(own) => open.keep_own(own),
            None => open.keep_foreign(state, &mut memory.pocket, &self.context),
        };
        if let Some((signature, thought)) = carried {
            self.frame.text(out, choice, "", thought, Some(&signature));
        }
    }

    fn close(&mut self, choice: u32, block: u32, out: &mut Vec<u8>) {
        let state = self.choices.entry(choice).or_default();
        let Some(Block::Call { id, name, args, free, signature }) = state.open.remove(&block) else {
            return;
        };
        let Some(args) = choice::arguments(args, free) else {
            state.bad_call = true;
            return;
        };
        let waiting = state.pocket.take();
        // One pocket cannot hold two.
        if let (Some(waiting), Some(_)) = (&waiting, &signature) {
            self.frame.text(out, choice, "", false, Some(waiting));
        }
        self.frame.call(out, choice, (&id, &name, &args), signature.or(waiting).as_deref());
    }

    /// Writes the last chunk: the end of every choice, and the tokens.
    fn end(&mut self, out: &mut Vec<u8>) {
        let usage = self.usage;
        let choices = std::mem::take(&mut self.choices);
        self.frame.last(out, |object| {
            let mut blocked = None;
            let mut candidates = Vec::new();
            for (index, mut state) in choices {
                let Some(finish) = state.finish.take() else { continue };
                let ending = Ending {
                    finish: &finish,
                    bad_call: state.bad_call,
                    citations: &state.citations,
                    offsets: &state.offsets,
                    logprobs: None,
                };
                match answer::blocked(&finish) {
                    Some(reason) => blocked = Some(reason.to_owned()),
                    None => candidates.push(last_candidate(index, state.pocket.take(), &ending)),
                }
            }
            write_ends(object, &candidates, blocked.as_deref());
            answer::usage(object, usage);
        });
    }
}

/// Writes a candidate's end; its content is an empty text, which carries an envelope that found no part.
fn last_candidate(index: u32, envelope: Option<String>, ending: &Ending<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut candidate = Object::new(&mut out);
    {
        let mut content = candidate.object("content");
        content.field("role", "model");
        answer::text(&mut content.array("parts"), "", false, envelope.as_deref());
    }
    candidate.field("index", &index);
    ending.write(&mut candidate);
    drop(candidate);
    out
}

fn write_ends(object: &mut Object<'_>, candidates: &[Vec<u8>], blocked: Option<&str>) {
    if !candidates.is_empty() {
        let mut array = object.array("candidates");
        for candidate in candidates {
            array.raw(&String::from_utf8_lossy(candidate));
        }
    }
    if let Some(reason) = blocked {
        object.object("promptFeedback").field("blockReason", reason);
    }
}
