//! What the tests of this dialect share.

use super::CHAT;
use crate::{
    form::{Event, Refused, Request},
    framing::Framing,
    scene::{self, To},
    translate::{ReplyContext, checks},
};
use cliproxy_domain::{AttemptError, Dialect, Profile};
use serde_json::Value;

/// OpenAI's own server.
pub(super) fn to() -> To {
    To::new(CHAT)
}

/// A server that differs from OpenAI's.
pub(super) fn to_server(profile: Profile) -> To {
    To { profile, ..to() }
}

/// A server that is not OpenAI's.
pub(super) fn compatible() -> Profile {
    Profile { developer_role: false, ..Profile::default() }
}

/// Encodes for a model of OpenAI's of which nothing is known.
pub(super) fn encoded(request: &Request) -> (Value, Option<String>) {
    let (body, notes) = to().encoded(request).unwrap();
    (body, notes.losses.header())
}

/// Decodes a request of this dialect.
pub(super) fn decoded(body: Value) -> Result<Request, Refused> {
    scene::decoded(CHAT, &body)
}

/// A provider of `upstream`, and a client that is not shown what its model thinks.
pub(super) fn context(upstream: Dialect) -> ReplyContext {
    ReplyContext { shows_reasoning: false, ..scene::context(upstream, CHAT) }
}

/// Reads a whole stream; the data of each event, without its frame.
pub(super) fn read_stream<'d>(
    data: impl IntoIterator<Item = &'d str>,
) -> Result<Vec<Event<'static>>, AttemptError> {
    let stream: String = data.into_iter().map(|data| format!("data: {data}\n\n")).collect();
    let (events, ended) = checks::events_of(CHAT, Framing::Sse, &[stream.as_bytes()]);
    ended.map(|()| events)
}

/// Writes a whole stream.
pub(super) fn write_stream(events: &[Event<'_>], context: ReplyContext) -> String {
    String::from_utf8(checks::written(context, events)).unwrap()
}

/// Gives the data of the events of a stream.
pub(super) fn data(stream: &str) -> impl Iterator<Item = &str> {
    stream.split("\n\n").filter(|event| !event.is_empty()).map(|event| event.strip_prefix("data: ").unwrap())
}

/// Gives the chunks of a stream, without the mark of its end.
pub(super) fn chunks(stream: &str) -> Vec<Value> {
    data(stream).filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// Gives the deltas of a stream's first choice.
pub(super) fn deltas(stream: &str) -> Vec<Value> {
    let chunks = chunks(stream);
    let deltas =
        chunks.iter().filter_map(|chunk| chunk["choices"].get(0)).map(|choice| choice["delta"].clone());
    deltas.collect()
}
