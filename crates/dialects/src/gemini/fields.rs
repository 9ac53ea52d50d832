//! Reading an object in either of the spellings that the API takes: `maxOutputTokens` and `max_output_tokens`
//! (§5.1 of the wire formats).

use crate::{
    form::{Bag, Refused},
    json::Fields,
};
use cliproxy_domain::Dialect;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// An object that is being read; every name is given in lowerCamelCase.
pub(super) struct Spelled(Fields);

impl Spelled {
    pub(super) fn new(fields: Fields) -> Self {
        Self(fields)
    }

    /// Gives the name under which the client wrote the field.
    fn key<'k>(&self, camel: &'k str) -> Cow<'k, str> {
        if self.0.peek(camel).is_some() || !camel.contains(|c: char| c.is_ascii_uppercase()) {
            return Cow::Borrowed(camel);
        }
        let snake = snake(camel);
        if self.0.peek(&snake).is_some() { Cow::Owned(snake) } else { Cow::Borrowed(camel) }
    }

    pub(super) fn here(&self) -> &str {
        self.0.here()
    }

    pub(super) fn has(&self, camel: &str) -> bool {
        self.0.peek(&self.key(camel)).is_some()
    }

    pub(super) fn peek(&self, camel: &str) -> Option<&Value> {
        self.0.peek(&self.key(camel))
    }

    pub(super) fn take(&mut self, camel: &str) -> Option<Value> {
        let key = self.key(camel);
        self.0.take(&key)
    }

    pub(super) fn text(&mut self, camel: &str) -> Result<Option<String>, Refused> {
        let key = self.key(camel);
        self.0.text(&key)
    }

    pub(super) fn required_text(&mut self, camel: &str) -> Result<String, Refused> {
        let key = self.key(camel);
        self.0.required_text(&key)
    }

    pub(super) fn flag(&mut self, camel: &str) -> Result<Option<bool>, Refused> {
        let key = self.key(camel);
        self.0.flag(&key)
    }

    pub(super) fn number(&mut self, camel: &str) -> Result<Option<Number>, Refused> {
        let key = self.key(camel);
        self.0.number(&key)
    }

    pub(super) fn count(&mut self, camel: &str) -> Result<Option<u64>, Refused> {
        let key = self.key(camel);
        self.0.count(&key)
    }

    /// Takes an array of texts.
    pub(super) fn texts(&mut self, camel: &str) -> Result<Vec<String>, Refused> {
        let key = self.key(camel);
        let list = self.0.list(&key)?.into_iter();
        list.map(|value| match value {
            Value::String(text) => Ok(text),
            _ => Err(self.0.wrong(&key, "an array of strings")),
        })
        .collect()
    }

    pub(super) fn object(&mut self, camel: &str) -> Result<Option<Spelled>, Refused> {
        let key = self.key(camel);
        Ok(self.0.object(&key)?.map(Spelled))
    }

    /// Takes an array of objects. The API takes a single object for an array of one, and Google's own examples write
    /// `parts` so.
    pub(super) fn objects(&mut self, camel: &str) -> Result<Vec<Spelled>, Refused> {
        let key = self.key(camel);
        if matches!(self.0.peek(&key), Some(Value::Object(_))) {
            return Ok(self.0.object(&key)?.map(Spelled).into_iter().collect());
        }
        Ok(self.0.objects(&key)?.into_iter().map(Spelled).collect())
    }

    /// Gives what was not taken.
    pub(super) fn into_value(self) -> Value {
        self.0.into_value()
    }

    /// Complains of a field; `expected` says what it must be.
    pub(super) fn wrong(&self, camel: &str, expected: &str) -> Refused {
        self.0.wrong(&self.key(camel), expected)
    }

    /// Complains of a field that is not there.
    pub(super) fn missing(&self, camel: &str) -> Refused {
        self.0.missing(camel)
    }
}

/// What is kept of an object for its own dialect. Fields of inner objects are kept under their path, as
/// `generationConfig.speechConfig`.
#[derive(Default)]
pub(super) struct Kept {
    fields: Map<String, Value>,
    spelling: Map<String, Value>,
}

impl Kept {
    /// Keeps what was not taken of `rest`, which stands at `prefix` within the object.
    pub(super) fn rest(&mut self, prefix: &str, rest: Spelled) {
        if let Value::Object(rest) = rest.into_value() {
            let named =
                |(name, value)| (if prefix.is_empty() { name } else { format!("{prefix}.{name}") }, value);
            self.fields.extend(rest.into_iter().map(named));
        }
    }

    /// Keeps a field that other dialects lose.
    pub(super) fn field(&mut self, path: &str, value: Value) {
        self.fields.insert(path.to_owned(), value);
    }

    /// Keeps how the client spelled what the form says too.
    pub(super) fn spelling(&mut self, path: &str, value: Value) {
        self.spelling.insert(path.to_owned(), value);
    }

    pub(super) fn into_bag(self) -> Bag {
        Bag::with_spelling(Dialect::Gemini, self.fields, self.spelling)
    }
}

/// Writes the own fields of a bag that stand directly in the object at `prefix`.
pub(super) fn within<'b>(bag: &'b Bag, prefix: &'b str) -> impl Iterator<Item = (&'b str, &'b Value)> {
    bag.of(Dialect::Gemini).filter_map(move |(path, value)| {
        let name = if prefix.is_empty() { path } else { path.strip_prefix(prefix)?.strip_prefix('.')? };
        (!name.contains('.')).then_some((name, value))
    })
}

fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spelled(value: Value) -> Spelled {
        Spelled::new(Fields::of(value, String::new()).unwrap())
    }

    #[test]
    fn a_field_is_read_in_either_spelling_and_errors_use_the_clients() {
        for (body, path) in [(json!({"topK": "x"}), "topK"), (json!({"top_k": "x"}), "top_k")] {
            assert_eq!(spelled(body).number("topK").unwrap_err().field, path);
        }
        assert_eq!(spelled(json!({"topK": null, "top_k": 4})).count("topK").unwrap(), Some(4));
    }

    #[test]
    fn a_single_object_stands_for_an_array_of_one() {
        let one = spelled(json!({"parts": {"text": "hi"}})).objects("parts").unwrap();
        let many = spelled(json!({"parts": [{"text": "hi"}]})).objects("parts").unwrap();
        assert_eq!((one.len(), many.len()), (1, 1));
    }

    #[test]
    fn what_is_kept_of_an_inner_object_comes_back_into_it() {
        let mut kept = Kept::default();
        kept.rest("generationConfig", spelled(json!({"speechConfig": {"a": 1}})));
        kept.field("labels", json!({"b": 2}));
        let bag = kept.into_bag();
        let inner: Vec<_> = within(&bag, "generationConfig").collect();
        assert_eq!(inner, [("speechConfig", &json!({"a": 1}))]);
        assert_eq!(within(&bag, "").map(|(name, _)| name).collect::<Vec<_>>(), ["labels"]);
    }
}
