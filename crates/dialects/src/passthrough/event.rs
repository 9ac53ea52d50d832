//! What the watches of all dialects share: the facts they gather, and reading one event.

use crate::usage::Counts;
use cliproxy_domain::{AttemptError, Dialect, Failure};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a stream has shown so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The first content event has come.
    pub(super) semantic: bool,
    /// How many events carried content.
    pub(super) content_events: u64,
    /// The usage reported so far.
    pub(super) counts: Counts,
    /// The dialect's own end has come.
    pub(super) terminal: bool,
    /// `[DONE]` has come.
    pub(super) done: bool,
}

impl Seen {
    /// Notes an event that carries content.
    pub(super) fn content(&mut self) {
        self.semantic = true;
        self.content_events += 1;
    }

    /// Notes the dialect's own end; an answer without content is an answer too.
    pub(super) fn end(&mut self) {
        self.semantic = true;
        self.terminal = true;
    }

    /// Notes a usage object.
    pub(super) fn usage(&mut self, dialect: Dialect, raw: Option<&RawValue>) {
        if let Some(counts) = raw.and_then(|raw| Counts::read(dialect, raw.get())) {
            self.counts.merge(counts);
        }
    }
}

/// Reads an event of a known shape. None when it is JSON of another shape: what a provider may add one day
/// must not stop a stream.
pub(super) fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<Option<T>, AttemptError> {
    match serde_json::from_slice(data) {
        Ok(event) => Ok(Some(event)),
        Err(error) if error.is_data() => Ok(None),
        Err(_) => Err(AttemptError::new(
            Failure::MalformedReply,
            "the provider sent an event that is not valid JSON",
        )),
    }
}

/// Gives the text of a string literal that has no escapes; empty for anything else. Names of events, items and
/// states never have escapes.
pub(super) fn plain_text(raw: Option<&RawValue>) -> &str {
    raw.and_then(|raw| raw.get().strip_prefix('"')?.strip_suffix('"')).unwrap_or("")
}

/// Tells whether `key`, a quoted field name, has a value other than null anywhere in `data`.
///
/// Text within JSON strings has its quotes escaped, so content cannot look like a field.
pub(super) fn has_value(data: &[u8], key: &Finder<'_>) -> bool {
    key.find_iter(data).any(|at| {
        let after = data[at + key.needle().len()..].trim_ascii_start();
        after.strip_prefix(b":").is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}
