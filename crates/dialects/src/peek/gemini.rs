//! Where a Gemini body repeats the model that its path names.

use super::place;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, ops::Range};

/// Finds the string literals that name the model, in one pass over `body`. Nothing is allocated when there are
/// none.
///
/// All of them are given, also where a field is there twice: the path has decided what is routed, and every one
/// has to agree with it. A model that is no string, and a wanted field that is neither object nor list, are left
/// for the provider to refuse.
pub(super) fn model_spans(body: &str) -> Result<Vec<Range<usize>>, serde_json::Error> {
    let mut spans = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(body);
    let at_top = Object { body, spans: &mut spans, depth: Depth::Top };
    reader.deserialize_map(at_top)?;
    reader.end()?;
    Ok(spans)
}

/// An object that may name the model.
struct Object<'a, 's> {
    body: &'a str,
    spans: &'s mut Vec<Range<usize>>,
    depth: Depth,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The body itself: only here are there requests within.
    Top,
    /// A request within the body.
    Within,
}

impl<'a> Object<'a, '_> {
    fn value<M: MapAccess<'a>>(&mut self, key: Key, map: &mut M) -> Result<(), M::Error> {
        match (key, self.depth) {
            (Key::Model, _) => {
                let literal = map.next_value::<&'a RawValue>()?.get();
                if literal.starts_with('"') {
                    self.spans.push(place(self.body, literal));
                }
            }
            (Key::GenerateContentRequest | Key::Requests, Depth::Top) => {
                map.next_value_seed(Within { body: self.body, spans: self.spans })?;
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'a> Visitor<'a> for Object<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            self.value(key, &mut map)?;
        }
        Ok(())
    }
}

/// What stands in a field that holds a request, or a list of requests; anything else is passed over.
struct Within<'a, 's> {
    body: &'a str,
    spans: &'s mut Vec<Range<usize>>,
}

impl<'a> DeserializeSeed<'a> for Within<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Within<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request or a list of requests")
    }

    fn visit_map<M: MapAccess<'a>>(self, map: M) -> Result<(), M::Error> {
        Object { body: self.body, spans: self.spans, depth: Depth::Within }.visit_map(map)
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        while list.next_element_seed(Within { body: self.body, spans: self.spans })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key, compared with its escapes resolved, in either of the spellings that the API takes (§5.1).
enum Key {
    Model,
    GenerateContentRequest,
    Requests,
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
            "generateContentRequest" | "generate_content_request" => Key::GenerateContentRequest,
            "requests" => Key::Requests,
            _ => Key::Other,
        })
    }
}
