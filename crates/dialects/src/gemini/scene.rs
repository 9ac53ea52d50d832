//! What the tests of this dialect set up: a target, a client, and bodies as values.

use crate::{
    envelope::Sealer,
    form::{Event, Losses, Refused, Reply, Request},
    framing::Framing,
    json::Fields,
    translate::{Ids, Notes, ReplyContext, Target, checks},
};
use cliproxy_domain::{AttemptError, Dialect, ModelTraits, Profile, TranslationPolicy};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) fn sealer() -> Sealer {
    Sealer::new("provider", b"secret")
}

/// A Gemini model that `requests` are written for.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) traits: ModelTraits,
    pub(super) policy: TranslationPolicy,
}

impl Scene {
    pub(super) fn encode(&self, request: &Request) -> Result<(Value, Notes), Refused> {
        self.written(request, super::encode_request)
    }

    pub(super) fn count(&self, request: &Request) -> Result<(Value, Notes), Refused> {
        self.written(request, super::encode_count)
    }

    fn written(
        &self,
        request: &Request,
        write: impl Fn(&Request, &Target<'_>, &mut Notes) -> Result<Vec<u8>, Refused>,
    ) -> Result<(Value, Notes), Refused> {
        let (sealer, profile) = (sealer(), Profile::default());
        let target = Target {
            dialect: Dialect::Gemini,
            model: "gemini-3",
            traits: &self.traits,
            profile: &profile,
            policy: self.policy,
            sealer: &sealer,
            credential: "key",
        };
        let mut notes = Notes::new(self.policy);
        let body = write(request, &target, &mut notes)?;
        assert_eq!(write(request, &target, &mut Notes::new(self.policy)).unwrap(), body, "written twice");
        Ok((serde_json::from_slice(&body).unwrap(), notes))
    }
}

pub(super) fn decode(body: Value) -> Result<Request, Refused> {
    super::decode_request(Fields::of(body, String::new()).unwrap())
}

pub(super) fn fixture(name: &str) -> Value {
    serde_json::from_slice(&crate::fixtures::read(&format!("gemini/{name}"))).unwrap()
}

/// A Gemini client of a provider of `upstream`.
pub(super) fn context(upstream: Dialect, framing: Framing) -> ReplyContext {
    ReplyContext {
        client: Dialect::Gemini,
        framing,
        upstream,
        model: "asked".into(),
        upstream_model: "given".into(),
        credential: "key".into(),
        sealer: sealer(),
        ids: Ids::new([1, 2]),
        created: 7,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: true,
        input_estimate: 0,
        echo: Map::new(),
    }
}

pub(super) fn encode_reply(reply: &Reply, context: &ReplyContext) -> (Value, Option<String>) {
    let mut losses = Losses::default();
    let body = super::encode_reply(reply, context, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.header())
}

/// Reads the events of a stream that is whole.
pub(super) fn events(bytes: &[u8], framing: Framing) -> Result<Vec<Event<'static>>, AttemptError> {
    let mut decoder = super::StreamDecoder::new(Ids::new([3, 4]));
    let mut events = Vec::new();
    let mut sink = |event: Event<'_>| events.push(checks::owned(event));
    match framing {
        Framing::Sse => {
            let mut reader = crate::sse::Reader::new(1 << 20);
            reader.feed(bytes, |event, _| decoder.event(event.name, event.data, &mut sink))?;
            reader.finish(|event| decoder.event(event.name, event.data, &mut sink))?;
        }
        Framing::JsonArray => {
            let mut reader = crate::json_array::Reader::new(1 << 20);
            reader.feed(bytes, |element, _| decoder.event(b"", element, &mut sink))?;
        }
    }
    decoder.finish(&mut sink)?;
    Ok(events)
}

/// Writes the events of a stream.
pub(super) fn stream(events: &[Event<'_>], context: ReplyContext) -> Vec<u8> {
    let mut encoder = super::StreamEncoder::new(Arc::new(context));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
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
