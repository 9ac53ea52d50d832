//! One choice of a stream that is written: its open blocks, and what waits for a place.

use super::Chunks;
use crate::{
    form::{BlockKind, Citation, Finish, Opaque},
    json::{Array, Object},
    openai_chat::{
        CHAT,
        pocket::Pocket,
        reply::{shows_reasoning, write_citation},
        words,
    },
};
use cliproxy_domain::Dialect;
use serde_json::{Value, value::RawValue};

/// One choice.
pub(super) struct Choice {
    pub(super) index: u32,
    /// The blocks that are open; those of Responses may interleave.
    open: Vec<(u32, Block)>,
    next_call: u32,
    /// Text has been said.
    said: bool,
    refused: bool,
    /// Reasoning has been shown.
    thought: bool,
    pocket: Pocket,
    /// Citations wait for the end: the official client takes one list in a choice.
    citations: Vec<Citation>,
}

enum Block {
    Text,
    Refusal,
    Reasoning(Reasoning),
    Call(Call),
}

/// Reasoning, whose text goes into the envelope of its state.
struct Reasoning {
    /// Nothing of it has been shown.
    fresh: bool,
    text: String,
    state: Option<Opaque>,
}

/// A call of a tool.
struct Call {
    index: u32,
    id: String,
    name: String,
    free: bool,
    /// Arguments have been written.
    sent: bool,
    /// Arguments that wait for the signature of their call, which clients look for where the call begins.
    held: Option<String>,
    state: Option<Opaque>,
    signed: bool,
}

impl Choice {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            open: Vec::new(),
            next_call: 0,
            said: false,
            refused: false,
            thought: false,
            pocket: Pocket::default(),
            citations: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, number: u32, kind: &BlockKind<'_>, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let block = match kind {
            BlockKind::Text => Block::Text,
            BlockKind::Refusal => Block::Refusal,
            BlockKind::Reasoning(_) => {
                Block::Reasoning(Reasoning { fresh: true, text: String::new(), state: None })
            }
            BlockKind::ToolCall { id, name, free } => {
                let mut call = Call {
                    index: self.next_call,
                    id: id.clone().into_owned(),
                    name: name.clone().into_owned(),
                    free: *free,
                    sent: false,
                    // Gemini signs calls, and sends them whole.
                    held: (chunks.context.upstream == Dialect::Gemini).then(String::new),
                    state: None,
                    signed: false,
                };
                self.next_call = self.next_call.saturating_add(1);
                if call.held.is_none() {
                    call.announce(self.index, &mut self.pocket, chunks, out);
                }
                Block::Call(call)
            }
        };
        self.open.push((number, block));
    }

    pub(super) fn delta(&mut self, number: u32, text: &str, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let index = self.index;
        let Some((_, block)) = self.open.iter_mut().find(|(known, _)| *known == number) else { return };
        match block {
            Block::Text => {
                self.said = true;
                chunks.delta(index, out, |delta| {
                    delta.field("content", text);
                });
            }
            Block::Refusal => {
                self.refused = true;
                chunks.delta(index, out, |delta| {
                    delta.field("refusal", text);
                });
            }
            Block::Reasoning(reasoning) => {
                if matches!(chunks.context.upstream, Dialect::Anthropic | Dialect::OpenAiResponses) {
                    reasoning.text.push_str(text);
                }
                if shows_reasoning(chunks.context) {
                    let between = reasoning.fresh && self.thought;
                    (reasoning.fresh, self.thought) = (false, true);
                    chunks.delta(index, out, |delta| {
                        if between {
                            delta.field("reasoning_content", &format!("\n\n{text}"));
                        } else {
                            delta.field("reasoning_content", text);
                        }
                    });
                }
            }
            Block::Call(call) => call.delta(index, text, chunks, out),
        }
    }

    pub(super) fn state(&mut self, number: u32, state: &Opaque, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let index = self.index;
        let Some((_, block)) = self.open.iter_mut().find(|(known, _)| *known == number) else { return };
        match block {
            Block::Reasoning(reasoning) => reasoning.state = Some(state.clone()),
            Block::Call(call) => {
                call.state = Some(state.clone());
                if call.held.is_none() && !call.signed {
                    call.sign(index, &mut self.pocket, chunks, out);
                }
            }
            // A signature of text has no place in this dialect.
            Block::Text | Block::Refusal => {}
        }
    }

    pub(super) fn close(&mut self, number: u32, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let Some(place) = self.open.iter().position(|(known, _)| *known == number) else { return };
        match self.open.remove(place).1 {
            Block::Text | Block::Refusal => {}
            Block::Reasoning(Reasoning { state: None, .. }) => {}
            Block::Reasoning(Reasoning { text, state: Some(state), .. }) => match &state {
                Opaque::Native(state) if chunks.context.upstream == CHAT => {
                    let list = serde_json::from_str::<&RawValue>(&state.payload).ok();
                    chunks.delta(self.index, out, |delta| {
                        delta.maybe("reasoning_details", list);
                    });
                }
                state => self.pocket.reasoning(state, &text, self.said, chunks.context),
            },
            Block::Call(mut call) => {
                if let Some(held) = call.held.take() {
                    call.announce(self.index, &mut self.pocket, chunks, out);
                    if !held.is_empty() {
                        call.delta(self.index, &held, chunks, out);
                    }
                }
                if !call.sent && !call.free {
                    call.delta(self.index, "{}", chunks, out);
                }
            }
        }
    }

    pub(super) fn cite(&mut self, citation: &Citation) {
        self.citations.push(citation.clone());
    }

    pub(super) fn logprobs(&mut self, content: &[Value], chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let rest = |choice: &mut Object<'_>| {
            choice.object("logprobs").field("content", content).field("refusal", &());
            choice.field("finish_reason", &());
        };
        chunks.chunk(self.index, out, |_| {}, rest);
    }

    pub(super) fn finish(&mut self, finish: &Finish, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        if let Finish::Refusal { explanation: Some(explanation), .. } = finish
            && !self.refused
        {
            chunks.delta(self.index, out, |delta| {
                delta.field("refusal", explanation);
            });
        }
        let mut list = Vec::new();
        let mut array = Array::new(&mut list);
        for citation in self.citations.drain(..) {
            write_citation(&mut array, &citation);
        }
        let cited = !array.is_empty();
        drop(array);
        if cited {
            chunks.delta(self.index, out, |delta| {
                delta.raw("annotations", &String::from_utf8_lossy(&list));
            });
        }
        chunks.finish(self.index, words::of_finish(finish), out);
    }
}

impl Call {
    /// Gives the signature that goes on the call: its own, or envelopes of reasoning before it.
    fn signature(&mut self, pocket: &mut Pocket, chunks: Chunks<'_>) -> Option<String> {
        match self.state.take() {
            Some(Opaque::Native(state)) if chunks.context.upstream == CHAT => Some(state.payload),
            state => {
                if let Some(state) = state {
                    pocket.call(&state, chunks.context);
                }
                pocket.take()
            }
        }
    }

    /// Writes the fragment that a call begins with.
    fn announce(&mut self, choice: u32, pocket: &mut Pocket, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let signature = self.signature(pocket, chunks);
        self.signed = signature.is_some();
        self.fragment(choice, chunks, out, |object, call| {
            object.field("id", &call.id);
            let (kind, args) = if call.free { ("custom", "input") } else { ("function", "arguments") };
            object.field("type", kind).object(kind).field("name", &call.name).field(args, "");
            if let Some(signature) = &signature {
                object.object("extra_content").object("google").field("thought_signature", signature);
            }
        });
    }

    /// Writes a signature that came after the call was announced.
    fn sign(&mut self, choice: u32, pocket: &mut Pocket, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        let Some(signature) = self.signature(pocket, chunks) else { return };
        self.signed = true;
        self.fragment(choice, chunks, out, |object, _| {
            object.object("extra_content").object("google").field("thought_signature", &signature);
        });
    }

    fn delta(&mut self, choice: u32, text: &str, chunks: Chunks<'_>, out: &mut Vec<u8>) {
        if let Some(held) = &mut self.held {
            held.push_str(text);
            return;
        }
        self.sent = true;
        self.fragment(choice, chunks, out, |object, call| {
            let (kind, args) = if call.free { ("custom", "input") } else { ("function", "arguments") };
            object.object(kind).field(args, text);
        });
    }

    fn fragment(
        &self,
        choice: u32,
        chunks: Chunks<'_>,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Object<'_>, &Call),
    ) {
        chunks.delta(choice, out, |delta| {
            let mut calls = delta.array("tool_calls");
            let mut object = calls.object();
            object.field("index", &self.index);
            fill(&mut object, self);
        });
    }
}
