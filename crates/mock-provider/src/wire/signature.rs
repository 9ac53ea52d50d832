//! Signatures of thoughts and calls. A provider's are opaque; the mock's can be checked by the mock: they hold a
//! hash of what they stand on, so that a signature that is altered, moved or made up is known.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// What a signature stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// A thinking block of Anthropic's: its text.
    Thinking,
    /// A function call of Gemini's: its name and arguments.
    Call,
    /// A text part of Gemini's; providers do not bind it to the text.
    Text,
    /// A reasoning item of Responses: its id.
    Item,
}

impl On {
    fn word(self) -> &'static str {
        match self {
            On::Thinking => "thinking",
            On::Call => "call",
            On::Text => "text",
            On::Item => "item",
        }
    }
}

/// Signs `content`.
pub(crate) fn sign(on: On, content: &str) -> String {
    let hash = xxh3_64(content.as_bytes());
    STANDARD.encode(format!("mock-provider/{}/{hash:016x}", on.word()))
}

/// Tells whether `signature` is the one of `content`.
pub(crate) fn holds(signature: &str, on: On, content: &str) -> bool {
    signature == sign(on, content)
}

/// Writes a function call as its signature sees it: whatever the order of the arguments' keys.
pub(crate) fn call_content(name: &str, arguments: &Value) -> String {
    let mut content = format!("{name}\n");
    canonical(arguments, &mut content);
    content
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, value) in fields {
                out.push_str(name);
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
        }
        Value::Array(elements) => {
            for element in elements {
                canonical(element, out);
                out.push(';');
            }
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_signature_holds_for_its_own_content_alone() {
        let signature = sign(On::Thinking, "so it is");
        assert!(holds(&signature, On::Thinking, "so it is"));
        assert!(!holds(&signature, On::Thinking, "so it is "));
        assert!(!holds(&signature, On::Call, "so it is"));
    }

    #[test]
    fn the_order_of_arguments_does_not_matter_to_a_calls_signature() {
        let content = |arguments| call_content("f", &arguments);
        assert_eq!(
            content(json!({"a": 1, "b": [2, {"c": 3}]})),
            content(json!({"b": [2, {"c": 3}], "a": 1}))
        );
        assert_ne!(content(json!({"a": 1})), content(json!({"a": "1"})));
    }
}
