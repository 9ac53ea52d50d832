//! What the tests of this dialect share.

use crate::{
    envelope::Sealer,
    form::{Refused, Request},
    framing::Framing,
    json::Fields,
    translate::{Ids, Notes, ReplyContext, Target},
};
use cliproxy_domain::{Dialect, ModelTraits, Profile, TranslationPolicy};
use serde_json::{Map, Value, json};

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
