//! Writing a whole answer for a client.

use crate::{
    form::{Args, Losses, Part, PartKind, Place, ReasoningForm, Reply, ToolCall},
    json::Object,
    openai_responses::{
        annotation, item, outcome,
        response::{self, Moment},
    },
    tool_ids,
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

const OWN: Dialect = Dialect::OpenAiResponses;

/// Writes an answer: its first choice, as this dialect has one.
pub(crate) fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let choice = reply.choices.first();
    let incomplete = choice.and_then(|choice| outcome::incomplete(&choice.finish));
    let mut writer = Writer {
        context,
        losses,
        logprobs: choice.and_then(|choice| choice.logprobs.as_deref()).unwrap_or_default(),
        cut: incomplete.is_some(),
        items: Vec::new(),
    };
    writer.parts(choice.map(|choice| choice.parts.as_slice()).unwrap_or_default());
    let moment = Moment {
        created: reply.created.unwrap_or(context.created),
        status: if incomplete.is_some() { "incomplete" } else { "completed" },
        incomplete,
        output: &writer.items.join(","),
        usage: reply.usage,
        tier: reply.tier.as_ref(),
    };
    let mut out = Vec::with_capacity(moment.output.len() + 1024);
    response::write(&mut Object::new(&mut out), context, &moment);
    out
}

struct Writer<'w> {
    context: &'w ReplyContext,
    losses: &'w mut Losses,
    /// Those of the texts that are not written yet.
    logprobs: &'w [Value],
    /// Whether the answer was cut off, and its last item with it.
    cut: bool,
    items: Vec<String>,
}

impl Writer<'_> {
    fn parts(&mut self, parts: &[Part]) {
        let mut rest = parts;
        while let Some((part, after)) = rest.split_first() {
            let run = rest.iter().take_while(|part| is_said(part)).count();
            if run == 0 {
                rest = after;
                self.item(part, rest.is_empty());
                continue;
            }
            // A signed text ends its message: the carrier of its signature comes next.
            let signed = rest.iter().take(run).position(|part| part.state.is_some());
            let (message, after) = rest.split_at(signed.map_or(run, |at| at + 1));
            rest = after;
            self.message(message, rest.is_empty());
        }
    }

    fn id(&self, prefix: &str) -> String {
        self.context.ids.item(prefix, u32::try_from(self.items.len()).unwrap_or(u32::MAX))
    }

    fn status(&self, last: bool) -> &'static str {
        if last && self.cut { "incomplete" } else { "completed" }
    }

    fn message(&mut self, parts: &[Part], last: bool) {
        let parts_said: Vec<String> = parts.iter().filter_map(|part| self.message_part(part)).collect();
        if !parts_said.is_empty() {
            let item = item::message(&self.id("msg"), self.status(last), &parts_said.join(","));
            self.items.push(item);
        }
        if let Some(part) = parts.last() {
            self.carrier(part, Place::Previous);
        }
    }

    fn message_part(&mut self, part: &Part) -> Option<String> {
        match &part.kind {
            PartKind::Text { text, citations } if !text.is_empty() => {
                let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                let annotations: Vec<Value> =
                    citations.iter().filter_map(|citation| annotation::write(citation, length)).collect();
                Some(item::part(false, text, &annotations, self.logprobs_of(text)))
            }
            PartKind::Refusal(text) => Some(item::part(true, text, &[], &[])),
            _ => None,
        }
    }

    /// Takes the log probabilities of the tokens that make up `text`.
    fn logprobs_of(&mut self, text: &str) -> &[Value] {
        let mut covered = 0_usize;
        let of_text = self.logprobs.iter().take_while(|token| {
            let more = covered < text.len();
            let token = token.get("token").and_then(Value::as_str).unwrap_or_default();
            covered = covered.saturating_add(token.len());
            more
        });
        let (own, rest) = self.logprobs.split_at(of_text.count());
        self.logprobs = rest;
        own
    }

    fn item(&mut self, part: &Part, last: bool) {
        match &part.kind {
            PartKind::ToolCall(call) => {
                self.carrier(part, Place::Next);
                self.call(call, last);
            }
            PartKind::Reasoning { text, form } => {
                let encrypted =
                    part.state.as_ref().map(|state| item::sealed(state, Place::Here, self.context));
                if !text.is_empty() || encrypted.is_some() {
                    self.items.push(item::reasoning(&self.id("rs"), *form, text, encrypted.as_deref()));
                }
            }
            PartKind::Foreign { dialect: OWN, json, .. } => self.items.push(json.to_string()),
            PartKind::Foreign { name, .. } => self.losses.tell(format!("output.{name}"), "dropped"),
            PartKind::Image { .. } => self.losses.tell("output.image", "dropped"),
            PartKind::Audio(_) => self.losses.tell("output.audio", "dropped"),
            PartKind::File { .. } => self.losses.tell("output.file", "dropped"),
            PartKind::ToolResult(_) | PartKind::Text { .. } | PartKind::Refusal(_) => {}
        }
    }

    fn call(&mut self, call: &ToolCall, last: bool) {
        let (free, input) = match &call.args {
            Args::Json(text) if text.is_empty() => (false, "{}"),
            Args::Json(text) => (false, text.as_str()),
            Args::Free(text) => (true, text.as_str()),
        };
        let item = item::call(&item::Call {
            id: &self.id(if free { "ctc" } else { "fc" }),
            call_id: &tool_ids::fitted(&call.id, OWN, tool_ids::OPENAI_MAX),
            name: &call.name,
            free,
            input,
            status: self.status(last),
        });
        self.items.push(item);
    }

    /// Writes the reasoning item that carries the signature of a part that has no room for it.
    fn carrier(&mut self, part: &Part, place: Place) {
        if let Some(state) = &part.state {
            let sealed = item::sealed(state, place, self.context);
            let form = ReasoningForm::Hidden;
            self.items.push(item::reasoning(&self.id("rs"), form, "", Some(&sealed)));
        }
    }
}

fn is_said(part: &Part) -> bool {
    matches!(part.kind, PartKind::Text { .. } | PartKind::Refusal(_))
}
