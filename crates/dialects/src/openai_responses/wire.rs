//! The shapes of answers as they come from a provider, borrowed from its bytes.

use crate::json::says_something;
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

/// Reads a text. None when it is absent or something else.
pub(super) fn text<'a>(raw: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    let quoted = raw?.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let read = serde_json::from_str::<String>(quoted).or_else(|_| serde_json::from_str(&mended(quoted)));
    read.ok().map(Cow::Owned)
}

/// Reads a text that is not empty.
pub(super) fn some_text<'a>(raw: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    text(raw).filter(|text| !text.is_empty())
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
    serde_json::from_str(raw.get()).or_else(|_| serde_json::from_str(&mended(raw.get()))).ok()
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

/// Replaces the escapes of lone surrogates, which no text can hold, by U+FFFD. A stream must not die of one
/// (§12.1 of the wire formats).
fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(escape.get(6..).and_then(unit), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
            // After a backslash comes one character of ASCII, or the text is no JSON.
            None => 2,
        };
        let (whole, after) = escape.split_at_checked(taken).unwrap_or((escape, ""));
        out.push_str(whole);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Reads the escape `\uXXXX` at the beginning of `text`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Complains of an answer that cannot be read.
pub(super) fn malformed(message: &'static str) -> AttemptError {
    AttemptError::new(Failure::MalformedReply, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        text(Some(&RawValue::from_string(json.to_owned()).unwrap())).map(Cow::into_owned)
    }

    #[test]
    fn a_lone_surrogate_becomes_a_replacement_character() {
        assert_eq!(read(r#""a\ud83d""#).unwrap(), "a\u{FFFD}");
        assert_eq!(read(r#""\udc00\ud83d\ude00\\ud83d\n""#).unwrap(), "\u{FFFD}\u{1F600}\\ud83d\n");
        assert_eq!(read(r#""\ud83d\ud83d\ude00é""#).unwrap(), "\u{FFFD}\u{1F600}é");
    }

    #[test]
    fn what_is_no_text_is_none() {
        assert_eq!((read("7"), read("null"), read("[]")), (None, None, None));
    }
}
