//! Writing a whole answer for a client.

use super::super::{arguments::is_object, citation, finish, pocket, usage};
use crate::{
    form::{Args, Citation, Finish, Losses, Opaque, Part, PartKind, Place, ReasoningForm, Reply, ToolCall},
    free_input,
    json::{Array, Object},
    tool_ids,
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// Writes an answer. There is room for one choice, the first.
pub(crate) fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut object = Object::new(&mut out);
    object
        .field("id", &context.ids.answer(Dialect::Anthropic))
        .field("type", "message")
        .field("role", "assistant")
        .field("model", &context.model);
    let choice = reply.choices.first();
    let cut_off = choice.is_some_and(|choice| choice.finish == Finish::MaxTokens);
    let blocks = object.array("content");
    let mut content = Content { blocks, context, losses, cut_off, after_text: None };
    choice.into_iter().flat_map(|choice| &choice.parts).for_each(|part| content.part(part));
    drop(content);
    finish::write(choice.map_or(&Finish::End, |choice| &choice.finish), &mut object);
    if reply.usage.is_none() {
        losses.tell("usage", "missing");
    }
    let mut counts = object.object("usage");
    usage::write(&reply.usage.unwrap_or_default(), &mut counts);
    counts.maybe("service_tier", reply.tier.as_ref().and_then(usage::tier));
    drop(counts);
    drop(object);
    out
}

struct Content<'c> {
    blocks: Array<'c>,
    context: &'c ReplyContext,
    losses: &'c mut Losses,
    /// Whether the answer ended at its limit, where the arguments of the last call may lack their end.
    cut_off: bool,
    /// The signature of the text that was written last. It goes after the text, but only before another block: clients
    /// take the last block of an answer for its result, and Gemini does without the signature of a last text.
    after_text: Option<String>,
}

impl Content<'_> {
    fn block(&mut self) -> Object<'_> {
        if let Some(signature) = self.after_text.take() {
            let mut block = self.blocks.object();
            block.field("type", "thinking").field("thinking", "").field("signature", &signature);
        }
        self.blocks.object()
    }

    fn part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Text { text, citations } => self.text(text, citations, part.state.as_ref()),
            PartKind::Refusal(text) => self.text(text, &[], None),
            PartKind::Reasoning { text, form } => self.reasoning(text, *form, part.state.as_ref()),
            PartKind::ToolCall(call) => self.call(call, part.state.as_ref()),
            PartKind::Foreign { dialect: Dialect::Anthropic, json, .. } => {
                self.blocks.element(json);
            }
            PartKind::Foreign { .. } => self.losses.tell("content", "dropped"),
            PartKind::Image { .. } => self.losses.tell("content.image", "dropped"),
            PartKind::Audio(_) => self.losses.tell("content.audio", "dropped"),
            PartKind::File { .. } => self.losses.tell("content.file", "dropped"),
            // The model gives none.
            PartKind::ToolResult(_) => {}
        }
    }

    fn text(&mut self, text: &str, citations: &[Citation], state: Option<&Opaque>) {
        if !text.is_empty() {
            let mut block = self.block();
            block.field("type", "text").field("text", text);
            let citations: Vec<_> = citations.iter().filter_map(citation::write).collect();
            if !citations.is_empty() {
                block.field("citations", &citations);
            }
        }
        if let Some(state) = state {
            self.after_text = Some(pocket::signature(state, Place::Previous, self.context));
        }
    }

    fn reasoning(&mut self, text: &str, form: ReasoningForm, state: Option<&Opaque>) {
        let hidden = text.is_empty() || form == ReasoningForm::Hidden;
        let (signature, redacted) = match state {
            None if text.is_empty() => return,
            None => (String::new(), false),
            Some(state) => (
                pocket::signature(state, Place::Here, self.context),
                hidden && pocket::is_redacted(state, self.context),
            ),
        };
        let mut block = self.block();
        if redacted {
            block.field("type", "redacted_thinking").field("data", &signature);
        } else {
            block.field("type", "thinking").field("thinking", text).field("signature", &signature);
        }
    }

    /// Writes the signature of the part after it, which has no room for one.
    fn carrier(&mut self, state: &Opaque) {
        let signature = pocket::signature(state, Place::Next, self.context);
        let mut block = self.block();
        block.field("type", "thinking").field("thinking", "").field("signature", &signature);
    }

    fn call(&mut self, call: &ToolCall, state: Option<&Opaque>) {
        let args = match &call.args {
            Args::Json(args) if args.trim().is_empty() => Cow::Borrowed("{}"),
            Args::Json(args) if is_object(args) => Cow::Borrowed(args.as_str()),
            // Half a call is none.
            Args::Json(_) if self.cut_off => return self.losses.tell("content.tool_use", "dropped"),
            Args::Json(args) => {
                self.losses.tell("content.tool_use.input", "wrapped");
                Cow::Owned(serde_json::json!({ "INVALID_JSON": args }).to_string())
            }
            Args::Free(input) => Cow::Owned(free_input::wrapped(input)),
        };
        if let Some(state) = state {
            self.carrier(state);
        }
        let mut block = self.block();
        block
            .field("type", "tool_use")
            .field("id", &tool_ids::fitted(&call.id, Dialect::Anthropic, usize::MAX))
            .field("name", &call.name)
            .raw("input", &args);
    }
}
