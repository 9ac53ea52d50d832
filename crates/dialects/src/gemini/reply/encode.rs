//! Writing a whole answer for a client.

use super::super::{
    answer::{self, Ending, Pocket},
    citations::Offsets,
    json_text,
};
use crate::{
    form::{Args, Choice, Citation, Losses, Media, Opaque, Part, PartKind, Place, Reply, ToolCall},
    free_input,
    json::{Array, Object},
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Writes an answer.
pub(crate) fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = Object::new(&mut out);
    let mut blocked = None;
    let mut candidates = Vec::new();
    let mut array = Array::new(&mut candidates);
    for choice in &reply.choices {
        blocked = blocked.or(candidate(&mut array, choice, context, losses));
    }
    let none = array.is_empty();
    drop(array);
    if !none {
        object.raw("candidates", &String::from_utf8_lossy(&candidates));
    }
    if let Some(reason) = blocked {
        object.object("promptFeedback").field("blockReason", reason);
    }
    if reply.usage.is_none() {
        losses.tell("usageMetadata", "missing");
    }
    answer::usage(&mut object, reply.usage);
    object.field("modelVersion", &context.model);
    object.field("responseId", &context.ids.answer(Dialect::Gemini));
    drop(object);
    out
}

/// Writes a candidate; for a blocked prompt there is none, and the reason is given.
fn candidate<'c>(
    candidates: &mut Array<'_>,
    choice: &'c Choice,
    context: &ReplyContext,
    losses: &mut Losses,
) -> Option<&'c str> {
    if let Some(reason) = answer::blocked(&choice.finish) {
        return Some(reason);
    }
    let mut written = Vec::new();
    let told = parts(&mut written, choice, context, losses);
    let mut candidate = candidates.object();
    if written != b"[]" {
        let mut content = candidate.object("content");
        content.field("role", "model").raw("parts", &String::from_utf8_lossy(&written));
    }
    candidate.field("index", &choice.index);
    let ending = Ending {
        finish: &choice.finish,
        bad_call: told.bad_call,
        citations: &told.citations,
        offsets: &told.offsets,
        logprobs: choice.logprobs.as_deref(),
    };
    ending.write(&mut candidate);
    None
}

/// What the parts leave for the end of their candidate.
#[derive(Default)]
struct Told {
    bad_call: bool,
    citations: Vec<Citation>,
    offsets: Offsets,
}

fn parts(out: &mut Vec<u8>, choice: &Choice, context: &ReplyContext, losses: &mut Losses) -> Told {
    let told = Told { offsets: Offsets::of_whole(), ..Told::default() };
    let parts = Array::new(out);
    let mut writer = Writer { parts, context, losses, pocket: Pocket::default(), told };
    choice.parts.iter().for_each(|part| writer.part(part));
    if let Some(envelope) = writer.pocket.take() {
        answer::text(&mut writer.parts, "", false, Some(&envelope));
    }
    writer.told
}

struct Writer<'w> {
    parts: Array<'w>,
    context: &'w ReplyContext,
    losses: &'w mut Losses,
    pocket: Pocket,
    told: Told,
}

impl Writer<'_> {
    fn part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Text { text, citations } => {
                self.text(text, part.state.as_ref());
                self.told.citations.extend(citations.iter().cloned());
            }
            PartKind::Refusal(text) => self.text(text, part.state.as_ref()),
            PartKind::Reasoning { text, .. } => self.reasoning(text, part.state.as_ref()),
            PartKind::ToolCall(call) => self.call(call, part.state.as_ref()),
            PartKind::Image { media, .. } | PartKind::Audio(media) | PartKind::File { media, .. } => {
                self.media(media, part.state.as_ref());
            }
            PartKind::Foreign { dialect: Dialect::Gemini, json: Value::Object(fields), .. } => {
                let mut object = self.parts.object();
                object.bag(fields.iter().map(|(name, value)| (name.as_str(), value)));
            }
            PartKind::Foreign { .. } | PartKind::ToolResult(_) => self.losses.tell("content", "dropped"),
        }
    }

    fn text(&mut self, text: &str, state: Option<&Opaque>) {
        let own = state.and_then(|state| answer::own(state, self.context));
        if !text.is_empty() || own.is_some() {
            let waiting = self.pocket.take();
            answer::text(&mut self.parts, text, false, own.or(waiting.as_deref()));
        }
        self.told.offsets.push(text);
        let foreign = state.filter(|_| own.is_none());
        let envelope = foreign.and_then(|state| answer::sealed(state, Place::Previous, None, self.context));
        if let Some(envelope) = envelope {
            answer::text(&mut self.parts, "", false, Some(&envelope));
        }
    }

    fn reasoning(&mut self, text: &str, state: Option<&Opaque>) {
        let shown = self.context.shows_reasoning && !text.is_empty();
        let own = state.and_then(|state| answer::own(state, self.context));
        if own.is_some() {
            answer::text(&mut self.parts, if shown { text } else { "" }, shown, own);
            return;
        }
        if shown {
            answer::text(&mut self.parts, text, true, None);
        }
        let sealed = state.and_then(|state| answer::sealed(state, Place::Here, Some(text), self.context));
        if let Some(before) = sealed.and_then(|envelope| self.pocket.put(envelope)) {
            answer::text(&mut self.parts, "", false, Some(&before));
        }
    }

    fn call(&mut self, call: &ToolCall, state: Option<&Opaque>) {
        let wrapped;
        let args = match &call.args {
            Args::Json(args) => args,
            Args::Free(input) => {
                wrapped = free_input::wrapped(input);
                &wrapped
            }
        };
        let Some(args) = json_text::object(args) else {
            self.told.bad_call = true;
            return;
        };
        let own = state.and_then(|state| answer::own(state, self.context));
        let sealed = state
            .filter(|_| own.is_none())
            .and_then(|state| answer::sealed(state, Place::Next, None, self.context));
        let waiting = self.pocket.take();
        let signature = match (own.or(sealed.as_deref()), waiting.as_deref()) {
            // One pocket cannot hold two.
            (Some(signature), Some(waiting)) => {
                answer::text(&mut self.parts, "", false, Some(waiting));
                Some(signature)
            }
            (signature, waiting) => signature.or(waiting),
        };
        let signature = signature.or(answer::unsigned(self.context));
        answer::call(&mut self.parts, &call.id, &call.name, &args, signature);
    }

    fn media(&mut self, media: &Media, state: Option<&Opaque>) {
        let own = state.and_then(|state| answer::own(state, self.context));
        let mut part = self.parts.object();
        match media {
            Media::Inline { mime, base64 } => {
                part.object("inlineData").field("mimeType", mime).field("data", base64);
            }
            Media::Url { url, mime } => {
                part.object("fileData").maybe("mimeType", mime.as_deref()).field("fileUri", url);
            }
            Media::FileId { id, .. } => drop(part.object("fileData").field("fileUri", id)),
            Media::Text(text) => drop(part.field("text", text)),
        }
        part.maybe("thoughtSignature", own);
    }
}
