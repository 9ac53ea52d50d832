//! JSON that is handed on as text: arguments keep the spelling of their numbers.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// Gives the text of a JSON object without white space; none when it is no object. An empty text stands for the
/// arguments of a call that takes none.
pub(super) fn object(text: &str) -> Option<Cow<'_, str>> {
    if text.trim_ascii().is_empty() {
        return Some(Cow::Borrowed("{}"));
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    raw.get().starts_with('{').then(|| compact(raw.get()))
}

/// Takes the white space out of valid JSON text.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut out: Option<Vec<u8>> = None;
    let (mut in_string, mut escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            out.get_or_insert_with(|| bytes.iter().copied().take(at).collect());
            continue;
        } else {
            in_string = byte == b'"';
        }
        if let Some(out) = &mut out {
            out.push(byte);
        }
    }
    // Only ASCII was taken out, so that what is left is still UTF-8.
    match out.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_and_strings_and_numbers_stay() {
        let text = "{ \"a b\" : [1 ,\n 12345678901234567890123, 1.0] , \"c\\\\\" : \"é \\\" \" }";
        let expected = "{\"a b\":[1,12345678901234567890123,1.0],\"c\\\\\":\"é \\\" \"}";
        assert_eq!(object(text).unwrap(), expected);
        assert!(matches!(object(expected), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn only_objects_are_arguments_and_nothing_is_an_empty_one() {
        assert_eq!(object(" ").unwrap(), "{}");
        for text in ["[]", "1", "\"{}\"", "{\"a\":", "{} {}", "null"] {
            assert_eq!(object(text), None, "{text}");
        }
    }
}
