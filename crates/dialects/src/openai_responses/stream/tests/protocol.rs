//! What the official accumulator asks of a stream, and what the grammar of its events says.

use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default)]
struct Item {
    announced: Value,
    /// The text of each part, by its index.
    texts: BTreeMap<u64, String>,
    open: Option<u64>,
    done: Option<Value>,
}

/// Fails unless the events are a whole stream as the official accumulator reads it.
#[track_caller]
pub(super) fn assert_official(events: &[Value]) {
    let mut items: Vec<Item> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let kind = event["type"].as_str().unwrap().strip_prefix("response.").expect("a response event");
        match (number, kind) {
            (0, "created") | (1, "in_progress") => {
                assert_eq!(event["response"]["status"], "in_progress");
                assert_eq!(event["response"]["output"], json!([]));
            }
            (_, "completed" | "incomplete") => {
                assert_eq!(number + 1, events.len(), "nothing comes after the end");
                assert_eq!(event["response"]["id"], events[0]["response"]["id"]);
                assert_eq!(event["response"]["status"], kind);
                let done: Vec<_> =
                    items.iter().map(|item| item.done.clone().expect("each item is done")).collect();
                assert_eq!(event["response"]["output"], json!(done), "the final object holds the items");
            }
            (_, "output_item.added") => {
                assert_eq!(event["output_index"], items.len(), "announced once and in order");
                items.push(Item { announced: event["item"].clone(), ..Item::default() });
            }
            _ => {
                let at = event["output_index"].as_u64().expect("an index") as usize;
                let item = items.get_mut(at).unwrap_or_else(|| panic!("it was not announced: {event}"));
                assert!(item.done.is_none(), "the item is done: {event}");
                item.event(kind, event);
            }
        }
    }
    let last = events.last().expect("events")["type"].as_str().unwrap();
    assert!(matches!(last, "response.completed" | "response.incomplete"), "{last}");
}

impl Item {
    #[track_caller]
    fn event(&mut self, kind: &str, event: &Value) {
        if kind == "output_item.done" {
            assert_eq!(self.open, None, "a part is open");
            for name in ["type", "id", "call_id", "name"] {
                assert_eq!(event["item"].get(name), self.announced.get(name), "{name}");
            }
            self.done = Some(event["item"].clone());
            return;
        }
        if !kind.contains('.') || event.get("item_id").is_none() {
            return;
        }
        assert_eq!(event["item_id"], self.announced["id"]);
        let place = event.get("content_index").or_else(|| event.get("summary_index"));
        let place = place.map_or(0, |place| place.as_u64().unwrap());
        let is_call = self.announced["type"].as_str().unwrap().ends_with("_call");
        match kind.split_once('.').unwrap().1 {
            "added" if kind.contains("annotation") => assert_eq!(self.open, Some(place)),
            "added" => {
                assert_eq!((self.open, self.texts.len() as u64), (None, place), "parts come in order");
                self.open = Some(place);
                self.texts.insert(place, String::new());
            }
            "delta" => {
                assert!(is_call || self.open == Some(place), "{event}");
                self.texts.entry(place).or_default().push_str(event["delta"].as_str().unwrap());
            }
            "done" if kind.contains("part") => assert_eq!(self.open.take(), Some(place)),
            "done" => {
                let whole =
                    ["text", "refusal", "arguments", "input"].iter().find_map(|name| event.get(*name));
                let said = self.texts.get(&place).map_or("", String::as_str);
                assert_eq!(whole.unwrap(), said, "the pieces make the whole");
            }
            _ => {}
        }
    }
}
