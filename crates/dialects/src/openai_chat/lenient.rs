//! Reading what servers send: one odd field must not lose an answer.

use super::CHAT;
use crate::form::Citation;
use cliproxy_domain::{AttemptError, Failure};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// Gives the text of a string; none for anything else. A lone surrogate, which a stream that is cut between two
/// escapes leaves behind, becomes U+FFFD.
pub(super) fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let json = raw?.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let sound = serde_json::from_str::<String>(json).ok();
    Some(Cow::Owned(sound.unwrap_or_else(|| unescaped(inner))))
}

/// The same, but none for an empty text.
pub(super) fn some_text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    text(raw).filter(|text| !text.is_empty())
}

/// Takes the escapes of a JSON string out, whatever surrogates it has.
fn unescaped(inner: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        let plain = match escaped {
            None => c,
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                continue;
            }
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(other) => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}

/// Gives a whole number that is not negative.
pub(super) fn number(raw: Option<&RawValue>) -> Option<u64> {
    raw?.get().parse().ok()
}

/// Gives the arguments of a call: a string of JSON, or, from servers that forget the string, JSON itself.
pub(super) fn arguments(raw: Option<&RawValue>) -> Cow<'_, str> {
    match raw {
        None => Cow::Borrowed(""),
        Some(json) => text(raw).unwrap_or(Cow::Borrowed(json.get())),
    }
}

/// A call, whole or a fragment of one.
#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) function: Option<Named<'a>>,
    #[serde(borrow)]
    pub(super) custom: Option<Named<'a>>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

/// What is called, and with what.
#[derive(Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

impl<'a> Call<'a> {
    /// Makes one of the older `function_call`, which has neither id nor index.
    pub(super) fn older(function: Named<'a>) -> Self {
        Call { index: None, id: None, function: Some(function), custom: None, extra_content: None }
    }

    /// Gives the signature that Google's compatible endpoint puts on a call.
    pub(super) fn signature(&self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Extra<'a> {
            #[serde(borrow)]
            google: Option<Google<'a>>,
        }
        #[derive(Deserialize)]
        struct Google<'a> {
            #[serde(borrow)]
            thought_signature: Option<&'a RawValue>,
        }
        let extra: Extra<'a> = serde_json::from_str(self.extra_content?.get()).ok()?;
        some_text(extra.google?.thought_signature)
    }
}

/// Reads a list of calls.
///
/// # Errors
/// When it is none: an answer without its calls would be another answer.
pub(super) fn calls(raw: Option<&RawValue>) -> Result<Vec<Call<'_>>, AttemptError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    serde_json::from_str(raw.get()).map_err(|_| {
        AttemptError::new(Failure::MalformedReply, "the provider sent tool_calls that are no list of calls")
    })
}

/// Reads the older `function_call`.
pub(super) fn older_call(raw: Option<&RawValue>) -> Option<Call<'_>> {
    serde_json::from_str(raw?.get()).ok().map(Call::older)
}

/// Reads the citations among `annotations`.
pub(super) fn citations(raw: Option<&RawValue>) -> Vec<Citation> {
    let list: Vec<Value> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    list.into_iter().filter_map(citation).collect()
}

fn citation(whole: Value) -> Option<Citation> {
    let inner = whole.get("url_citation")?;
    let text = |key: &str| inner.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| inner.get(key).and_then(Value::as_u64);
    Some(Citation {
        url: text("url"),
        title: text("title"),
        text: text("content"),
        start: number("start_index"),
        end: number("end_index"),
        raw: Some((CHAT, whole.clone())),
    })
}

/// Reads the elements of `logprobs.content`.
pub(super) fn logprobs(raw: Option<&RawValue>) -> Option<Vec<Value>> {
    #[derive(Deserialize)]
    struct Logprobs {
        content: Option<Vec<Value>>,
    }
    let logprobs: Logprobs = serde_json::from_str(raw?.get()).ok()?;
    logprobs.content.filter(|content| !content.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        text(Some(&raw)).map(Cow::into_owned)
    }

    #[test]
    fn a_lone_surrogate_becomes_a_mark_and_the_rest_stays() {
        assert_eq!(read(r#""a\ud83d\n\"b\ud83d\ude00""#).unwrap(), "a\u{fffd}\n\"b\u{1f600}");
        assert_eq!(read(r#""\ude00é\\""#).unwrap(), "\u{fffd}é\\");
        assert_eq!(read(r#""plain""#).unwrap(), "plain");
        assert_eq!(read("7"), None);
    }

    #[test]
    fn arguments_may_be_json_itself() {
        let raw = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        assert_eq!(arguments(Some(&raw)), r#"{"a":1}"#);
    }
}
