//! What the tests of this dialect share.

use crate::{
    envelope::Sealer,
    form::{Event, Opaque, Refused, Request, State},
    framing::Framing,
    json::Fields,
    passthrough::Observer,
    translate::{Ids, Notes, ReplyContext, Target, checks},
};
use cliproxy_domain::{AttemptError, Dialect, ModelTraits, Operation, Profile, TranslationPolicy};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) fn sealer() -> Sealer {
    Sealer::new("upstream", b"secret")
}

/// Decodes a request of this dialect.
pub(super) fn decoded(body: &Value) -> Result<Request, Refused> {
    super::decode_request(Fields::of(body.clone(), String::new())?)
}

/// Encodes for a model of which nothing is known.
pub(super) fn encoded(request: &Request) -> Result<(Value, Notes), Refused> {
    encoded_for(request, &ModelTraits::default(), TranslationPolicy::default())
}

pub(super) fn encoded_for(
    request: &Request,
    traits: &ModelTraits,
    policy: TranslationPolicy,
) -> Result<(Value, Notes), Refused> {
    let (profile, sealer) = (Profile::default(), sealer());
    let target = target(traits, policy, &profile, &sealer);
    let mut notes = Notes::new(policy);
    let body = super::encode_request(request, &target, &mut notes)?;
    Ok((serde_json::from_slice(&body).unwrap(), notes))
}

pub(super) fn target<'t>(
    traits: &'t ModelTraits,
    policy: TranslationPolicy,
    profile: &'t Profile,
    sealer: &'t Sealer,
) -> Target<'t> {
    Target {
        dialect: Dialect::OpenAiResponses,
        model: "gpt-6-astra",
        traits,
        profile,
        policy,
        sealer,
        credential: "key-1",
    }
}

/// Makes the context of an answer from a provider of `upstream` to a client of this dialect.
pub(super) fn context(upstream: Dialect) -> ReplyContext {
    ReplyContext {
        client: Dialect::OpenAiResponses,
        framing: Framing::Sse,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: sealer(),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: false,
        input_estimate: 0,
        echo: Map::new(),
    }
}

/// Writes a request in one of the spellings that mean the same: `input` as a list, messages with their type and
/// with lists of parts, nothing that is null or an empty list of annotations.
pub(super) fn normal_request(mut body: Value) -> Value {
    if let Some(text) = body["input"].as_str() {
        body["input"] = json!([{"role": "user", "content": text}]);
    }
    for item in body["input"].as_array_mut().unwrap() {
        normal_item(item);
    }
    body
}

fn normal_item(item: &mut Value) {
    if item.get("role").is_some() {
        item["type"] = json!("message");
        let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
        if let Some(text) = item["content"].as_str() {
            item["content"] = json!([{"type": part, "text": text}]);
        }
        for part in item["content"].as_array_mut().unwrap() {
            if part.get("annotations") == Some(&json!([])) {
                part.as_object_mut().unwrap().remove("annotations");
            }
        }
    }
    if let Some([only]) = item.get("output").and_then(Value::as_array).map(Vec::as_slice)
        && only["type"] == "input_text"
    {
        item["output"] = only["text"].clone();
    }
}

/// Reads a whole stream, as the translator does.
pub(super) fn events_of(stream: &[u8]) -> (Vec<Event<'static>>, Result<(), AttemptError>) {
    let mut observer = Observer::new(Dialect::OpenAiResponses, Operation::Generate, Framing::Sse);
    let mut decoder = super::StreamDecoder::new(Ids::new([1, 2]));
    let mut events = Vec::new();
    let mut sink = |event: Event<'_>| events.push(checks::owned(event));
    let result = observer
        .feed_each(stream, |name, data| decoder.event(name, data, &mut sink))
        .and_then(|_| observer.finish_each(|name, data| decoder.event(name, data, &mut sink)))
        .and_then(|()| decoder.finish(&mut sink));
    (events, result)
}

/// Reads a stream whose events are given as their data alone.
pub(super) fn events_of_data(data: &[Value]) -> (Vec<Event<'static>>, Result<(), AttemptError>) {
    let stream: String = data
        .iter()
        .map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()))
        .collect();
    events_of(stream.as_bytes())
}

/// Writes a stream for a client.
pub(super) fn stream_of(events: &[Event<'_>], upstream: Dialect) -> String {
    let mut encoder = super::StreamEncoder::new(Arc::new(context(upstream)));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// Gives the data of a stream's events.
pub(super) fn data_of(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// Opens the envelopes in an answer, and forgets what each translation makes anew.
pub(super) fn opened(state: Opaque) -> Opaque {
    match state {
        Opaque::Native(state) => {
            let state = sealer().open(&state.payload).unwrap_or(state);
            Opaque::Native(State { model: None, credential: None, ..state })
        }
        sealed => sealed,
    }
}
