//! The shapes of answers as they come from a server, borrowed from its bytes. One odd field must not lose an answer.

use super::CHAT;
use crate::{
    form::Citation,
    json::{self, some_text, text},
};
use cliproxy_domain::{AttemptError, Failure};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// A whole answer.
#[derive(Deserialize)]
pub(super) struct Completion<'a> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) created: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) system_fingerprint: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// One choice of a whole answer.
#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<&'a RawValue>,
}

/// What a choice says: the message of a whole answer, and what a chunk adds to it. `reasoning_content`, `reasoning` and
/// `reasoning_details` are extensions of compatible servers.
#[derive(Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<&'a RawValue>,
}

/// A chunk of a stream.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) created: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<ChunkChoice<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

/// What a chunk adds to one choice.
#[derive(Deserialize)]
pub(super) struct ChunkChoice<'a> {
    #[serde(borrow)]
    pub(super) index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<&'a RawValue>,
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

/// Reads a time; servers that have no clock say 0.
pub(super) fn created(raw: Option<&RawValue>) -> Option<i64> {
    number(raw).and_then(|seconds| i64::try_from(seconds).ok()).filter(|seconds| *seconds > 0)
}

/// Reads a list of calls.
///
/// # Errors
/// When it is none: an answer without its calls would be another answer.
pub(super) fn calls(raw: Option<&RawValue>) -> Result<Vec<Call<'_>>, AttemptError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    serde_json::from_str(raw.get())
        .map_err(|_| malformed("the provider sent tool_calls that are no list of calls"))
}

/// Reads the older `function_call`.
pub(super) fn older_call(raw: Option<&RawValue>) -> Option<Call<'_>> {
    serde_json::from_str(raw?.get()).ok().map(Call::older)
}

/// Reads the citations among `annotations`.
pub(super) fn citations(raw: Option<&RawValue>) -> Vec<Citation> {
    let list: Vec<Value> = raw.and_then(|raw| json::read(raw.get().as_bytes())).unwrap_or_default();
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
    let logprobs: Logprobs = json::read(raw?.get().as_bytes())?;
    logprobs.content.filter(|content| !content.is_empty())
}

/// Complains of an answer that cannot be read.
pub(super) fn malformed(message: &str) -> AttemptError {
    AttemptError::new(Failure::MalformedReply, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_json_itself() {
        let raw = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        assert_eq!(arguments(Some(&raw)), r#"{"a":1}"#);
    }
}
