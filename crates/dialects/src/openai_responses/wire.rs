//! The shapes of answers as they come from a provider, borrowed from its bytes.

use crate::json::{self, says_something, text};
use cliproxy_domain::{AttemptError, Failure};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// A response object, whole or at one of the moments of a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<&'a RawValue>,
}

/// An item of the output.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) summary: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) encrypted_content: Option<&'a RawValue>,
}

/// A part of a message, of a summary or of reasoning.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ContentPart<'a> {
    #[serde(borrow)]
    pub(super) r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IncompleteDetails<'a> {
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

impl Response<'_> {
    /// Gives the time of its making in Unix seconds; some servers write a fraction.
    pub(super) fn created(&self) -> Option<i64> {
        self.created_at?.get().parse::<f64>().ok().map(|seconds| seconds as i64)
    }

    /// Gives why it is not whole.
    pub(super) fn incomplete_reason(&self) -> Option<String> {
        let details: IncompleteDetails<'_> = serde_json::from_str(self.incomplete_details?.get()).ok()?;
        text(details.reason).map(Cow::into_owned)
    }

    /// Tells whether it says that it failed.
    pub(super) fn is_failed(&self) -> bool {
        text(self.status).is_some_and(|status| status == "failed") || says_something(self.error)
    }
}

/// Reads an array of objects; empty when it is absent or something else.
pub(super) fn list<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Vec<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Reads an array of any values; empty when it is absent or something else.
pub(super) fn values(raw: Option<&RawValue>) -> Vec<Value> {
    match raw.and_then(value) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    }
}

/// Reads any value.
pub(super) fn value(raw: &RawValue) -> Option<Value> {
    json::read(raw.get().as_bytes())
}

/// Reads log probabilities in chat's shape, which has two fields that this dialect may leave out.
pub(super) fn logprobs(raw: Option<&RawValue>) -> Vec<Value> {
    let mut tokens = values(raw);
    for token in tokens.iter_mut().filter_map(Value::as_object_mut) {
        token.entry("bytes").or_insert(Value::Null);
        token.entry("top_logprobs").or_insert_with(|| Value::Array(Vec::new()));
    }
    tokens
}

/// Complains of an answer that cannot be read.
pub(super) fn malformed(message: &'static str) -> AttemptError {
    AttemptError::new(Failure::MalformedReply, message)
}
