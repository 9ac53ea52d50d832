//! Google Gemini: one more chunk, with the reason of the end for every candidate that goes on.

use super::{keep, said};
use crate::{
    framing::{ArrayPosition, Framing},
    gemini,
    json::Object,
};
use cliproxy_domain::TokenUsage;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// More than any answer has.
const MAX_CANDIDATES: usize = 128;

/// What every chunk repeats, and which candidates have begun and not finished.
#[derive(Debug, Default)]
pub(in crate::passthrough) struct Follower {
    id: Option<Box<str>>,
    model: Option<Box<str>>,
    going: BTreeSet<u32>,
    begun: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    model_version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    candidates: Option<Vec<Candidate<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Vec<Part<'a>>,
}

/// What the model says in a part. Media within it cost less than they are long, and the provider counts them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    executable_code: Option<&'a RawValue>,
}

impl Part<'_> {
    fn bytes(&self) -> usize {
        let calls = [self.function_call, self.executable_code].into_iter().flatten();
        said(self.text) + calls.map(|call| call.get().len()).sum::<usize>()
    }
}

fn bytes(content: &RawValue) -> usize {
    let content = serde_json::from_str::<Content<'_>>(content.get());
    content.map_or(0, |content| content.parts.iter().map(Part::bytes).sum())
}

impl Follower {
    pub(super) fn event(&mut self, data: &[u8]) -> usize {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else { return 0 };
        keep(&mut self.id, chunk.response_id);
        keep(&mut self.model, chunk.model_version);
        let mut bytes = 0;
        for candidate in chunk.candidates.unwrap_or_default() {
            bytes += candidate.content.map_or(0, self::bytes);
            let index = candidate.index.unwrap_or(0);
            if candidate.finish_reason.is_some() {
                self.going.remove(&index);
            } else if self.going.len() < MAX_CANDIDATES {
                self.going.insert(index);
            }
            self.begun = true;
        }
        bytes
    }

    pub(super) fn end(&self, framing: Framing, array: ArrayPosition, usage: &TokenUsage, out: &mut Vec<u8>) {
        let before: &[u8] = match (framing, array) {
            (Framing::Sse, _) => b"data: ",
            (Framing::JsonArray, ArrayPosition::Unopened) => b"[",
            (Framing::JsonArray, ArrayPosition::Opened | ArrayPosition::AfterComma) => b"",
            (Framing::JsonArray, ArrayPosition::AfterElement) => b",\r\n",
            (Framing::JsonArray, ArrayPosition::InElement | ArrayPosition::Closed) => return,
        };
        out.extend_from_slice(before);
        self.last(usage, out);
        out.extend_from_slice(if framing == Framing::Sse { b"\r\n\r\n" } else { b"]" });
    }

    fn last(&self, usage: &TokenUsage, out: &mut Vec<u8>) {
        let mut chunk = Object::new(out);
        let first = (!self.begun).then_some(0);
        let mut candidates = chunk.array("candidates");
        for index in self.going.iter().copied().chain(first) {
            let mut candidate = candidates.object();
            let mut content = candidate.object("content");
            content.field("role", "model").raw("parts", r#"[{"text":""}]"#);
            drop(content);
            candidate.field("finishReason", "MAX_TOKENS").field("index", &index);
        }
        drop(candidates);
        gemini::write_usage(&mut chunk, Some(*usage));
        for (name, value) in [("modelVersion", &self.model), ("responseId", &self.id)] {
            if let Some(value) = value {
                chunk.raw(name, value);
            }
        }
    }
}
