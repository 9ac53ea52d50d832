//! OpenAI Chat Completions: a finish reason for every choice that has begun, the tokens where they were asked for, and
//! the end mark.

use super::{keep, said};
use crate::json::Object;
use cliproxy_domain::TokenUsage;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeSet, sync::LazyLock};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));

/// The API allows 128 choices.
const MAX_CHOICES: usize = 128;

/// What every chunk repeats, and which choices have begun and not finished.
#[derive(Debug, Default)]
pub(in crate::passthrough) struct Follower {
    id: Option<Box<str>>,
    created: Option<Box<str>>,
    model: Option<Box<str>>,
    going: BTreeSet<u32>,
    /// A choice has begun.
    begun: bool,
    /// The chunks have a field for tokens: they were asked for.
    wants_usage: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    created: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

impl Follower {
    pub(super) fn event(&mut self, data: &[u8]) -> usize {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else { return 0 };
        keep(&mut self.id, chunk.id);
        keep(&mut self.created, chunk.created);
        keep(&mut self.model, chunk.model);
        self.wants_usage |= USAGE.find(data).is_some();
        let mut bytes = 0;
        for choice in chunk.choices.unwrap_or_default() {
            bytes += choice.delta.as_ref().map_or(0, Delta::bytes);
            let index = choice.index.unwrap_or(0);
            if choice.finish_reason.is_some() {
                self.going.remove(&index);
            } else if self.going.len() < MAX_CHOICES {
                self.going.insert(index);
            }
            self.begun = true;
        }
        bytes
    }

    pub(super) fn end(&self, usage: &TokenUsage, out: &mut Vec<u8>) {
        let first = (!self.begun).then_some(0);
        for index in self.going.iter().copied().chain(first) {
            self.write(out, |chunk| {
                let mut choices = chunk.array("choices");
                let mut choice = choices.object();
                choice.field("index", &index).raw("delta", "{}").raw("logprobs", "null");
                choice.field("finish_reason", "length");
                drop(choice);
                drop(choices);
                if self.wants_usage {
                    chunk.raw("usage", "null");
                }
            });
        }
        if self.wants_usage {
            self.write(out, |chunk| {
                chunk.raw("choices", "[]");
                let mut object = chunk.object("usage");
                object.field("prompt_tokens", &usage.input).field("completion_tokens", &usage.output);
                object.field("total_tokens", &usage.total());
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn write(&self, out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        let mut chunk = Object::new(out);
        chunk.raw("id", self.id.as_deref().unwrap_or("\"\"")).field("object", "chat.completion.chunk");
        chunk.raw("created", self.created.as_deref().unwrap_or("0"));
        chunk.raw("model", self.model.as_deref().unwrap_or("\"\""));
        fields(&mut chunk);
        drop(chunk);
        out.extend_from_slice(b"\n\n");
    }
}

impl Delta<'_> {
    /// A call's delta is an array, whose names and brackets count for little.
    fn bytes(&self) -> usize {
        let texts = [self.content, self.refusal, self.reasoning_content, self.reasoning];
        let calls = self.tool_calls.map_or(0, |calls| calls.get().len().saturating_sub(60));
        texts.into_iter().map(said).sum::<usize>() + calls
    }
}
