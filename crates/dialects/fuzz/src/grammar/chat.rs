//! Chat completions: what the official accumulator adds up.

use super::{Event, must, object};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Default)]
struct Choice {
    /// It said something beside its role.
    spoke: bool,
    role: bool,
    calls: u64,
    finished: bool,
}

pub(super) fn check(events: &[Event<'_>], ended: bool) -> Result<(), String> {
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    let mut id = None;
    let (mut usage, mut done) = (false, false);
    for (name, data) in events {
        must(name.is_empty(), "chunks have no names")?;
        must(!done, "something comes after [DONE]")?;
        if *data == "[DONE]" {
            done = true;
            continue;
        }
        let chunk = object(data)?;
        must(!usage, "something comes after the usage")?;
        must(id.get_or_insert_with(|| chunk["id"].clone()) == &chunk["id"], "the id changes")?;
        let told = chunk["choices"].as_array().ok_or_else(|| format!("no choices: {data}"))?;
        usage = chunk["usage"].is_object();
        must(!usage || told.is_empty(), "usage comes with a choice")?;
        for choice in told {
            let index = choice["index"].as_u64().ok_or("a choice without an index")?;
            choices
                .entry(index)
                .or_default()
                .chunk(choice)
                .map_err(|complaint| format!("{complaint}: {data}"))?;
        }
    }
    must(!ended || done, "it ended without [DONE]")?;
    // The first choice is announced before it is known which choices there are.
    let finished = |choice: &Choice| choice.finished || !choice.spoke;
    let any = choices.values().any(|choice| choice.finished);
    must(!ended || (any && choices.values().all(finished)), "a choice has no finish_reason")
}

impl Choice {
    fn chunk(&mut self, choice: &Value) -> Result<(), String> {
        must(!self.finished, "something comes after finish_reason")?;
        self.finished = choice["finish_reason"].is_string();
        let delta = choice["delta"].as_object().ok_or("a choice without a delta")?;
        let role = delta.contains_key("role");
        must(role != self.role, "the role does not come first, and once")?;
        self.spoke |= self.role;
        self.role = true;
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let index = call["index"].as_u64().ok_or("a call without an index")?;
            let first = call.get("id").is_some();
            must(first == call.get("type").is_some(), "the id and the type do not come together")?;
            must(if first { index == self.calls } else { index < self.calls }, "the index has a gap")?;
            self.calls += u64::from(first);
        }
        Ok(())
    }
}
