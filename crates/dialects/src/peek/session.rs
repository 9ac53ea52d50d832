//! Where a body says to which session it belongs, and with what its conversation opens.

use super::place;
use cliproxy_domain::Dialect;
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

/// The places of what tells a session. Nothing of it is read until it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPlaces {
    /// What may name the session, the most telling first: JSON values of any kind.
    named: [Option<Range<usize>>; 4],
    /// The field of an object among them that has the name.
    within: &'static str,
    instructions: Option<Range<usize>>,
    turns: Option<Range<usize>>,
}

/// The raw values of the fields that tell a session, of all dialects.
#[derive(Default)]
pub(super) struct SessionFields<'a> {
    pub(super) prompt_cache_key: Option<&'a RawValue>,
    pub(super) conversation: Option<&'a RawValue>,
    pub(super) previous_response_id: Option<&'a RawValue>,
    pub(super) user: Option<&'a RawValue>,
    pub(super) metadata: Option<&'a RawValue>,
    pub(super) cached_content: Option<&'a RawValue>,
    /// `system` of Anthropic, `instructions` of Responses, `systemInstruction` of Gemini.
    pub(super) instructions: Option<&'a RawValue>,
    /// `messages`, `input` or `contents`.
    pub(super) turns: Option<&'a RawValue>,
}

impl SessionFields<'_> {
    /// Gives the places that count in `dialect`.
    pub(super) fn places(&self, dialect: Dialect, body: &str) -> SessionPlaces {
        let at = |raw: Option<&RawValue>| raw.map(|raw| place(body, raw.get()));
        let (named, within) = match dialect {
            Dialect::OpenAiChat => ([self.prompt_cache_key, self.user, None, None], ""),
            Dialect::OpenAiResponses => {
                ([self.prompt_cache_key, self.conversation, self.previous_response_id, self.user], "id")
            }
            Dialect::Anthropic => ([self.metadata, None, None, None], "user_id"),
            Dialect::Gemini => ([self.cached_content, None, None, None], ""),
        };
        SessionPlaces {
            named: named.map(at),
            within,
            instructions: at(self.instructions),
            turns: at(self.turns),
        }
    }
}

impl SessionPlaces {
    /// Gives the name of the session that `body` belongs to by its own word: a cache key, a conversation, a user. None
    /// when it says nothing, or nothing that is text.
    pub fn declared<'b>(&self, body: &'b [u8]) -> Option<Cow<'b, str>> {
        self.named.iter().flatten().find_map(|span| {
            let raw = text(body, span)?;
            let name = if raw.starts_with('{') { field(raw, self.within)? } else { raw };
            Some(string(name)?).filter(|name| !name.is_empty())
        })
    }

    /// Gives the bytes of the instructions and of the turns up to the first of the user, as they stand in `body`. None
    /// when the user says nothing.
    pub fn opening<'b>(&self, body: &'b [u8]) -> Option<[&'b [u8]; 2]> {
        let instructions = self.instructions.as_ref().and_then(|span| text(body, span)).unwrap_or_default();
        let turns = text(body, self.turns.as_ref()?)?;
        let first = if turns.starts_with('[') { &turns[..first_turn_of_user(turns)?] } else { turns };
        Some([instructions.as_bytes(), first.as_bytes()])
    }
}

fn text<'b>(body: &'b [u8], span: &Range<usize>) -> Option<&'b str> {
    std::str::from_utf8(body.get(span.clone())?).ok()
}

/// Reads a JSON string; borrows it where it has no escapes. None for anything else.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw).ok().map(|text| text.0)
}

/// Finds a field of an object, the last where it is there twice.
fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    struct Find<'n, 'a>(&'n str, Option<&'a str>);
    impl<'a> Visitor<'a> for Find<'_, 'a> {
        type Value = Option<&'a str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: serde::de::MapAccess<'a>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
            while let Some(key) = map.next_key::<Cow<'a, str>>()? {
                if key == self.0 {
                    self.1 = Some(map.next_value::<&'a RawValue>()?.get());
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(self.1)
        }
    }
    serde_json::Deserializer::from_str(object).deserialize_map(Find(name, None)).ok()?
}

/// Finds the end of the first turn of the user in a list of turns. Reads no further.
fn first_turn_of_user(turns: &str) -> Option<usize> {
    let mut end = None;
    // It stops in the middle of the list, which the reader takes for an error.
    let _ = serde_json::Deserializer::from_str(turns).deserialize_seq(UntilUser { turns, end: &mut end });
    end
}

struct UntilUser<'a, 'e> {
    turns: &'a str,
    end: &'e mut Option<usize>,
}

impl<'a> Visitor<'a> for UntilUser<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of turns")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        while let Some(turn) = list.next_element::<&'a RawValue>()? {
            // A Gemini turn without a role is the user's.
            let role = field(turn.get(), "role").map_or(Some(Cow::Borrowed("user")), string);
            if turn.get().starts_with('{') && role.is_some_and(|role| role == "user") {
                *self.end = Some(place(self.turns, turn.get()).end);
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::peek;
    use cliproxy_domain::{Dialect, Operation};

    fn declared(dialect: Dialect, body: &str) -> Option<String> {
        let found = peek(dialect, Operation::Generate, body.as_bytes()).expect(body);
        found.session.declared(body.as_bytes()).map(|name| name.into_owned())
    }

    fn opening(dialect: Dialect, body: &str) -> Option<String> {
        let found = peek(dialect, Operation::Generate, body.as_bytes()).expect(body);
        let opening = found.session.opening(body.as_bytes())?;
        Some(opening.map(|part| String::from_utf8_lossy(part).into_owned()).join("|"))
    }

    #[test]
    fn the_most_telling_field_of_a_dialect_names_the_session() {
        use Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
        let cases = [
            (OpenAiChat, r#"{"model":"m","user":"u","prompt_cache_key":"k"}"#, Some("k")),
            (OpenAiChat, r#"{"model":"m","user":"\u0075"}"#, Some("u")),
            (OpenAiChat, r#"{"model":"m","metadata":{"user_id":"u"}}"#, None),
            (OpenAiChat, r#"{"model":"m","prompt_cache_key":"","user":7}"#, None),
            (OpenAiResponses, r#"{"model":"m","previous_response_id":"r","conversation":"c"}"#, Some("c")),
            (OpenAiResponses, r#"{"model":"m","user":"u","conversation":{"id":"c"}}"#, Some("c")),
            (OpenAiResponses, r#"{"model":"m","user":"u","conversation":null}"#, Some("u")),
            (OpenAiResponses, r#"{"model":"m","previous_response_id":"r","user":"u"}"#, Some("r")),
            (Anthropic, r#"{"model":"m","metadata":{"x":[1],"user_id":"u"}}"#, Some("u")),
            (Anthropic, r#"{"model":"m","metadata":{"user_id":null},"user":"x"}"#, None),
            (Gemini, r#"{"cachedContent":"cachedContents/1"}"#, Some("cachedContents/1")),
            (Gemini, r#"{"cached_content":"c","requests":[{"cachedContent":"x"}]}"#, Some("c")),
        ];
        for (dialect, body, expected) in cases {
            assert_eq!(declared(dialect, body).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_conversation_opens_with_its_instructions_and_the_users_first_turn() {
        use Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
        let cases = [
            (
                OpenAiChat,
                r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"user"}]}"#,
                Some(r#"|[{"role":"system","content":"s"},{"role":"user","content":"a"}"#),
            ),
            (OpenAiChat, r#"{"model":"m","messages":[{"role":"system"}]}"#, None),
            (OpenAiChat, r#"{"model":"m","messages":[7,null]}"#, None),
            (
                Anthropic,
                r#"{"model":"m","system":[{"text":"s"}],"messages":[{"content":"a","role":"user"}]}"#,
                Some(r#"[{"text":"s"}]|[{"content":"a","role":"user"}"#),
            ),
            (OpenAiResponses, r#"{"model":"m","instructions":"s","input":"a"}"#, Some(r#""s"|"a""#)),
            (
                Gemini,
                r#"{"systemInstruction":{"parts":[]},"contents":[{"parts":[1]},{"role":"user"}]}"#,
                Some(r#"{"parts":[]}|[{"parts":[1]}"#),
            ),
        ];
        for (dialect, body, expected) in cases {
            assert_eq!(opening(dialect, body).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn later_turns_do_not_change_the_opening() {
        let first = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
        let later = r#"{"model":"n","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#;
        assert_eq!(opening(Dialect::OpenAiChat, first), opening(Dialect::OpenAiChat, later));
    }
}
