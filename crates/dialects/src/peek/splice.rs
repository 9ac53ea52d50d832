//! Putting another model's name into a body, and changing nothing else.

use bytes::Bytes;
use std::{borrow::Cow, ops::Range};

/// Replaces the model names at `spans`, which [`peek`](super::peek) found in this very body, and nothing else.
///
/// `name` gets each old name with its escapes resolved (empty when they make no text) and gives the new one. The
/// body is copied once, however many names it has. Spans that do not lie within the body one after the other leave
/// it as it is, and so does an empty list, which copies nothing.
pub fn replace_models<'n>(
    body: &Bytes,
    spans: &[Range<usize>],
    mut name: impl FnMut(&str) -> Cow<'n, str>,
) -> Bytes {
    if spans.is_empty() {
        return body.clone();
    }
    // Two quotes and a name that is a little longer; escapes are rare in model names.
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut passed = 0;
    for span in spans {
        let (Some(between), Some(literal)) = (body.get(passed..span.start), body.get(span.clone())) else {
            return body.clone();
        };
        let old: String = serde_json::from_slice(literal).unwrap_or_default();
        out.extend_from_slice(between);
        crate::json::push(&mut out, &*name(&old));
        passed = span.end;
    }
    out.extend_from_slice(&body[passed..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, peek};
    use cliproxy_domain::{Dialect, Operation};
    use proptest::prelude::*;

    fn replaced(body: &Bytes, spans: &[Range<usize>], name: &str) -> Bytes {
        replace_models(body, spans, |_| Cow::Borrowed(name))
    }

    #[test]
    fn replacing_the_model_changes_nothing_else() {
        for name in ["openai-chat/forward-compat.request.json", "anthropic/text.request.json"] {
            let body = Bytes::from(fixtures::read(name));
            let found = peek(Dialect::OpenAiChat, Operation::Generate, &body).expect("good");
            let literal = format!("{:?}", found.model.expect("named").name);
            let expected = String::from_utf8(body.to_vec()).expect("UTF-8").replacen(
                &literal,
                r#""new \"é\" \u0001""#,
                1,
            );
            assert_eq!(replaced(&body, &found.model_spans, "new \"é\" \u{1}"), expected, "{name}");
        }
    }

    #[test]
    fn every_repetition_is_replaced_by_what_its_own_old_name_asks_for() {
        let body = Bytes::from_static(
            br#"{"requests":[{"model":"models\/a", "x":1.0e2},{"model":"a"},{"model":"\ud83d"}]}"#,
        );
        let found = peek(Dialect::Gemini, Operation::Embed, &body).expect("good");
        let new = replace_models(&body, &found.model_spans, |old| match old {
            "models/a" => "models/longer".into(),
            "a" => "b".into(),
            other => format!("was {other:?}").into(),
        });
        assert_eq!(
            new,
            r#"{"requests":[{"model":"models/longer", "x":1.0e2},{"model":"b"},{"model":"was \"\""}]}"#
        );
    }

    #[test]
    fn spans_of_another_body_change_nothing() {
        let body = Bytes::from_static(b"{\"model\":\"m\"}");
        for spans in [vec![(1, 99)], vec![(97, 99)], vec![(9, 12), (9, 12)], vec![(9, 12), (1, 2)]] {
            let spans: Vec<_> = spans.into_iter().map(|(start, end)| start..end).collect();
            assert_eq!(replaced(&body, &spans, "n"), body, "{spans:?}");
        }
    }

    #[test]
    fn a_body_without_spans_is_not_copied() {
        let body = Bytes::from(fixtures::read("gemini/text.request.json"));
        assert_eq!(replaced(&body, &[], "n").as_ptr(), body.as_ptr());
    }

    proptest! {
        #[test]
        fn a_replaced_model_reads_back(name in ".{1,40}", other in ".{0,20}") {
            let body = Bytes::from(serde_json::json!({"a": other, "model": "old", "z": [other]}).to_string());
            let found = peek(Dialect::OpenAiChat, Operation::Generate, &body).expect("good");
            let new = replaced(&body, &found.model_spans, &name);
            let again = peek(Dialect::Anthropic, Operation::Generate, &new).expect("good");
            prop_assert_eq!(again.model.expect("named").name, name);
        }
    }
}
