//! What the tests of this dialect share.

use crate::{
    form::{Event, Losses, Refused, Reply, Request},
    framing::Framing,
    scene::{self, To},
    translate::{ReplyContext, checks},
};
use cliproxy_domain::{AttemptError, Dialect};
use serde_json::Value;

pub(super) fn to() -> To {
    To::new(Dialect::Gemini)
}

pub(super) fn decode(body: Value) -> Result<Request, Refused> {
    scene::decoded(Dialect::Gemini, &body)
}

pub(super) fn fixture(name: &str) -> Value {
    scene::fixture(&format!("gemini/{name}"))
}

/// A Gemini client of a provider of `upstream`.
pub(super) fn context(upstream: Dialect, framing: Framing) -> ReplyContext {
    ReplyContext { framing, ..scene::context(upstream, Dialect::Gemini) }
}

pub(super) fn encode_reply(reply: &Reply, context: &ReplyContext) -> (Value, Option<String>) {
    let mut losses = Losses::default();
    let body = super::encode_reply(reply, context, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.header())
}

/// Reads the events of a stream that is whole.
pub(super) fn events(bytes: &[u8], framing: Framing) -> Result<Vec<Event<'static>>, AttemptError> {
    let (events, ended) = checks::events_of(Dialect::Gemini, framing, &[bytes]);
    ended.map(|()| events)
}

/// Writes the events of a stream.
pub(super) fn stream(events: &[Event<'_>], context: ReplyContext) -> Vec<u8> {
    checks::written(context, events)
}

/// Reads the chunks of a stream of server-sent events, and fails unless each is framed as the official SDK wants it.
pub(super) fn chunks(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let chunks = text.split_terminator("\r\n\r\n").map(|event| {
        let data = event.strip_prefix("data: ").expect("data with its space");
        assert!(!data.contains(['\r', '\n']), "one line");
        serde_json::from_str(data).unwrap()
    });
    chunks.collect()
}
