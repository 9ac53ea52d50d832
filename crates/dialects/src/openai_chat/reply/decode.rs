//! Reading a provider's whole answer.

use super::super::{
    CHAT,
    details::Details,
    wire::{self, Call, Choice, Completion, Said, malformed},
    words,
};
use crate::{
    classify,
    form::{self, Args, Opaque, Part, PartKind, ReasoningForm, Reply, State, ToolCall},
    json::{says_something, some_text, text},
    tool_ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, TokenUsage};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

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
    let id = some_text(completion.id).map(Cow::into_owned);
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
        model: some_text(completion.model).map(Cow::into_owned),
        created: wire::created(completion.created),
        choices,
        usage: counts.filter(Counts::reported).map(|counts| counts.total(CHAT, TokenUsage::default())),
        tier: some_text(completion.service_tier).map(|word| words::tier_of(word.into_owned())),
        fingerprint: some_text(completion.system_fingerprint).map(Cow::into_owned),
    })
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
        if let Some(refusal) = some_text(message.refusal) {
            self.parts.push(Part::new(PartKind::Refusal(refusal.into_owned())));
        }
        let before = *self.calls;
        for call in wire::calls(message.tool_calls)? {
            self.call(&call)?;
        }
        if let Some(call) = wire::older_call(message.function_call) {
            self.call(&call)?;
        }
        let word = text(choice.finish_reason).unwrap_or(Cow::Borrowed("stop"));
        let at_stop = some_text(choice.stop_reason).map(Cow::into_owned);
        Ok(form::Choice {
            index: wire::number(choice.index).and_then(|index| u32::try_from(index).ok()).unwrap_or(at),
            parts: self.parts,
            finish: words::finish_of(&word, *self.calls > before, at_stop)?,
            logprobs: wire::logprobs(choice.logprobs),
        })
    }

    fn reasoning(&mut self, message: &Said<'_>) {
        let mut details = Details::default();
        let from_details = message.reasoning_details.map(|raw| details.take(raw)).unwrap_or_default();
        let text = some_text(message.reasoning_content)
            .or_else(|| some_text(message.reasoning))
            .map_or(from_details, Cow::into_owned);
        let state = details.take_state();
        if text.is_empty() && state.is_none() {
            return;
        }
        let form = if text.is_empty() { ReasoningForm::Hidden } else { ReasoningForm::Raw };
        self.parts.push(Part { state, ..Part::new(PartKind::Reasoning { text, form }) });
    }

    fn content(&mut self, message: &Said<'_>) {
        #[derive(Deserialize)]
        struct Piece<'a> {
            #[serde(borrow)]
            text: Option<&'a RawValue>,
        }
        let text = match text(message.content) {
            Some(text) => text.into_owned(),
            // Some servers send parts, as in requests.
            None => {
                let list: Option<Vec<Piece<'_>>> =
                    message.content.and_then(|raw| serde_json::from_str(raw.get()).ok());
                list.into_iter().flatten().filter_map(|piece| text(piece.text)).collect()
            }
        };
        if !text.is_empty() {
            let citations = wire::citations(message.annotations);
            self.parts.push(Part::new(PartKind::Text { text, citations }));
        }
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), AttemptError> {
        let id = match some_text(call.id) {
            Some(id) => id.into_owned(),
            None => tool_ids::made(self.answer, *self.calls),
        };
        *self.calls = self.calls.saturating_add(1);
        let (named, free) = match (&call.custom, &call.function) {
            (Some(custom), _) => (custom, true),
            (None, Some(function)) => (function, false),
            (None, None) => return Err(malformed("the provider sent a call of nothing")),
        };
        let name = some_text(named.name)
            .ok_or_else(|| malformed("the provider sent a call without a name"))?
            .into_owned();
        let args = if free {
            Args::Free(text(named.input).unwrap_or_default().into_owned())
        } else {
            let args = wire::arguments(named.arguments);
            let blank = args.trim().is_empty();
            Args::Json(if blank { "{}".to_owned() } else { args.into_owned() })
        };
        let state = call.signature().map(|signature| Opaque::Native(State::native(CHAT, signature)));
        self.parts.push(Part { state, ..Part::new(PartKind::ToolCall(ToolCall { id, name, args })) });
        Ok(())
    }
}
