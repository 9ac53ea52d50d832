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

use crate::{
    envelope::Sealer,
    form::{Args, Event, Part, PartKind, Reply, Request, Role, ToolCall, ToolResult, Turn},
    framing::Framing,
    json::Fields,
    translate::{Ids, Notes, ReplyContext, Target, checks::owned},
};
use cliproxy_domain::{AttemptError, Dialect, ModelTraits, OnLoss, Profile, TranslationPolicy};
use serde_json::{Map, Value};

pub(super) fn sealer() -> Sealer {
    Sealer::new("upstream", b"secret")
}

/// A target, and what it borrows.
pub(super) struct To {
    pub(super) traits: ModelTraits,
    pub(super) policy: TranslationPolicy,
    profile: Profile,
    sealer: Sealer,
}

impl To {
    pub(super) fn any() -> Self {
        Self {
            traits: ModelTraits::default(),
            policy: TranslationPolicy::default(),
            profile: Profile::default(),
            sealer: sealer(),
        }
    }

    pub(super) fn with(change: impl FnOnce(&mut ModelTraits)) -> Self {
        let mut to = Self::any();
        change(&mut to.traits);
        to
    }

    pub(super) fn refusing() -> Self {
        let policy = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
        Self { policy, ..Self::any() }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            dialect: Dialect::Anthropic,
            model: "claude-opus-5-5",
            traits: &self.traits,
            profile: &self.profile,
            policy: self.policy,
            sealer: &self.sealer,
            credential: "key-1",
        }
    }

    /// Encodes; gives the body and what was lost, as the header says it.
    pub(super) fn told(&self, request: &Request) -> (Value, String) {
        let (body, notes) = self.noted(request);
        (body, notes.losses.header().unwrap_or_default())
    }

    pub(super) fn noted(&self, request: &Request) -> (Value, Notes) {
        let mut notes = Notes::new(self.policy);
        let body = super::encode_request(request, &self.target(), &mut notes).unwrap();
        (serde_json::from_slice(&body).unwrap(), notes)
    }

    /// Gives the field for which the request is refused.
    pub(super) fn refused(&self, request: &Request) -> String {
        let mut notes = Notes::new(self.policy);
        super::encode_request(request, &self.target(), &mut notes).unwrap_err().field.into_owned()
    }
}

pub(super) fn read(path: &str) -> Value {
    serde_json::from_slice(&crate::fixtures::read(path)).unwrap()
}

pub(super) fn decoded(body: &Value) -> Request {
    super::decode_request(Fields::of(body.clone(), String::new()).unwrap()).unwrap()
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
    ReplyContext {
        client: Dialect::Anthropic,
        framing: Framing::Sse,
        upstream,
        model: "claude-opus-5-5".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: sealer(),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: false,
        input_estimate: 9,
        echo: Map::new(),
    }
}

/// Reads a whole stream in one dialect-neutral list of events; the reader of events is the real one.
pub(super) fn events(stream: &[u8]) -> Result<Vec<Event<'static>>, AttemptError> {
    let mut decoder = super::StreamDecoder::new(Ids::new([1, 2]));
    let mut reader = crate::sse::Reader::new(1 << 20);
    let mut found = Vec::new();
    reader.feed(stream, |event, _| {
        decoder.event(event.name, event.data, &mut |event| found.push(owned(event)))
    })?;
    decoder.finish(&mut |event| found.push(owned(event)))?;
    Ok(found)
}

/// Writes events for a client.
pub(super) fn written(events: &[Event<'_>], context: ReplyContext) -> Vec<u8> {
    let mut encoder = super::StreamEncoder::new(context.into());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
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
