//! Responses: numbered events, items and parts that are announced, filled and done.

use super::{Event, must, object};
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Default)]
struct Walk {
    numbers: u64,
    announced: u64,
    open: BTreeSet<u64>,
    /// Of an item: the kind of list, and the place in it.
    parts: BTreeSet<(u64, &'static str, u64)>,
    response: Option<Value>,
    over: bool,
}

pub(super) fn check(events: &[Event<'_>], ended: bool) -> Result<(), String> {
    let mut walk = Walk::default();
    for (name, data) in events {
        let event = object(data)?;
        must(event["type"] == *name, format!("the event {name} has another type: {data}"))?;
        walk.event(name, &event).map_err(|complaint| format!("{complaint}: {data}"))?;
    }
    must(!ended || walk.over, "it ended without a terminal event")
}

impl Walk {
    fn event(&mut self, name: &str, event: &Value) -> Result<(), String> {
        must(event["sequence_number"] == self.numbers, "the sequence has a gap")?;
        self.numbers += 1;
        must(!self.over, "something comes after the terminal event")?;
        let name = name.strip_prefix("response.").ok_or("no such event is known")?;
        match (self.numbers, name) {
            (1, "created") | (2, "in_progress") => self.response(event),
            (1 | 2, _) | (_, "created" | "in_progress") => {
                Err("created and in_progress do not come first".to_owned())
            }
            (_, "completed" | "incomplete" | "failed") => {
                self.over = true;
                must(self.open.is_empty(), "an item is not done")?;
                must(event["response"]["status"] == name, "the status is another")?;
                let items = event["response"]["output"].as_array().map_or(0, Vec::len);
                must(name == "failed" || items as u64 == self.announced, "not all items are told again")?;
                self.response(event)
            }
            _ => self.item(name, event),
        }
    }

    fn response(&mut self, event: &Value) -> Result<(), String> {
        let id = &event["response"]["id"];
        must(id.is_string() && self.response.get_or_insert_with(|| id.clone()) == id, "the id changes")
    }

    fn item(&mut self, name: &str, event: &Value) -> Result<(), String> {
        let index = event["output_index"].as_u64().ok_or("an event without output_index")?;
        match name {
            "output_item.added" => {
                must(index == self.announced, "the index has a gap")?;
                self.announced += 1;
                self.open.insert(index);
                Ok(())
            }
            "output_item.done" => {
                must(self.open.remove(&index), "no such item is open")?;
                must(!self.parts.iter().any(|(item, ..)| *item == index), "a part is not done")
            }
            _ => {
                must(self.open.contains(&index), "no such item is open")?;
                self.part(name, index, event)
            }
        }
    }

    fn part(&mut self, name: &str, item: u64, event: &Value) -> Result<(), String> {
        if name.starts_with("function_call_arguments.") || name.starts_with("custom_tool_call_input.") {
            return Ok(());
        }
        let summary = name.starts_with("reasoning_summary");
        let list = if summary { "summary_index" } else { "content_index" };
        let at = event[list].as_u64().ok_or("an event without a place in its list")?;
        let part = (item, list, at);
        match name {
            "content_part.added" | "reasoning_summary_part.added" => {
                must(self.parts.insert(part), "added twice")
            }
            "content_part.done" | "reasoning_summary_part.done" => {
                must(self.parts.remove(&part), "no such part")
            }
            _ => must(self.parts.contains(&part), "no such part is open"),
        }
    }
}
