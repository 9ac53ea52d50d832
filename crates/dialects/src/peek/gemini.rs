//! Where a Gemini body repeats the model that its path names, and where it tells its session.

use super::{
    place,
    session::{SessionFields, SessionPlaces},
};
use cliproxy_domain::Dialect;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, ops::Range};

/// Finds the string literals that name the model, and what tells the session, in one pass over `body`. Nothing is
/// allocated when no model is named.
///
/// All of them are given, also where a field is there twice: the path has decided what is routed, and every one
/// has to agree with it. A model that is no string, and a wanted field that is neither object nor list, are left
/// for the provider to refuse.
pub(super) fn places(body: &str) -> Result<(Vec<Range<usize>>, SessionPlaces), serde_json::Error> {
    let (mut spans, mut session) = (Vec::new(), SessionFields::default());
    let mut reader = serde_json::Deserializer::from_str(body);
    let at_top = Object { body, spans: &mut spans, session: Some(&mut session) };
    reader.deserialize_map(at_top)?;
    reader.end()?;
    Ok((spans, session.places(Dialect::Gemini, body)))
}

/// An object that may name the model.
struct Object<'a, 's> {
    body: &'a str,
    spans: &'s mut Vec<Range<usize>>,
    /// There for the body itself: only it tells a session, and only in it are there requests within.
    session: Option<&'s mut SessionFields<'a>>,
}

impl<'a> Object<'a, '_> {
    fn value<M: MapAccess<'a>>(&mut self, key: Key, map: &mut M) -> Result<(), M::Error> {
        match (key, &mut self.session) {
            (Key::Model, _) => {
                let literal = map.next_value::<&'a RawValue>()?.get();
                if literal.starts_with('"') {
                    self.spans.push(place(self.body, literal));
                }
            }
            (Key::CachedContent, Some(session)) => session.cached_content = Some(map.next_value()?),
            (Key::Instructions, Some(session)) => session.instructions = Some(map.next_value()?),
            (Key::Turns, Some(session)) => session.turns = Some(map.next_value()?),
            (Key::GenerateContentRequest | Key::Requests, Some(_)) => {
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
        Object { body: self.body, spans: self.spans, session: None }.visit_map(map)
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
    CachedContent,
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
            "generateContentRequest" | "generate_content_request" => Key::GenerateContentRequest,
            "requests" => Key::Requests,
            "cachedContent" | "cached_content" => Key::CachedContent,
            "systemInstruction" | "system_instruction" => Key::Instructions,
            "contents" => Key::Turns,
            _ => Key::Other,
        })
    }
}
