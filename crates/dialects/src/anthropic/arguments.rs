//! Arguments of calls: text in the form, an object in whole messages.

use serde_json::value::RawValue;

/// Tells whether a text is one JSON object.
pub(super) fn is_object(json: &str) -> bool {
    serde_json::from_str::<&RawValue>(json).is_ok_and(|raw| raw.get().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_one_and_nothing_else() {
        assert!(is_object("{}") && is_object(" {\"a\": [1]}\n"));
        for other in ["", "{", "[]", "7", "{} {}", "null"] {
            assert!(!is_object(other), "{other}");
        }
    }
}
