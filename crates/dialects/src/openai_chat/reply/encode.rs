//! Writing a whole answer for a client.

use super::super::{CHAT, pocket::Pocket, words};
use crate::{
    form::{Args, Choice, Citation, Finish, Losses, Opaque, Part, PartKind, Reply, ToolCall},
    json::{Array, Object},
    translate::ReplyContext,
};
use cliproxy_domain::{Dialect, TokenUsage};
use serde_json::value::RawValue;

/// Writes an answer.
pub(crate) fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = Object::new(&mut out);
    object.field("id", &context.ids.answer(CHAT)).field("object", "chat.completion");
    object.field("created", &reply.created.unwrap_or(context.created)).field("model", &context.model);
    let mut choices = object.array("choices");
    for choice in &reply.choices {
        write_choice(&mut choices.object(), choice, context, losses);
    }
    drop(choices);
    if let Some(usage) = &reply.usage {
        write_usage(&mut object.object("usage"), usage);
    }
    object.maybe("service_tier", reply.tier.as_ref().map(words::of_tier));
    object.maybe("system_fingerprint", reply.fingerprint.as_deref());
    drop(object);
    out
}

/// Writes the fields of `usage` (`golden/usage.json`).
pub(in super::super) fn write_usage(object: &mut Object<'_>, usage: &TokenUsage) {
    object.field("prompt_tokens", &usage.input).field("completion_tokens", &usage.output);
    object.field("total_tokens", &usage.input.saturating_add(usage.output));
    let mut prompt = object.object("prompt_tokens_details");
    prompt.field("cached_tokens", &usage.cache_read).field("cache_write_tokens", &usage.cache_write);
    drop(prompt);
    object.object("completion_tokens_details").field("reasoning_tokens", &usage.reasoning);
}

/// Writes an annotation; nothing for a citation of something that has no URL. Tells whether it was written.
pub(in super::super) fn write_citation(array: &mut Array<'_>, citation: &Citation) -> bool {
    if let Some((CHAT, raw)) = &citation.raw {
        array.element(raw);
        return true;
    }
    let Some(url) = &citation.url else { return false };
    let mut object = array.object();
    let mut inner = object.field("type", "url_citation").object("url_citation");
    // All four are there in the type of the official client.
    let start = citation.start.unwrap_or(0);
    inner.field("start_index", &start).field("end_index", &citation.end.unwrap_or(start));
    inner.field("title", citation.title.as_deref().unwrap_or_default()).field("url", url);
    true
}

/// What a message is made of, each in its own field here.
#[derive(Default)]
struct Sorted<'r> {
    text: Option<String>,
    refusal: Option<String>,
    thoughts: String,
    citations: Vec<&'r Citation>,
    calls: Vec<(&'r ToolCall, Option<String>)>,
    details: Option<&'r str>,
}

fn write_choice(object: &mut Object<'_>, choice: &Choice, context: &ReplyContext, losses: &mut Losses) {
    let sorted = sort(choice, context, losses);
    object.field("index", &choice.index);
    let mut message = object.object("message");
    message.field("role", "assistant");
    let silent = sorted.calls.is_empty() && sorted.refusal.is_none();
    // Where nothing was said, the text is there and empty; null stands beside calls and refusals only.
    message.field("content", &sorted.text.as_deref().or(silent.then_some("")));
    message.field("refusal", &sorted.refusal);
    let mut annotations = message.array("annotations");
    for citation in sorted.citations {
        if !write_citation(&mut annotations, citation) {
            losses.tell("citations", "dropped");
        }
    }
    drop(annotations);
    if !sorted.calls.is_empty() {
        let mut calls = message.array("tool_calls");
        for (call, signature) in sorted.calls {
            write_call(&mut calls.object(), call, signature);
        }
    }
    if !sorted.thoughts.is_empty() && shows_reasoning(context) {
        message.field("reasoning_content", &sorted.thoughts);
    }
    if let Some(details) = sorted.details.and_then(|list| serde_json::from_str::<&RawValue>(list).ok()) {
        message.field("reasoning_details", details);
    }
    drop(message);
    match &choice.logprobs {
        None => {
            object.field("logprobs", &());
        }
        Some(content) => {
            object.object("logprobs").field("content", content).field("refusal", &());
        }
    }
    object.field("finish_reason", words::of_finish(&choice.finish));
}

/// Tells whether the client is to see reasoning: it asked for it, or speaks with a server of this very dialect.
pub(in super::super) fn shows_reasoning(context: &ReplyContext) -> bool {
    context.shows_reasoning || context.upstream == CHAT
}

fn sort<'r>(choice: &'r Choice, context: &ReplyContext, losses: &mut Losses) -> Sorted<'r> {
    let mut sorted = Sorted::default();
    let mut pocket = Pocket::default();
    for part in &choice.parts {
        match &part.kind {
            PartKind::Text { text, citations } => {
                sorted.text.get_or_insert_default().push_str(text);
                sorted.citations.extend(citations);
            }
            PartKind::Refusal(text) => sorted.refusal.get_or_insert_default().push_str(text),
            PartKind::Reasoning { text, .. } => sorted.reasoning(part, text, &mut pocket, context),
            PartKind::ToolCall(call) => {
                let signature = match &part.state {
                    Some(Opaque::Native(state)) if context.upstream == CHAT => Some(state.payload.clone()),
                    state => {
                        if let Some(state) = state {
                            pocket.call(state, context);
                        }
                        pocket.take()
                    }
                };
                sorted.calls.push((call, signature));
            }
            PartKind::Image { .. } => losses.tell("images", "dropped"),
            PartKind::Audio(_) => losses.tell("audio", "dropped"),
            PartKind::File { .. } => losses.tell("files", "dropped"),
            PartKind::Foreign { name, .. } => losses.tell(name.clone(), "dropped"),
            // No model answers with a result of its own.
            PartKind::ToolResult(_) => {}
        }
    }
    if let Finish::Refusal { explanation: Some(explanation), .. } = &choice.finish {
        sorted.refusal.get_or_insert_with(|| explanation.clone());
    }
    sorted
}

impl<'r> Sorted<'r> {
    fn reasoning(&mut self, part: &'r Part, text: &str, pocket: &mut Pocket, context: &ReplyContext) {
        if !text.is_empty() {
            if !self.thoughts.is_empty() {
                self.thoughts.push_str("\n\n");
            }
            self.thoughts.push_str(text);
        }
        match &part.state {
            Some(Opaque::Native(state)) if context.upstream == Dialect::OpenAiChat => {
                self.details = Some(&state.payload);
            }
            // An envelope comes back with a call or not at all: there is no other place for it.
            Some(state) => pocket.reasoning(state, text, self.text.is_some(), context),
            None => {}
        }
    }
}

fn write_call(object: &mut Object<'_>, call: &ToolCall, signature: Option<String>) {
    object.field("id", &call.id);
    match &call.args {
        Args::Free(input) => {
            let mut inner = object.field("type", "custom").object("custom");
            inner.field("name", &call.name).field("input", input);
        }
        Args::Json(args) => {
            let args = if args.trim().is_empty() { "{}" } else { args };
            let mut inner = object.field("type", "function").object("function");
            inner.field("name", &call.name).field("arguments", args);
        }
    }
    if let Some(signature) = signature {
        object.object("extra_content").object("google").field("thought_signature", &signature);
    }
}
