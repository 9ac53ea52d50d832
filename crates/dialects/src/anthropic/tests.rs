//! What the tests of this dialect share.

mod answers;
mod history;
mod interleaving;
mod parameters;
mod pockets;
mod requests;
mod streams;
mod thinking;
mod tools;

pub(super) use crate::scene::{fixture as read, sealer};

use crate::{
    form::{Args, Event, Part, PartKind, Reply, Request, Role, ToolCall, ToolResult, Turn},
    framing::Framing,
    scene::{self, To},
    translate::{ReplyContext, checks, decode_request, encode_request},
};
use cliproxy_domain::{AttemptError, Dialect};
use serde_json::Value;

const OWN: Dialect = Dialect::Anthropic;

pub(super) fn to() -> To {
    To::new(OWN)
}

pub(super) fn decoded(body: &Value) -> Request {
    scene::decoded(OWN, body).unwrap()
}

/// A request of a chat client that says `text`.
pub(super) fn chat(text: &str) -> Request {
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    request.turns.push(Turn::new(Role::User, vec![Part::text(text)]));
    request
}

pub(super) fn call(id: &str, args: &str) -> Part {
    let args = Args::Json(args.to_owned());
    Part::new(PartKind::ToolCall(ToolCall { id: id.to_owned(), name: "look".to_owned(), args }))
}

pub(super) fn result(id: &str, text: &str) -> Part {
    Part::new(PartKind::ToolResult(ToolResult {
        id: id.to_owned(),
        name: None,
        error: false,
        free: false,
        content: vec![Part::text(text)],
    }))
}

pub(super) fn context(upstream: Dialect) -> ReplyContext {
    ReplyContext { model: "claude-opus-5-5".to_owned(), ..scene::context(upstream, OWN) }
}

/// Reads a whole stream.
pub(super) fn events(stream: &[u8]) -> Result<Vec<Event<'static>>, AttemptError> {
    let (events, ended) = checks::events_of(OWN, Framing::Sse, &[stream]);
    ended.map(|()| events)
}

/// Writes events for a client.
pub(super) fn written(events: &[Event<'_>], context: ReplyContext) -> Vec<u8> {
    checks::written(context, events)
}

/// Lists the names and data of the events of a written stream.
pub(super) fn said(stream: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(stream).unwrap();
    let one = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        assert_eq!(data["type"], name);
        (name.to_owned(), data)
    };
    text.split_terminator("\n\n").map(one).collect()
}

/// An answer without what is new on its way.
pub(super) fn anonymous(mut reply: Reply) -> Reply {
    reply.id = None;
    reply.tier = None;
    reply
}
