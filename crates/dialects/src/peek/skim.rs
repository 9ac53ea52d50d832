//! The quick way over a body: finds its top-level fields and steps over their values without reading them.
//!
//! Most bytes of a request are text that routing has no interest in, and a vectorised search for the end of a
//! string passes over them several times faster than a parser does. It says yes only to what is JSON; whatever is
//! odd in any way, wrong or merely rare, is left to the parser, which then finds the words for it.

use memchr::memchr2;
use std::ops::Range;

/// Nesting that is followed; the parser gives up at the same depth.
const MAX_DEPTH: u32 = 127;

/// Calls `field` with the name, without quotes, and the place of the value of each top-level field, in order.
///
/// `None` when the body is not plainly one JSON object, when a top-level name has escapes, or when `field` gives
/// `None`: ask the parser.
pub(super) fn fields<'a>(
    body: &'a str,
    mut field: impl FnMut(&'a str, Range<usize>) -> Option<()>,
) -> Option<()> {
    let bytes = body.as_bytes();
    let mut at = space(bytes, 0);
    at = space(bytes, expect(bytes, at, b'{')?);
    if bytes.get(at) == Some(&b'}') {
        return ended(bytes, at + 1);
    }
    loop {
        let start = expect(bytes, at, b'"')?;
        let end = start + memchr2(b'"', b'\\', bytes.get(start..)?)?;
        if bytes[end] == b'\\' {
            return None;
        }
        let value = space(bytes, expect(bytes, space(bytes, end + 1), b':')?);
        let after = value_end(bytes, value)?;
        field(body.get(start..end)?, value..after)?;
        at = space(bytes, after);
        match bytes.get(at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return ended(bytes, at + 1),
            _ => return None,
        }
    }
}

fn ended(bytes: &[u8], at: usize) -> Option<()> {
    (space(bytes, at) == bytes.len()).then_some(())
}

fn expect(bytes: &[u8], at: usize, wanted: u8) -> Option<usize> {
    (*bytes.get(at)? == wanted).then_some(at + 1)
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Containers that are open, innermost last; a set bit is an object.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn enter(&mut self, object: bool) -> Option<()> {
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        (self.depth < MAX_DEPTH).then_some(())
    }

    fn leave(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// Steps over one value; gives where it ends.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = Open::default();
    loop {
        at = space(bytes, at);
        match bytes.get(at)? {
            b'{' => {
                open.enter(true)?;
                at = space(bytes, at + 1);
                if bytes.get(at) != Some(&b'}') {
                    at = name_end(bytes, at)?;
                    continue;
                }
            }
            b'[' => {
                open.enter(false)?;
                at = space(bytes, at + 1);
                if bytes.get(at) != Some(&b']') {
                    continue;
                }
            }
            b'"' => at = string_end(bytes, at)?,
            b'-' | b'0'..=b'9' => at = number_end(bytes, at)?,
            b't' => at = literal_end(bytes, at, b"true")?,
            b'f' => at = literal_end(bytes, at, b"false")?,
            b'n' => at = literal_end(bytes, at, b"null")?,
            _ => return None,
        }
        // A value has ended, or an empty container is about to: close what ends here, then go on to the next value.
        loop {
            if open.depth == 0 {
                return Some(at);
            }
            at = space(bytes, at);
            match (bytes.get(at)?, open.in_object()) {
                (b',', true) => {
                    at = name_end(bytes, space(bytes, at + 1))?;
                    break;
                }
                (b',', false) => {
                    at += 1;
                    break;
                }
                (b'}', true) | (b']', false) => {
                    open.leave();
                    at += 1;
                }
                _ => return None,
            }
        }
    }
}

/// Steps over a field's name and its colon.
fn name_end(bytes: &[u8], at: usize) -> Option<usize> {
    expect(bytes, at, b'"')?;
    expect(bytes, space(bytes, string_end(bytes, at)?), b':')
}

/// Steps over a string that begins at its opening quote.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let found = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[from..found].iter().any(|byte| *byte < b' ') {
            return None;
        }
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        from = match bytes.get(found + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => found + 2,
            // Pairs of surrogates have rules of their own; they matter to nobody who steps over them.
            b'u' if bytes.get(found + 2..found + 6)?.iter().all(u8::is_ascii_hexdigit) => found + 6,
            _ => return None,
        };
    }
}

fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > start).then_some(at)
    };
    let whole = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut end = if bytes.get(whole) == Some(&b'0') { whole + 1 } else { digits(whole)? };
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1;
        end += usize::from(matches!(bytes.get(end), Some(b'+' | b'-')));
        end = digits(end)?;
    }
    Some(end)
}

fn literal_end(bytes: &[u8], at: usize, literal: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(literal).then_some(at + literal.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use std::collections::BTreeMap;

    fn found(body: &str) -> Option<Vec<(&str, &str)>> {
        let mut all = Vec::new();
        fields(body, |name, place| {
            all.push((name, &body[place]));
            Some(())
        })?;
        Some(all)
    }

    #[test]
    fn top_level_fields_are_found_with_their_values() {
        let body = " { \"a\" : [1, {\"model\": \"no\"}, \"}\\\"\"] ,\"model\":\"x\\n\", \"e\":{}, \"f\":[ ], \"n\":-0.5e+3 } ";
        let expected = [
            ("a", "[1, {\"model\": \"no\"}, \"}\\\"\"]"),
            ("model", "\"x\\n\""),
            ("e", "{}"),
            ("f", "[ ]"),
            ("n", "-0.5e+3"),
        ];
        assert_eq!(found(body).unwrap(), expected);
        assert_eq!(found("{}").unwrap(), []);
    }

    #[test]
    fn what_is_odd_is_left_to_the_parser() {
        let odd = [
            "",
            "[]",
            "{",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":[1,]}",
            "{\"a\":{]}",
            "{\"a\":[}]}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\u{1}\"}",
            "{\"\\u0061\":1}",
            "{\"a\":\"b",
        ];
        for body in odd {
            assert_eq!(found(body), None, "{body:?}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(found(&deep), None);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(|n| (f64::from(n) / 8.0).into()),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map("[a-z\"\\\\]{0,6}", inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_where_the_parser_finds_them(
            object in proptest::collection::btree_map("[a-z]{0,6}", json(), 0..6),
            pretty in any::<bool>(),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let found: BTreeMap<_, _> = found(&text).unwrap().into_iter().collect();
            prop_assert_eq!(found.len(), object.len());
            for (name, value) in &object {
                let read: serde_json::Value = serde_json::from_str(found[name.as_str()]).unwrap();
                prop_assert_eq!(&read.to_string(), &value.to_string());
            }
        }

        #[test]
        fn nothing_is_taken_that_the_parser_refuses(
            object in proptest::collection::btree_map("[a-z]{0,3}", json(), 0..4),
            at in any::<proptest::sample::Index>(),
            with in proptest::sample::select(&b"{}[]\",:\\0-.eEtfn \n\x01u"[..]),
            cut in any::<bool>(),
        ) {
            let mut text = serde_json::to_string(&object).unwrap();
            let at = at.index(text.len());
            prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(at + 1));
            if cut { text.remove(at); } else { text.replace_range(at..=at, std::str::from_utf8(&[with]).unwrap()); }
            if found(&text).is_some() {
                prop_assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
            }
        }
    }
}
