//! Blocks that are open, and the items that they become.

use crate::{
    form::{Place, ReasoningForm},
    openai_responses::item,
    tool_ids,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// A block that is open.
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Its item, once that was announced.
    pub(super) item: Option<Message>,
    /// All that was said in it.
    pub(super) text: String,
    /// Its signature in an envelope, and where that stands.
    pub(super) state: Option<(String, Place)>,
    pub(super) annotations: Vec<Value>,
    pub(super) logprobs: Vec<Value>,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Refusal,
    Reasoning(ReasoningForm),
    /// A call; the id is one that this dialect takes.
    Call {
        id: String,
        name: String,
        free: bool,
    },
}

impl Kind {
    pub(super) fn call(id: &str, name: &str, free: bool) -> Self {
        let id = tool_ids::fitted(id, Dialect::OpenAiResponses, tool_ids::OPENAI_MAX).into_owned();
        Kind::Call { id, name: name.to_owned(), free }
    }
}

/// An item that was announced; a message may take parts of several blocks.
pub(super) struct Message {
    pub(super) place: usize,
    pub(super) id: String,
    /// The parts that are at their end, as JSON with commas between them.
    pub(super) parts: String,
    /// How many these are.
    pub(super) count: u64,
}

/// An item of which all is known but whether it was cut off.
pub(super) enum Held {
    Message(Message),
    Call { place: usize, id: String, call_id: String, name: String, free: bool, input: String },
}

impl Held {
    /// Gives the item's place and the item.
    pub(super) fn finished(self, status: &str) -> (usize, String) {
        match self {
            Held::Message(message) => (message.place, item::message(&message.id, status, &message.parts)),
            Held::Call { place, id, call_id, name, free, input } => {
                let call =
                    item::Call { id: &id, call_id: &call_id, name: &name, free, input: &input, status };
                (place, item::call(&call))
            }
        }
    }
}

impl Block {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            item: None,
            text: String::new(),
            state: None,
            annotations: Vec::new(),
            logprobs: Vec::new(),
        }
    }

    /// Tells whether it stands in a message.
    pub(super) fn is_said(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Refusal)
    }

    /// Gives what ids of its kind of item begin with.
    pub(super) fn prefix(&self) -> &'static str {
        match self.kind {
            Kind::Text | Kind::Refusal => "msg",
            Kind::Reasoning(_) => "rs",
            Kind::Call { free: false, .. } => "fc",
            Kind::Call { free: true, .. } => "ctc",
        }
    }

    /// Makes an object of no arguments at all.
    pub(super) fn complete_input(&mut self) {
        if self.text.is_empty() && matches!(self.kind, Kind::Call { free: false, .. }) {
            self.text.push_str("{}");
        }
    }
}
