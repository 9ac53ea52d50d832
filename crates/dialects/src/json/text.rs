//! Texts of an answer, borrowed from its bytes unless they have escapes.

use super::mended;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A text as a field. An optional `Cow` would be copied always; one in a type of its own is not.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Text<'_> {
    /// Gives a text, empty when there is none.
    pub(crate) fn plain<'t>(text: Option<&'t Text<'_>>) -> &'t str {
        text.map_or("", |text| text.0.as_ref())
    }

    /// Gives a text that says something.
    pub(crate) fn said<'t>(text: &'t Option<Text<'_>>) -> Option<&'t str> {
        text.as_ref().map(|text| &*text.0).filter(|text| !text.is_empty())
    }
}

/// Gives the text of a string; none for anything else. Half of a surrogate pair alone becomes U+FFFD.
pub(crate) fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let json = raw?.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    read(json.as_bytes()).map(Cow::Owned)
}

/// The same, but none for an empty text.
pub(crate) fn some_text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    text(raw).filter(|text| !text.is_empty())
}

/// Reads any value that does not borrow, with halves of surrogate pairs as U+FFFD; none when it is of another shape.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok().or_else(|| serde_json::from_slice(&mended(json)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(json: &str) -> Option<String> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        text(Some(&raw)).map(Cow::into_owned)
    }

    #[test]
    fn a_lone_surrogate_becomes_a_mark_and_the_rest_stays() {
        assert_eq!(text_of(r#""a\ud83d\n\"b\ud83d\ude00""#).unwrap(), "a\u{fffd}\n\"b\u{1f600}");
        assert_eq!(text_of(r#""\ude00é\\""#).unwrap(), "\u{fffd}é\\");
        assert_eq!(text_of(r#""plain""#).unwrap(), "plain");
    }

    #[test]
    fn what_is_no_text_is_none() {
        assert_eq!((text_of("7"), text_of("null"), text_of("[]")), (None, None, None));
    }

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        let read: Vec<Option<Text<'_>>> = serde_json::from_str(r#"["plain", "é\n", null]"#).unwrap();
        assert!(matches!(&read[0], Some(Text(Cow::Borrowed("plain")))));
        assert_eq!((Text::said(&read[1]), Text::plain(read[2].as_ref())), (Some("é\n"), ""));
    }
}
