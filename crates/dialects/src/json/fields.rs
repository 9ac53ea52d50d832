//! Reading a client's JSON object field by field: what is known is taken out, what is left rides in a bag.

use super::mended;
use crate::form::{Bag, Refused};
use cliproxy_domain::Dialect;
use serde_json::{Map, Number, Value};

/// An object that is being read. Errors name the field by its whole path, as `messages[2].content[0].text`, and
/// hold nothing of its value.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Reads a whole body. Half of a surrogate pair alone becomes U+FFFD: models write such, and clients send them
    /// back.
    ///
    /// # Errors
    /// When it is not a JSON object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refused> {
        let read = serde_json::from_slice(body).or_else(|error| match mended(body) {
            Some(mended) => serde_json::from_slice(&mended),
            None => Err(error),
        });
        match read {
            Ok(Value::Object(map)) => Ok(Self { path: String::new(), map }),
            Ok(_) => Err(Refused::new(
                "",
                "the request body is not a JSON object; send an object with the request's fields",
            )),
            Err(error) => Err(Refused::new(
                "",
                format!(
                    "the request body is not valid JSON at line {} column {}; send one JSON object",
                    error.line(),
                    error.column()
                ),
            )),
        }
    }

    /// Reads `value`, which stands at `path`.
    ///
    /// # Errors
    /// When it is not an object.
    pub(crate) fn of(value: Value, path: String) -> Result<Self, Refused> {
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            _ => Err(wrong(&path, "an object")),
        }
    }

    /// Gives the path of the field `key`.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Gives the path of the object itself.
    pub(crate) fn here(&self) -> &str {
        &self.path
    }

    /// Takes a field; none when it is absent or null.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        match self.map.get_mut(key).map(Value::take) {
            None | Some(Value::Null) => None,
            Some(value) => Some(value),
        }
    }

    /// Looks at a field without taking it; none when it is absent, null or taken.
    pub(crate) fn peek(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Looks at a text without taking it.
    pub(crate) fn peek_text(&self, key: &str) -> Option<&str> {
        self.map.get(key).and_then(Value::as_str)
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn required_text(&mut self, key: &str) -> Result<String, Refused> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    /// Takes a truth value.
    pub(crate) fn flag(&mut self, key: &str) -> Result<Option<bool>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// Takes a number, in the client's spelling.
    pub(crate) fn number(&mut self, key: &str) -> Result<Option<Number>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(key, "a number")),
        }
    }

    /// Takes a whole number that is not negative. `4096.0` is one.
    pub(crate) fn count(&mut self, key: &str) -> Result<Option<u64>, Refused> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        let whole = number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            (float >= 0.0 && float.fract() == 0.0 && float <= 9_007_199_254_740_992.0).then_some(float as u64)
        });
        whole.map(Some).ok_or_else(|| self.wrong(key, "a whole number that is not negative"))
    }

    /// Takes an array; empty when it is absent.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Value>, Refused> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.wrong(key, "an array")),
        }
    }

    /// Takes an array of objects; empty when it is absent.
    pub(crate) fn objects(&mut self, key: &str) -> Result<Vec<Fields>, Refused> {
        let path = self.path(key);
        let list = self.list(key)?;
        list.into_iter().enumerate().map(|(at, value)| Fields::of(value, format!("{path}[{at}]"))).collect()
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Fields>, Refused> {
        let path = self.path(key);
        self.take(key).map(|value| Fields::of(value, path)).transpose()
    }

    /// Takes an object that must be there.
    pub(crate) fn required_object(&mut self, key: &str) -> Result<Fields, Refused> {
        self.object(key)?.ok_or_else(|| self.missing(key))
    }

    /// Keeps what was not taken, for the dialect that it is of.
    pub(crate) fn rest(mut self, dialect: Dialect) -> Bag {
        self.map.retain(|_, value| !value.is_null());
        Bag::new(dialect, self.map)
    }

    /// Gives what was not taken as it is.
    pub(crate) fn into_value(mut self) -> Value {
        self.map.retain(|_, value| !value.is_null());
        Value::Object(self.map)
    }

    /// Complains of a field's type or value; `expected` says what it must be.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Refused {
        wrong(&self.path(key), expected)
    }

    /// Complains of a field that is not there.
    pub(crate) fn missing(&self, key: &str) -> Refused {
        let path = self.path(key);
        let message = format!("`{path}` is missing: it is required");
        Refused::new(path, message)
    }
}

fn wrong(path: &str, expected: &str) -> Refused {
    Refused::new(path.to_owned(), format!("`{path}` must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        Fields::of(value, String::new()).unwrap()
    }

    #[test]
    fn an_error_names_the_whole_path_and_nothing_of_the_value() {
        let mut body = fields(json!({"messages": [{"content": [{"text": 7}]}]}));
        let mut message = body.objects("messages").unwrap().remove(0);
        let mut part = message.objects("content").unwrap().remove(0);
        let refused = part.text("text").unwrap_err();
        assert_eq!(refused.field, "messages[0].content[0].text");
        assert_eq!(refused.message, "`messages[0].content[0].text` must be a string");
    }

    #[test]
    fn half_a_character_costs_no_request() {
        let mut body = Fields::parse(br#"{"text": "a\ud83d", "other": "\ud83d\ude00"}"#).unwrap();
        assert_eq!(body.text("text").unwrap().unwrap(), "a\u{fffd}");
        assert_eq!(body.text("other").unwrap().unwrap(), "\u{1f600}");
        let refused = Fields::parse(br#"{"text": "a\ud83d""#).unwrap_err();
        assert!(refused.message.contains("not valid JSON at line 1 column 18"), "{refused}");
    }

    #[test]
    fn what_was_not_taken_rides_in_the_bag_in_its_order() {
        let mut body = fields(json!({"z": 1, "known": 2, "a": {"b": null}, "nothing": null}));
        assert_eq!(body.count("known").unwrap(), Some(2));
        let bag = body.rest(Dialect::Anthropic);
        let names: Vec<_> = bag.of(Dialect::Anthropic).map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["z", "a"]);
        assert_eq!(bag.of(Dialect::Gemini).count(), 0);
    }

    #[test]
    fn counts_are_whole_numbers() {
        let mut body =
            fields(json!({"a": 4096.0, "b": 1.5, "c": -1, "d": "7", "e": 18446744073709551615u64}));
        assert_eq!(body.count("a").unwrap(), Some(4096));
        assert!(body.count("b").is_err() && body.count("c").is_err() && body.count("d").is_err());
        assert_eq!(body.count("e").unwrap(), Some(u64::MAX));
    }
}
