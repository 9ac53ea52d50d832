//! The parts of a message, on its way to a model or from it.

use super::{Bag, Opaque};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Whether the prompt up to here should be cached.
    pub cache: Option<CacheMark>,
    /// A provider's signature on this very part.
    pub state: Option<Opaque>,
    /// Fields that its own dialect has alone.
    pub bag: Bag,
}

impl Part {
    /// Makes a part with nothing beside it.
    pub fn new(kind: PartKind) -> Self {
        Self { kind, cache: None, state: None, bag: Bag::default() }
    }

    /// Makes a part of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(PartKind::Text { text: text.into(), citations: Vec::new() })
    }

    /// Gives the text of a part of text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            PartKind::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// Plain text. Empty text is kept by decoders and left out by encoders.
    Text {
        /// The text.
        text: String,
        /// Where it was found.
        citations: Vec<Citation>,
    },
    /// The model's words for not answering.
    Refusal(String),
    /// An image.
    Image {
        /// Where it is.
        media: Media,
        /// How closely to look at it.
        detail: Option<Detail>,
    },
    /// Sound.
    Audio(Media),
    /// A document or another file.
    File {
        /// Where it is.
        media: Media,
        /// Its name.
        name: Option<String>,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool gave.
    ToolResult(ToolResult),
    /// What the model thought. Its signature is the part's `state`.
    Reasoning {
        /// The text; empty where the provider hides it.
        text: String,
        /// What kind of text.
        form: ReasoningForm,
    },
    /// A block that only its own dialect understands.
    Foreign {
        /// Whose.
        dialect: Dialect,
        /// Its `type`, or Gemini's payload name.
        name: String,
        /// All of it.
        json: Value,
    },
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result is matched by. Never empty: decoders make one up where a provider gives none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// With what.
    pub args: Args,
}

/// The arguments of a call: text until an encoder needs an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Args {
    /// JSON text of a function's arguments. Models write it: it need not be valid.
    Json(String),
    /// The input of a free-form tool.
    Free(String),
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call that it answers.
    pub id: String,
    /// The tool's name, where the dialect repeats it.
    pub name: Option<String>,
    /// Whether the tool failed.
    pub error: bool,
    /// Whether it answers a free-form call.
    pub free: bool,
    /// Texts, images and files.
    pub content: Vec<Part>,
}

/// What reasoning text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasoningForm {
    /// A summary, or text that the vendor shows as thoughts.
    Summary,
    /// The model's own chain of thought (open models).
    Raw,
    /// Nothing to read: state alone.
    Hidden,
}

/// Where something other than text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Here, as standard base64.
    Inline {
        /// Its type, as `image/png`.
        mime: String,
        /// The bytes.
        base64: String,
    },
    /// At a URL.
    Url {
        /// The URL.
        url: String,
        /// Its type, where the dialect names it.
        mime: Option<String>,
    },
    /// Uploaded to a provider before.
    FileId {
        /// Whose files.
        dialect: Dialect,
        /// Its id there.
        id: String,
    },
    /// A plain text document.
    Text(String),
}

/// How closely to look at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// As the model sees fit.
    Auto,
    /// Coarsely.
    Low,
    /// Closely.
    High,
    /// In its own resolution.
    Original,
}

/// Marks the end of a prefix that should be cached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheMark {
    /// How long, in the words of the dialect that it came in, as `1h`.
    pub ttl: Option<String>,
}

/// Where a piece of text was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The page, where there is one.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// The cited words, where the provider repeats them.
    pub text: Option<String>,
    /// The first character of the answer's text that rests on it, counted in Unicode scalar values.
    pub start: Option<u64>,
    /// The character after the last.
    pub end: Option<u64>,
    /// The whole object in its own dialect.
    pub raw: Option<(Dialect, Value)>,
}
