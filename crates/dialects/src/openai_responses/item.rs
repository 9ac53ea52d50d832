//! Items of answers that are written for clients, as JSON.

use crate::{
    form::{Opaque, Place, ReasoningForm, State},
    json::Object,
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

fn json(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::new(&mut out);
    write(&mut object);
    drop(object);
    // JSON that is written from texts is text.
    String::from_utf8(out).unwrap_or_default()
}

/// Writes a part of a message: a text, or a refusal.
pub(super) fn part(refusal: bool, text: &str, annotations: &[Value], logprobs: &[Value]) -> String {
    json(|object| {
        if refusal {
            object.field("type", "refusal").field("refusal", text);
        } else {
            object.field("type", "output_text").field("text", text);
            object.field("annotations", annotations).field("logprobs", logprobs);
        }
    })
}

/// Writes a message of parts that are JSON already, with commas between them.
pub(super) fn message(id: &str, status: &str, parts: &str) -> String {
    json(|object| {
        object.field("type", "message").field("id", id).field("status", status).field("role", "assistant");
        object.raw("content", &format!("[{parts}]"));
    })
}

/// A call as an item.
pub(super) struct Call<'c> {
    pub(super) id: &'c str,
    pub(super) call_id: &'c str,
    pub(super) name: &'c str,
    pub(super) free: bool,
    /// Arguments, or free input.
    pub(super) input: &'c str,
    pub(super) status: &'c str,
}

/// Writes a call. A free-form one has no status.
pub(super) fn call(call: &Call<'_>) -> String {
    json(|object| {
        object.field("type", if call.free { "custom_tool_call" } else { "function_call" });
        object.field("id", call.id).field("call_id", call.call_id).field("name", call.name);
        if call.free {
            object.field("input", call.input);
        } else {
            object.field("arguments", call.input).field("status", call.status);
        }
    })
}

/// Writes what the model thought.
pub(super) fn reasoning(id: &str, form: ReasoningForm, text: &str, encrypted: Option<&str>) -> String {
    json(|object| {
        object.field("type", "reasoning").field("id", id);
        let raw = form == ReasoningForm::Raw;
        let mut summary = object.array("summary");
        if !raw && !text.is_empty() {
            summary.object().field("type", "summary_text").field("text", text);
        }
        drop(summary);
        if raw {
            object.array("content").object().field("type", "reasoning_text").field("text", text);
        }
        object.maybe("encrypted_content", encrypted);
    })
}

/// Puts a provider's state into an envelope, to be carried by a reasoning item; `place` says which part it belongs
/// to, seen from that item.
pub(super) fn sealed(state: &Opaque, place: Place, context: &ReplyContext) -> String {
    let state = match state {
        Opaque::Sealed(envelope) => return envelope.clone(),
        Opaque::Native(state) => state,
    };
    let bound = context.upstream == Dialect::OpenAiResponses;
    context.sealer.seal(&State {
        model: Some(context.upstream_model.clone()),
        credential: bound.then(|| context.credential.clone()),
        place,
        ..state.clone()
    })
}
