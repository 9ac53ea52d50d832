//! Refuses what the real APIs refuse, so that a request that was put together badly shows as an error.
//!
//! The rules are those that the vendors document, or whose refusals are known; where a rule depends on the model,
//! it is left out. Texts follow the vendors'.

mod chat;
mod gemini;
mod messages;
mod responses;
mod schema;

use crate::route::{Endpoint, Verb};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::request::Parts;
use serde_json::{Map, Value};

/// Why a request is refused, always with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// In the vendor's words.
    pub(crate) message: String,
    /// OpenAI's `param`.
    pub(crate) param: Option<String>,
    /// OpenAI's `code`.
    pub(crate) code: Option<&'static str>,
}

type Check = Result<(), Refusal>;

impl Refusal {
    /// Refuses for this reason.
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), param: None, code: None }
    }

    /// Refuses because of a field that OpenAI names.
    fn of(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()), code: Some(code) }
    }
}

/// Looks through a request that could be read.
pub(crate) fn check(endpoint: &Endpoint, head: &Parts, body: &[u8]) -> Check {
    let judge = match endpoint {
        Endpoint::Chat => chat::check,
        Endpoint::Responses => responses::check,
        Endpoint::Messages => messages::check,
        Endpoint::CountMessages => messages::check_count,
        Endpoint::Gemini { verb: Verb::Generate | Verb::Stream(_), .. } => gemini::check,
        Endpoint::Gemini { verb: Verb::Count, .. } => gemini::check_count,
        _ => return Ok(()),
    };
    match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => judge(&body, head),
        _ => Err(Refusal::new("the request body is not a JSON object")),
    }
}

/// Gives the first field that is not among `known`, names with spaces between.
fn unknown<'a>(object: &'a Map<String, Value>, known: &str) -> Option<&'a str> {
    object.keys().map(String::as_str).find(|name| !lists(known, name))
}

/// Tells whether `name` is among `known`, names with spaces between.
fn lists(known: &str, name: &str) -> bool {
    known.split_whitespace().any(|one| one == name)
}

/// Gives a list, and nothing for another value.
fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Tells whether a field is there and not null.
fn has(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}

/// Tells whether a text has 1 to `longest` characters of letters, digits, `_` and `-`.
fn is_plain(text: &str, longest: usize) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=longest).contains(&text.len()) && text.chars().all(plain)
}

/// Tells whether a text is base64 in the standard alphabet, and not empty.
fn is_base64(text: &str) -> bool {
    !text.is_empty() && STANDARD.decode(text).is_ok()
}

/// Tells whether a number, when it is there, lies outside `low` to `high`.
fn is_outside(object: &Map<String, Value>, name: &str, low: f64, high: f64) -> bool {
    let number = object.get(name).and_then(Value::as_f64);
    number.is_some_and(|number| !(low..=high).contains(&number))
}
