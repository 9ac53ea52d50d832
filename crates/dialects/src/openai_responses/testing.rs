//! What the tests of this dialect share.

use crate::{
    form::{Event, Opaque, Refused, Request, State},
    framing::Framing,
    scene::{self, To, sealer},
    translate::{Notes, ReplyContext, checks},
};
use cliproxy_domain::{AttemptError, Dialect};
use serde_json::{Value, json};

const OWN: Dialect = Dialect::OpenAiResponses;

pub(super) fn to() -> To {
    To::new(OWN)
}

/// Decodes a request of this dialect.
pub(super) fn decoded(body: &Value) -> Result<Request, Refused> {
    scene::decoded(OWN, body)
}

/// Encodes for a model of which nothing is known.
pub(super) fn encoded(request: &Request) -> Result<(Value, Notes), Refused> {
    to().encoded(request)
}

/// Makes the context of an answer from a provider of `upstream` to a client of this dialect.
pub(super) fn context(upstream: Dialect) -> ReplyContext {
    scene::context(upstream, OWN)
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
    checks::events_of(OWN, Framing::Sse, &[stream])
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
    String::from_utf8(checks::written(context(upstream), events)).unwrap()
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
