//! What the tests of this dialect share.

use super::CHAT;
use crate::{
    envelope::Sealer,
    form::{Event, Refused, Request},
    framing::Framing,
    json::Fields,
    translate::{Ids, Notes, ReplyContext, Target, checks::owned},
};
use cliproxy_domain::{AttemptError, Dialect, ModelTraits, OnLoss, Profile, TranslationPolicy};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) fn sealer() -> Sealer {
    Sealer::new("upstream", b"secret")
}

/// A server that is not OpenAI's.
pub(super) fn compatible() -> Profile {
    Profile { developer_role: false, ..Profile::default() }
}

/// Where a request goes.
#[derive(Default)]
pub(super) struct Server {
    pub(super) profile: Profile,
    pub(super) traits: ModelTraits,
    pub(super) policy: TranslationPolicy,
}

impl Server {
    pub(super) fn strict() -> Self {
        let policy = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
        Self { policy, ..Self::default() }
    }

    pub(super) fn of(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }

    /// Encodes a request for this server.
    pub(super) fn encoded(&self, request: &Request) -> Result<(Value, Notes), Refused> {
        let sealer = sealer();
        let target = Target {
            dialect: CHAT,
            model: &request.model,
            traits: &self.traits,
            profile: &self.profile,
            policy: self.policy,
            sealer: &sealer,
            credential: "key-1",
        };
        let mut notes = Notes::new(self.policy);
        let body = super::encode_request(request, &target, &mut notes)?;
        Ok((serde_json::from_slice(&body).unwrap(), notes))
    }
}

/// Encodes for a model of OpenAI's of which nothing is known.
pub(super) fn encoded(request: &Request) -> (Value, Option<String>) {
    let (body, notes) = Server::default().encoded(request).unwrap();
    (body, notes.losses.header())
}

/// Decodes a request of this dialect.
pub(super) fn decoded(body: Value) -> Result<Request, Refused> {
    super::decode_request(Fields::of(body, String::new())?)
}

/// Makes the context of an answer from a provider of `upstream` to a client of this dialect.
pub(super) fn context(upstream: Dialect) -> ReplyContext {
    ReplyContext {
        client: CHAT,
        framing: Framing::Sse,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: sealer(),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: false,
        stream_usage: true,
        input_estimate: 0,
        echo: Map::new(),
    }
}

/// Reads a whole stream; the data of each event, without its frame.
pub(super) fn read_stream<'d>(
    data: impl IntoIterator<Item = &'d str>,
) -> Result<Vec<Event<'static>>, AttemptError> {
    let mut decoder = super::StreamDecoder::new(Ids::new([7, 8]));
    let mut events = Vec::new();
    for data in data {
        decoder.event(b"", data.as_bytes(), &mut |event| events.push(owned(event)))?;
    }
    decoder.finish(&mut |event| events.push(owned(event)))?;
    Ok(events)
}

/// Writes a whole stream.
pub(super) fn write_stream(events: &[Event<'_>], context: ReplyContext) -> String {
    let mut encoder = super::StreamEncoder::new(Arc::new(context));
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    String::from_utf8(out).unwrap()
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
