//! What routing needs of a request body, read in one pass that borrows and skips the rest.

mod gemini;
mod session;
mod splice;

pub use session::SessionPlaces;
pub use splice::replace_models;

use cliproxy_domain::{Dialect, Operation};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{error::Category, value::RawValue};
use session::SessionFields;
use std::{fmt, ops::Range};

/// What routing needs of a request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The model that the body names. Always there for OpenAI and Anthropic bodies; never for Gemini, whose
    /// path names the model.
    pub model: Option<ModelSpan>,
    /// Whether the client asks for a stream. Always false for Gemini, whose path tells, and for operations
    /// that do not stream.
    pub stream: bool,
    /// The bytes of every JSON string literal that names the model, quotes included, ascending.
    ///
    /// Exactly one for OpenAI and Anthropic. Gemini's path names the model, and its bodies may repeat it once
    /// or more often: `model`, `generateContentRequest.model` when counting tokens, `requests[].model` when
    /// embedding a batch (§7 of the wire formats).
    pub model_spans: Vec<Range<usize>>,
    /// Where it tells its session.
    pub session: SessionPlaces,
}

/// A model name and its place in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpan {
    /// The name with its escapes resolved.
    pub name: String,
    /// The bytes of the JSON string literal, quotes included.
    pub span: Range<usize>,
}

/// Why a request body cannot be routed. No message holds anything of the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// A byte sequence that is not UTF-8.
    #[error("the request body is not valid UTF-8 at byte {at}; send JSON encoded as UTF-8")]
    InvalidUtf8 {
        /// How many bytes were valid before it.
        at: usize,
    },
    /// Not JSON, or more than one JSON text.
    #[error("the request body is not valid JSON at line {line} column {column}; send one JSON object")]
    MalformedJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 when the error lies at the end of the line before.
        column: usize,
    },
    /// JSON, but an array, a string, a number or the like.
    #[error("the request body is not a JSON object; send an object with the request's fields")]
    NotAnObject,
    /// No `model` in the body.
    #[error("`model` is missing; name the model to use as a string")]
    ModelMissing,
    /// `model` is null, a number or the like, or has escapes that make no text.
    #[error("`model` is not a string; name the model to use as a string")]
    ModelNotAString,
    /// `model` is `""`.
    #[error("`model` is empty; name the model to use")]
    ModelEmpty,
    /// `stream` is neither true, false nor null.
    #[error("`stream` is not a boolean; send true or false, or leave it out")]
    StreamNotABoolean,
    /// A field that decides where and how the request goes is there more than once.
    #[error("`{field}` is given more than once; send it once")]
    Duplicate {
        /// `model` or `stream`.
        field: &'static str,
    },
}

impl PeekError {
    /// Names the field at fault, when it is one field.
    pub fn param(&self) -> Option<&'static str> {
        match self {
            PeekError::ModelMissing | PeekError::ModelNotAString | PeekError::ModelEmpty => Some("model"),
            PeekError::StreamNotABoolean => Some("stream"),
            PeekError::Duplicate { field } => Some(field),
            PeekError::InvalidUtf8 { .. } | PeekError::MalformedJson { .. } | PeekError::NotAnObject => None,
        }
    }
}

/// Reads what routing needs of `body`.
///
/// The whole body is checked to be UTF-8 and one JSON object; of its values only the wanted ones are looked
/// at. A second `model` or `stream` is refused: which of two counts differs between parsers, and what was
/// routed and admitted must be what the provider then reads.
///
/// # Errors
///
/// See [`PeekError`]; all of them are the client's mistakes.
pub fn peek(dialect: Dialect, operation: Operation, body: &[u8]) -> Result<Peek, PeekError> {
    let text =
        std::str::from_utf8(body).map_err(|error| PeekError::InvalidUtf8 { at: error.valid_up_to() })?;
    if dialect == Dialect::Gemini {
        let (model_spans, session) = gemini::places(text).map_err(unreadable)?;
        return Ok(Peek { model: None, stream: false, model_spans, session });
    }
    let found: Found<'_> = serde_json::from_str(text).map_err(unreadable)?;
    if let Some(field) = found.duplicate {
        return Err(PeekError::Duplicate { field });
    }
    let model = read_model(text, found.model)?;
    let stream = operation == Operation::Generate && read_stream(found.stream)?;
    let model_spans = vec![model.span.clone()];
    Ok(Peek { model: Some(model), stream, model_spans, session: found.session.places(dialect, text) })
}

fn unreadable(error: serde_json::Error) -> PeekError {
    match error.classify() {
        // No visitor refuses a value itself, so a wrong type can only be that of the whole body.
        Category::Data => PeekError::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => {
            PeekError::MalformedJson { line: error.line(), column: error.column() }
        }
    }
}

fn read_model(body: &str, raw: Option<&RawValue>) -> Result<ModelSpan, PeekError> {
    let literal = raw.ok_or(PeekError::ModelMissing)?.get();
    let name: String = serde_json::from_str(literal).map_err(|_| PeekError::ModelNotAString)?;
    if name.is_empty() {
        return Err(PeekError::ModelEmpty);
    }
    Ok(ModelSpan { name, span: place(body, literal) })
}

/// Gives the place of a literal that was borrowed from `body`: the distance of the two addresses.
fn place(body: &str, literal: &str) -> Range<usize> {
    let start = literal.as_ptr() as usize - body.as_ptr() as usize;
    start..start + literal.len()
}

fn read_stream(raw: Option<&RawValue>) -> Result<bool, PeekError> {
    match raw.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(PeekError::StreamNotABoolean),
    }
}

/// The raw values of the wanted fields.
#[derive(Default)]
struct Found<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    duplicate: Option<&'static str>,
    session: SessionFields<'a>,
}

impl<'de> Deserialize<'de> for Found<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FoundVisitor)
    }
}

struct FoundVisitor;

impl<'de> Visitor<'de> for FoundVisitor {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Model => {
                    if found.model.replace(map.next_value()?).is_some() {
                        found.duplicate = Some("model");
                    }
                }
                Key::Stream => {
                    if found.stream.replace(map.next_value()?).is_some() {
                        found.duplicate = Some("stream");
                    }
                }
                Key::CacheName => found.session.prompt_cache_key = Some(map.next_value()?),
                Key::Conversation => found.session.conversation = Some(map.next_value()?),
                Key::PreviousResponseId => found.session.previous_response_id = Some(map.next_value()?),
                Key::User => found.session.user = Some(map.next_value()?),
                Key::Metadata => found.session.metadata = Some(map.next_value()?),
                Key::Instructions => found.session.instructions = Some(map.next_value()?),
                Key::Turns => found.session.turns = Some(map.next_value()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A key, compared with its escapes resolved: `"mod\u0065l"` is `model` to every server.
enum Key {
    Model,
    Stream,
    CacheName,
    Conversation,
    PreviousResponseId,
    User,
    Metadata,
    Instructions,
    Turns,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "model" => Key::Model,
            "stream" => Key::Stream,
            "messages" | "input" => Key::Turns,
            "system" | "instructions" => Key::Instructions,
            "metadata" => Key::Metadata,
            "user" => Key::User,
            "prompt_cache_key" => Key::CacheName,
            "conversation" => Key::Conversation,
            "previous_response_id" => Key::PreviousResponseId,
            _ => Key::Other,
        })
    }
}

#[cfg(test)]
mod tests;
