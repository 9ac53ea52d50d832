//! Reading a provider's whole answer.

use super::super::{
    CHAT,
    details::Details,
    lenient::{self, Call},
    words,
};
use crate::{
    classify,
    form::{self, Args, Opaque, Part, PartKind, ReasoningForm, Reply, State, ToolCall},
    json::says_something,
    tool_ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Failure, TokenUsage};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    created: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    system_fingerprint: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
}

/// Reads an answer.
///
/// # Errors
/// [`Failure::MalformedReply`] when it is no completion; the error that it holds; [`Failure::Upstream`] when it says
/// that the server broke off.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Reply, AttemptError> {
    let body = String::from_utf8_lossy(body);
    let completion: Completion<'_> =
        serde_json::from_str(&body).map_err(|_| malformed("the provider's answer is no chat completion"))?;
    if let Some(error) = completion.error.filter(|error| says_something(Some(error))) {
        return Err(classify::in_stream(error.get()));
    }
    let id = lenient::some_text(completion.id).map(Cow::into_owned);
    let made_from = id.clone().unwrap_or_default();
    let mut calls = 0;
    let choices = completion.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(malformed("the provider's answer has no choices"));
    }
    let choices = choices.into_iter().zip(0..).map(|(choice, at)| {
        let read = Reader { answer: &made_from, calls: &mut calls, parts: Vec::new() };
        read.choice(choice, at)
    });
    let choices = choices.collect::<Result<_, _>>()?;
    let counts = completion.usage.and_then(|usage| Counts::read(CHAT, usage.get()));
    Ok(Reply {
        id,
        model: lenient::some_text(completion.model).map(Cow::into_owned),
        created: created(completion.created),
        choices,
        usage: counts.filter(Counts::reported).map(|counts| counts.total(CHAT, TokenUsage::default())),
        tier: lenient::some_text(completion.service_tier).map(|word| words::tier_of(word.into_owned())),
        fingerprint: lenient::some_text(completion.system_fingerprint).map(Cow::into_owned),
    })
}

/// Reads a time; servers that have no clock say 0.
pub(in super::super) fn created(raw: Option<&RawValue>) -> Option<i64> {
    lenient::number(raw).and_then(|seconds| i64::try_from(seconds).ok()).filter(|seconds| *seconds > 0)
}

fn malformed(message: &str) -> AttemptError {
    AttemptError::new(Failure::MalformedReply, message)
}

struct Reader<'r> {
    answer: &'r str,
    /// Calls so far, over all choices.
    calls: &'r mut u32,
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn choice(mut self, choice: Choice<'_>, at: u32) -> Result<form::Choice, AttemptError> {
        let message = choice.message.ok_or_else(|| malformed("the provider's answer has no message"))?;
        self.reasoning(&message);
        self.content(&message);
        if let Some(refusal) = lenient::some_text(message.refusal) {
            self.parts.push(Part::new(PartKind::Refusal(refusal.into_owned())));
        }
        let before = *self.calls;
        for call in lenient::calls(message.tool_calls)? {
            self.call(&call)?;
        }
        if let Some(call) = lenient::older_call(message.function_call) {
            self.call(&call)?;
        }
        let word = lenient::text(choice.finish_reason).unwrap_or(Cow::Borrowed("stop"));
        let at_stop = lenient::some_text(choice.stop_reason).map(Cow::into_owned);
        Ok(form::Choice {
            index: lenient::number(choice.index).and_then(|index| u32::try_from(index).ok()).unwrap_or(at),
            parts: self.parts,
            finish: words::finish_of(&word, *self.calls > before, at_stop)?,
            logprobs: lenient::logprobs(choice.logprobs),
        })
    }

    fn reasoning(&mut self, message: &Message<'_>) {
        let mut details = Details::default();
        let from_details = message.reasoning_details.map(|raw| details.take(raw)).unwrap_or_default();
        let text = lenient::some_text(message.reasoning_content)
            .or_else(|| lenient::some_text(message.reasoning))
            .map_or(from_details, Cow::into_owned);
        let state = details.take_state();
        if text.is_empty() && state.is_none() {
            return;
        }
        let form = if text.is_empty() { ReasoningForm::Hidden } else { ReasoningForm::Raw };
        self.parts.push(Part { state, ..Part::new(PartKind::Reasoning { text, form }) });
    }

    fn content(&mut self, message: &Message<'_>) {
        #[derive(Deserialize)]
        struct Piece<'a> {
            #[serde(borrow)]
            text: Option<&'a RawValue>,
        }
        let text = match lenient::text(message.content) {
            Some(text) => text.into_owned(),
            // Some servers send parts, as in requests.
            None => {
                let list: Option<Vec<Piece<'_>>> =
                    message.content.and_then(|raw| serde_json::from_str(raw.get()).ok());
                list.into_iter().flatten().filter_map(|piece| lenient::text(piece.text)).collect()
            }
        };
        if !text.is_empty() {
            let citations = lenient::citations(message.annotations);
            self.parts.push(Part::new(PartKind::Text { text, citations }));
        }
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), AttemptError> {
        let id = match lenient::some_text(call.id) {
            Some(id) => id.into_owned(),
            None => tool_ids::made(self.answer, *self.calls),
        };
        *self.calls = self.calls.saturating_add(1);
        let (named, free) = match (&call.custom, &call.function) {
            (Some(custom), _) => (custom, true),
            (None, Some(function)) => (function, false),
            (None, None) => return Err(malformed("the provider sent a call of nothing")),
        };
        let name = lenient::some_text(named.name)
            .ok_or_else(|| malformed("the provider sent a call without a name"))?
            .into_owned();
        let args = if free {
            Args::Free(lenient::text(named.input).unwrap_or_default().into_owned())
        } else {
            let args = lenient::arguments(named.arguments);
            let blank = args.trim().is_empty();
            Args::Json(if blank { "{}".to_owned() } else { args.into_owned() })
        };
        let state = call.signature().map(|signature| Opaque::Native(State::native(CHAT, signature)));
        self.parts.push(Part { state, ..Part::new(PartKind::ToolCall(ToolCall { id, name, args })) });
        Ok(())
    }
}
