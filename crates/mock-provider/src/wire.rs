//! The spellings: each API's requests read as far as needed, answers whole and streamed, errors.

pub(crate) mod chat;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod gemini;
mod layout;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod responses;
pub(crate) mod signature;
pub(crate) mod tools;

pub(crate) use self::layout::{Layout, Span, Stage};
use crate::{answer::Answer, rope::Rope, script::ErrorKind};

/// When the mock's answers say they were made, in Unix seconds: always the same, so that answers are.
pub(crate) const CREATED: u64 = 1_790_000_000;

/// The events of one streamed answer: some that open it, those of each block, some that close it.
pub(crate) trait Transcript: Send {
    /// Gives the answer that is told.
    fn answer(&self) -> &Answer;
    /// Gives what its events are.
    fn layout(&self) -> &Layout;
    /// Writes the event of that number, counted from 0. Called in order, once each.
    fn event(&mut self, number: u64) -> Rope;
    /// Writes what the provider sends in place of event `number` when it fails there.
    fn failure(&mut self, number: u64, kind: ErrorKind) -> Rope;
    /// Writes an event whose JSON does not parse.
    fn broken(&mut self, number: u64) -> Rope;
}

/// A request that an API refuses as wrong: answered with 400 and this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRequest(pub(crate) String);

impl From<serde_json::Error> for BadRequest {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("the request body cannot be read: {error}"))
    }
}

/// Requires a field of a request.
pub(crate) fn required<T>(field: Option<T>, name: &str) -> Result<T, BadRequest> {
    field.ok_or_else(|| BadRequest(format!("{name}: field required")))
}
