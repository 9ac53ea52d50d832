//! What whole answers and streams for a client have in common: parts, signatures, ends and counts.

use super::{
    citations::{self, Offsets},
    finish::{self, Written},
    logprobs,
};
use crate::{
    envelope,
    form::{Citation, Finish, Opaque, Place, State},
    json::{Array, Object},
    translate::ReplyContext,
};
use cliproxy_domain::{Dialect, TokenUsage};
use serde_json::Value;

/// Writes a part of text.
pub(super) fn text(parts: &mut Array<'_>, text: &str, thought: bool, signature: Option<&str>) {
    let mut part = parts.object();
    part.field("text", text);
    if thought {
        part.field("thought", &true);
    }
    part.maybe("thoughtSignature", signature);
}

/// Writes a call; `args` is the text of a JSON object.
pub(super) fn call(parts: &mut Array<'_>, id: &str, name: &str, args: &str, signature: Option<&str>) {
    let mut part = parts.object();
    part.object("functionCall").field("id", id).field("name", name).raw("args", args);
    part.maybe("thoughtSignature", signature);
}

/// Gives what an unsigned call of another provider bears: an empty envelope, by which the call is known when it comes
/// back, for Gemini takes neither its id nor that it is unsigned.
pub(super) fn unsigned(context: &ReplyContext) -> Option<&'static str> {
    (context.upstream != Dialect::Gemini).then_some(envelope::PREFIX)
}

/// Gives a state of Gemini's own as it is, for a client whose provider is Gemini.
pub(super) fn own<'s>(state: &'s Opaque, context: &ReplyContext) -> Option<&'s str> {
    match state {
        Opaque::Native(state) if context.upstream == Dialect::Gemini && state.dialect == Dialect::Gemini => {
            Some(&state.payload)
        }
        _ => None,
    }
}

/// Puts the state of another provider into an envelope (§8.3 of the wire formats). `text` is what it signs: many
/// clients do not send thoughts back, and the provider wants them as they were.
pub(super) fn sealed(
    state: &Opaque,
    place: Place,
    text: Option<&str>,
    context: &ReplyContext,
) -> Option<String> {
    let Opaque::Native(state) = state else { return None };
    let credential = (context.upstream == Dialect::OpenAiResponses).then(|| context.credential.clone());
    Some(context.sealer.seal(&State {
        dialect: context.upstream,
        model: Some(context.upstream_model.clone()),
        credential,
        place,
        text: text.filter(|text| !text.is_empty()).map(str::to_owned),
        ..state.clone()
    }))
}

/// The envelope that waits for the part after the reasoning that it belongs to.
#[derive(Default)]
pub(super) struct Pocket(Option<String>);

impl Pocket {
    /// Puts an envelope in; gives back one that found no part, for an empty text to carry.
    pub(super) fn put(&mut self, envelope: String) -> Option<String> {
        self.0.replace(envelope)
    }

    /// Takes it for the next part.
    pub(super) fn take(&mut self) -> Option<String> {
        self.0.take()
    }
}

/// What stands beside the content of a candidate.
pub(super) struct Ending<'e> {
    pub(super) finish: &'e Finish,
    pub(super) bad_call: bool,
    pub(super) citations: &'e [Citation],
    pub(super) offsets: &'e Offsets,
    pub(super) logprobs: Option<&'e [Value]>,
}

/// Gives the reason why the prompt was blocked, if that is how an answer ended.
pub(super) fn blocked(finish: &Finish) -> Option<&str> {
    match finish::write(finish, false) {
        Written::Blocked(reason) => Some(reason),
        Written::Reason(_) | Written::Continuation(_) => None,
    }
}

impl Ending<'_> {
    /// Writes it.
    pub(super) fn write(&self, candidate: &mut Object<'_>) {
        match finish::write(self.finish, self.bad_call) {
            Written::Reason(reason) => drop(candidate.field("finishReason", reason)),
            Written::Continuation(token) => {
                candidate.field("finishReason", "CONTINUATION").field("continuationToken", token);
            }
            Written::Blocked(_) => {}
        }
        citations::write(candidate, self.citations.iter(), self.offsets);
        if let Some(content) = self.logprobs {
            logprobs::write(candidate, content);
        }
    }
}

/// Writes `usageMetadata`, whose fields are numbers in the official type; zero where nobody counted.
pub(crate) fn usage(object: &mut Object<'_>, usage: Option<TokenUsage>) {
    let usage = usage.unwrap_or_default();
    let some = |count: u64| (count > 0).then_some(count);
    let mut metadata = object.object("usageMetadata");
    metadata.field("promptTokenCount", &usage.input);
    metadata.maybe("cachedContentTokenCount", some(usage.cache_read));
    metadata.field("candidatesTokenCount", &usage.output.saturating_sub(usage.reasoning));
    metadata.maybe("thoughtsTokenCount", some(usage.reasoning));
    metadata.field("totalTokenCount", &usage.input.saturating_add(usage.output));
}
