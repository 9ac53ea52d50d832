//! OpenAI Responses: what is open is ended part by part and item by item, then comes `response.incomplete` with the
//! whole response.

mod item;

use crate::json::Object;
use cliproxy_domain::TokenUsage;
use item::Item;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use std::collections::BTreeMap;

/// Of the response as it was announced, so much is repeated at its end.
const MAX_ANNOUNCED: usize = 64 * 1024;
/// Of the items so much is kept; of an answer with more, the end repeats none.
const MAX_KEPT: usize = 1024 * 1024;

/// The response as announced, and its items.
#[derive(Debug, Default)]
pub(in crate::passthrough) struct Follower {
    response: Map<String, Value>,
    items: BTreeMap<u64, Item>,
    next: u64,
    kept: usize,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: Option<&'a str>,
    sequence_number: Option<u64>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    part: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
}

impl Follower {
    pub(super) fn event(&mut self, data: &[u8]) -> usize {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else { return 0 };
        self.next = event.sequence_number.unwrap_or(self.next).saturating_add(1);
        let kind = event.r#type.unwrap_or_default();
        if kind == "response.created" {
            self.announced(event.response);
            return 0;
        }
        let Some(place) = event.output_index else { return 0 };
        let part = event.content_index.or(event.summary_index).unwrap_or(0);
        let size = [event.item, event.part, event.delta].into_iter().flatten().map(|raw| raw.get().len());
        self.kept = self.kept.saturating_add(size.sum());
        let room = self.kept <= MAX_KEPT;
        match kind {
            "response.output_item.added" if room => {
                if let Some(item) = Item::added(event.item) {
                    self.items.insert(place, item);
                }
            }
            "response.output_item.done" => match (room, self.items.get_mut(&place)) {
                (true, Some(item)) => item.done(event.item),
                _ => _ = self.items.remove(&place),
            },
            _ => {
                let item = self.items.get_mut(&place);
                let bytes = super::said(event.delta);
                if let Some(item) = item {
                    item.event(kind, part, event.delta.filter(|_| room), event.part);
                }
                return bytes;
            }
        }
        0
    }

    fn announced(&mut self, response: Option<&RawValue>) {
        let small = response.filter(|response| response.get().len() <= MAX_ANNOUNCED);
        self.response = small.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    }

    pub(super) fn end(&self, usage: &TokenUsage, out: &mut Vec<u8>) {
        let mut writer = Writer { next: self.next, out };
        let mut output = Vec::new();
        let whole = self.kept <= MAX_KEPT;
        for (place, item) in &self.items {
            let item = item.end(*place, whole, &mut writer);
            output.push(item);
        }
        let mut response = self.response.clone();
        response.entry("id").or_insert_with(|| json!(""));
        response.insert("object".to_owned(), json!("response"));
        response.entry("created_at").or_insert_with(|| json!(0));
        response.insert("status".to_owned(), json!("incomplete"));
        response.insert("error".to_owned(), Value::Null);
        response.insert("incomplete_details".to_owned(), json!({"reason": "max_output_tokens"}));
        response.insert("output".to_owned(), if whole { Value::Array(output) } else { json!([]) });
        response.insert("usage".to_owned(), told(usage));
        for (name, value) in
            [("parallel_tool_calls", json!(true)), ("tool_choice", json!("auto")), ("tools", json!([]))]
        {
            response.entry(name).or_insert(value);
        }
        writer.write("response.incomplete", |event| _ = event.field("response", &response));
    }
}

fn told(usage: &TokenUsage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}

/// Writes events; each has the next number.
struct Writer<'o> {
    next: u64,
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn write(&mut self, kind: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.out.extend_from_slice(b"event: ");
        self.out.extend_from_slice(kind.as_bytes());
        self.out.extend_from_slice(b"\ndata: ");
        let mut event = Object::new(self.out);
        event.field("type", kind).field("sequence_number", &self.next);
        fields(&mut event);
        drop(event);
        self.out.extend_from_slice(b"\n\n");
        self.next = self.next.saturating_add(1);
    }
}
