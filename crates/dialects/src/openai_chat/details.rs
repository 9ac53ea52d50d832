//! OpenRouter's `reasoning_details`: what a model thought, and signatures and ciphertexts that must come back with it.

use super::CHAT;
use crate::{
    form::{Opaque, State},
    json,
};
use serde_json::{Map, Value, value::RawValue};

/// Bytes of one turn's details that are kept at most. Without them the next turn reasons anew.
const MAX_KEPT: usize = 16 * 1024;

/// Collects details, whole or fragment by fragment.
#[derive(Debug, Default)]
pub(super) struct Details {
    entries: Vec<Map<String, Value>>,
    kept: usize,
}

impl Details {
    /// Takes a list of details or of fragments of them, and gives the text that they hold.
    pub(super) fn take(&mut self, raw: &RawValue) -> String {
        let list: Vec<Map<String, Value>> = json::read(raw.get().as_bytes()).unwrap_or_default();
        let mut said = String::new();
        self.kept = self.kept.saturating_add(raw.get().len());
        for entry in list {
            for key in ["text", "summary"] {
                said.push_str(entry.get(key).and_then(Value::as_str).unwrap_or_default());
            }
            self.keep(entry);
        }
        if self.kept > MAX_KEPT {
            self.entries.clear();
        }
        said
    }

    /// Adds an entry, or a fragment to the entry of the same number and type.
    fn keep(&mut self, entry: Map<String, Value>) {
        if self.kept > MAX_KEPT {
            return;
        }
        let same = |known: &&mut Map<String, Value>| {
            entry.get("index").is_some_and(|index| !index.is_null())
                && known.get("index") == entry.get("index")
                && known.get("type") == entry.get("type")
        };
        let Some(known) = self.entries.iter_mut().find(same) else {
            self.entries.push(entry);
            return;
        };
        for (name, value) in entry {
            let grows = matches!(name.as_str(), "text" | "summary" | "data" | "signature");
            match (known.get_mut(&name), value) {
                (_, Value::Null) => {}
                (Some(Value::String(before)), Value::String(more)) if grows => before.push_str(&more),
                (Some(before), value) if before.is_null() => *before = value,
                (Some(_), _) => {}
                (None, value) => {
                    known.insert(name, value);
                }
            }
        }
    }

    /// Gives what must come back to the server, if anything must: text alone says nothing new.
    pub(super) fn take_state(&mut self) -> Option<Opaque> {
        let entries = std::mem::take(&mut self.entries);
        self.kept = 0;
        let bound = |entry: &Map<String, Value>| {
            ["signature", "data"].iter().any(|key| entry.get(*key).is_some_and(Value::is_string))
        };
        let list = || Value::Array(entries.iter().cloned().map(Value::Object).collect());
        entries.iter().any(bound).then(|| Opaque::Native(State::native(CHAT, list().to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn take(details: &mut Details, value: Value) -> String {
        details.take(&RawValue::from_string(value.to_string()).unwrap())
    }

    #[test]
    fn fragments_of_one_entry_come_back_as_one() {
        let mut details = Details::default();
        let text = |text: &str| json!([{"type": "reasoning.text", "index": 0, "text": text, "format": "x"}]);
        assert_eq!(take(&mut details, text("Try ")), "Try ");
        assert_eq!(take(&mut details, text("7.")), "7.");
        take(&mut details, json!([{"type": "reasoning.text", "index": 0, "signature": "c2ln"}]));
        take(&mut details, json!([{"type": "reasoning.encrypted", "index": 1, "data": "ZGF0YQ=="}]));
        let Some(Opaque::Native(state)) = details.take_state() else { panic!("no state") };
        let expected = json!([
            {"type": "reasoning.text", "index": 0, "text": "Try 7.", "format": "x", "signature": "c2ln"},
            {"type": "reasoning.encrypted", "index": 1, "data": "ZGF0YQ=="}
        ]);
        assert_eq!(serde_json::from_str::<Value>(&state.payload).unwrap(), expected);
        assert_eq!(details.take_state(), None, "it was taken");
    }

    #[test]
    fn text_alone_is_no_state() {
        let mut details = Details::default();
        assert_eq!(take(&mut details, json!([{"type": "reasoning.summary", "summary": "Short."}])), "Short.");
        assert_eq!(details.take_state(), None);
    }

    #[test]
    fn more_than_is_kept_is_not_kept_at_all() {
        let mut details = Details::default();
        for _ in 0..100 {
            take(&mut details, json!([{"type": "reasoning.encrypted", "data": "x".repeat(1000)}]));
        }
        assert_eq!(details.take_state(), None);
    }
}
