//! One item of a response while it grows, and its end.

use super::Writer;
use serde_json::{Map, Value, json, value::RawValue};
use std::collections::BTreeMap;

/// An item as it was announced, with what was said of it since.
#[derive(Debug)]
pub(super) struct Item {
    announced: Map<String, Value>,
    /// There once it is at its end.
    done: Option<Value>,
    parts: BTreeMap<u64, Part>,
    /// The arguments of a call, or its free input.
    input: String,
    /// The whole of the input was told.
    input_told: bool,
}

/// A part of an item.
#[derive(Debug, Default)]
struct Part {
    kind: PartKind,
    text: String,
    /// Its text was told as a whole.
    text_told: bool,
    /// The part as it was told at its end.
    done: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PartKind {
    #[default]
    Text,
    Refusal,
    Reasoning,
    Summary,
}

impl PartKind {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind.strip_prefix("response.")?.split_once('.')?.0 {
            "output_text" => Self::Text,
            "refusal" => Self::Refusal,
            "reasoning_text" => Self::Reasoning,
            "reasoning_summary_text" => Self::Summary,
            _ => return None,
        })
    }

    /// Gives the stem of the events that tell of its text, and the name of the text in its part.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text", "output_text", "text"),
            Self::Refusal => ("response.refusal", "refusal", "refusal"),
            Self::Reasoning => ("response.reasoning_text", "reasoning_text", "text"),
            Self::Summary => ("response.reasoning_summary_text", "summary_text", "text"),
        }
    }
}

impl Item {
    pub(super) fn added(item: Option<&RawValue>) -> Option<Self> {
        let announced = serde_json::from_str(item?.get()).ok()?;
        let parts = BTreeMap::new();
        Some(Self { announced, done: None, parts, input: String::new(), input_told: false })
    }

    pub(super) fn done(&mut self, item: Option<&RawValue>) {
        self.done = item.and_then(|item| serde_json::from_str(item.get()).ok());
        self.parts.clear();
        self.input.clear();
    }

    /// Takes note of an event within the item; `delta` is none where there is no room for it.
    pub(super) fn event(
        &mut self,
        kind: &str,
        part: u64,
        delta: Option<&RawValue>,
        ended: Option<&RawValue>,
    ) {
        let text = || -> String {
            delta.and_then(|delta| serde_json::from_str(delta.get()).ok()).unwrap_or_default()
        };
        match kind {
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.input.push_str(&text());
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                self.input_told = true;
            }
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                let done = ended.and_then(|ended| serde_json::from_str(ended.get()).ok());
                self.parts.entry(part).or_default().done = done;
            }
            kind => {
                let Some(said) = PartKind::of(kind) else { return };
                let part = self.parts.entry(part).or_default();
                part.kind = said;
                match kind.rsplit('.').next() {
                    Some("delta") => part.text.push_str(&text()),
                    Some("done") => part.text_told = true,
                    _ => {}
                }
            }
        }
    }

    /// Tells the end of what is open, and gives the item as it then is. Where not the `whole` of it was kept, what was
    /// said before is not said again.
    pub(super) fn end(&self, place: u64, whole: bool, writer: &mut Writer<'_>) -> Value {
        if let Some(done) = &self.done {
            return done.clone();
        }
        let id = self.announced.get("id").cloned().unwrap_or_else(|| json!(""));
        let mut item = self.announced.clone();
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (number, part) in &self.parts {
            let list = if part.kind == PartKind::Summary { "summary" } else { "content" };
            lists.entry(list).or_default().push(part.end(&id, place, *number, whole, writer));
        }
        for (name, list) in lists {
            item.insert(name.to_owned(), Value::Array(list));
        }
        self.end_input(&id, place, &mut item, writer);
        item.insert("status".to_owned(), json!("incomplete"));
        writer.write("response.output_item.done", |event| {
            event.field("output_index", &place).field("item", &item);
        });
        Value::Object(item)
    }

    fn end_input(&self, id: &Value, place: u64, item: &mut Map<String, Value>, writer: &mut Writer<'_>) {
        let (name, kind) = match item.get("type").and_then(Value::as_str) {
            Some("function_call") => ("arguments", "response.function_call_arguments.done"),
            Some("custom_tool_call") => ("input", "response.custom_tool_call_input.done"),
            _ => return,
        };
        item.insert(name.to_owned(), json!(self.input));
        if self.input_told {
            return;
        }
        writer.write(kind, |event| {
            event.field("item_id", id).field("output_index", &place);
            if let (Some(called), "arguments") = (item.get("name"), name) {
                event.field("name", called);
            }
            event.field(name, &self.input);
        });
    }
}

impl Part {
    fn end(&self, id: &Value, place: u64, number: u64, whole: bool, writer: &mut Writer<'_>) -> Value {
        if let Some(done) = &self.done {
            return done.clone();
        }
        let (stem, kind, name) = self.kind.words();
        let index = if self.kind == PartKind::Summary { "summary_index" } else { "content_index" };
        let text = if whole { self.text.as_str() } else { "" };
        let mut part = Map::new();
        part.insert("type".to_owned(), json!(kind));
        part.insert(name.to_owned(), json!(text));
        if self.kind == PartKind::Text {
            part.insert("annotations".to_owned(), json!([]));
            part.insert("logprobs".to_owned(), json!([]));
        }
        if !self.text_told && whole {
            writer.write(&format!("{stem}.done"), |event| {
                event.field("item_id", id).field("output_index", &place).field(index, &number);
                event.field(name, text);
                if self.kind == PartKind::Text {
                    event.raw("logprobs", "[]");
                }
            });
        }
        let ended = match self.kind {
            PartKind::Summary => "response.reasoning_summary_part.done",
            _ => "response.content_part.done",
        };
        writer.write(ended, |event| {
            event.field("item_id", id).field("output_index", &place).field(index, &number);
            event.field("part", &part);
        });
        Value::Object(part)
    }
}
