//! Ids of tool calls, rewritten where a dialect would refuse them: by a pure function, so that a history that is
//! sent again maps the same (`golden/tool-ids.json`).

use cliproxy_domain::Dialect;
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, collections::BTreeSet};

/// Characters of an id at most, for OpenAI.
pub(crate) const OPENAI_MAX: usize = 64;

/// Gives the id as `dialect` takes it, with at most `max` characters where it has a limit (Anthropic has none).
pub(crate) fn fitted(id: &str, dialect: Dialect, max: usize) -> Cow<'_, str> {
    let max = if dialect == Dialect::Anthropic { usize::MAX } else { max };
    let sound = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if sound && id.len() <= max {
        return Cow::Borrowed(id);
    }
    let suffix = hex::encode(&Sha256::digest(id.as_bytes())[..4]);
    let kept = max.min(OPENAI_MAX.max(id.len())).saturating_sub(suffix.len() + 1);
    let mut fitted: String = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(kept.min(if sound { max } else { OPENAI_MAX - 9 }))
        .collect();
    fitted.push('_');
    fitted.push_str(&suffix);
    Cow::Owned(fitted)
}

/// Makes the id of a call to which the provider gave none, from the answer's id and the call's number in it.
pub(crate) fn made(answer: &str, ordinal: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(answer.as_bytes());
    hash.update(ordinal.to_be_bytes());
    format!("call_{}", hex::encode(&hash.finalize()[..12]))
}

/// Gives the id of a call of a later part of an answer: its own, or another where a call of an earlier part has that.
/// Parts come on requests of their own, and a provider may number the calls of each from the beginning.
pub(crate) fn of_later_part<'i>(id: Cow<'i, str>, earlier: &BTreeSet<String>) -> Cow<'i, str> {
    if !earlier.contains(&*id) {
        return id;
    }
    let other = (0..=u32::MAX).map(|ordinal| made(&id, ordinal)).find(|other| !earlier.contains(other));
    other.map_or(id, Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fitted_as_the_golden_table_says() {
        let table: serde_json::Value =
            serde_json::from_slice(&crate::fixtures::read("golden/tool-ids.json")).unwrap();
        for case in table["cases"].as_array().unwrap() {
            let id = case["id"].as_str().unwrap();
            assert_eq!(fitted(id, Dialect::Anthropic, 64), case["to_anthropic"].as_str().unwrap());
            assert_eq!(fitted(id, Dialect::OpenAiChat, 64), case["to_openai"].as_str().unwrap());
        }
    }

    #[test]
    fn every_fitted_id_is_sound_and_stays_as_it_is() {
        for id in ["", "é", "a b", &"x".repeat(200), &"ü/".repeat(90), "call_1"] {
            for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic] {
                for max in [40, 64] {
                    let once = fitted(id, dialect, max).into_owned();
                    assert!(
                        !once.is_empty()
                            && once.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
                    );
                    assert!(dialect == Dialect::Anthropic || once.len() <= max, "{once}");
                    assert_eq!(fitted(&once, dialect, max), once);
                }
            }
        }
    }

    #[test]
    fn made_ids_differ_by_answer_and_ordinal_and_never_by_chance() {
        assert_eq!(made("r1", 0), made("r1", 0));
        assert_ne!(made("r1", 0), made("r1", 1));
        assert_ne!(made("r1", 0), made("r2", 0));
        assert_eq!(made("r1", 0).len(), "call_".len() + 24);
    }

    #[test]
    fn a_later_part_keeps_its_ids_unless_an_earlier_one_has_them() {
        let mut earlier = BTreeSet::from(["a".to_owned()]);
        assert_eq!(of_later_part("b".into(), &earlier), "b");
        let second = of_later_part("a".into(), &earlier).into_owned();
        earlier.insert(second.clone());
        let third = of_later_part("a".into(), &earlier).into_owned();
        assert!(second != "a" && third != "a" && third != second, "{second} {third}");
        assert_eq!(of_later_part("a".into(), &BTreeSet::from(["a".to_owned()])), second, "the same again");
    }
}
