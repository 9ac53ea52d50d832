//! Writing turns as items.

use super::{OWN, Writer};
use crate::{
    form::{
        Args, Opaque, OutputFormat, Part, PartKind, ReasoningForm, Refused, Role, State, ToolCall,
        ToolResult, Turn,
    },
    json::{Array, Object},
    openai_responses::decode::{is_message_part, role_name},
    tool_ids,
    words::{Word, word},
};

impl Writer<'_> {
    /// Writes `turns`, the first of which is number `first` of the request.
    pub(super) fn items(
        &mut self,
        turns: &[Turn],
        first: usize,
        input: &mut Array<'_>,
    ) -> Result<(), Refused> {
        for (at, turn) in turns.iter().enumerate() {
            self.turn(turn, first + at, input)?;
        }
        if !self.own && self.request.format == Some(OutputFormat::Json) && !self.says_json() {
            // The API refuses JSON mode where the word does not occur in the input.
            self.notes.losses.changed(word(Word::Format, self.request), "emulated")?;
            let mut item = input.object();
            item.field("type", "message").field("role", "developer");
            item.field("content", "Answer with one JSON object and nothing else.");
        }
        let last = turns.last();
        let continues = last.is_some_and(|turn| {
            turn.role == Role::Assistant
                && !turn.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)))
        });
        if !self.own && continues {
            self.notes.losses.changed(self.list(), "continued")?;
            let mut item = input.object();
            item.field("type", "message").field("role", "user").field("content", "(continue)");
        }
        Ok(())
    }

    fn says_json(&self) -> bool {
        let mut parts = self.request.turns.iter().flat_map(|turn| &turn.parts).filter_map(Part::as_text);
        parts.any(|text| text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"json")))
    }

    fn turn(&mut self, turn: &Turn, at: usize, input: &mut Array<'_>) -> Result<(), Refused> {
        if !self.own {
            self.drop_foreign(turn)?;
        }
        let before = self.written;
        let mut parts = turn.parts.as_slice();
        let mut says_fields = true;
        while let Some(part) = parts.first() {
            let run = message_length(parts);
            if run == 0 {
                self.item(part, at, input)?;
                parts = parts.get(1..).unwrap_or_default();
            } else {
                let (message, rest) = parts.split_at(run);
                self.message(turn, message, std::mem::take(&mut says_fields), at, input)?;
                parts = rest;
            }
        }
        if !self.own && turn.role == Role::User && before == self.written {
            let place = self.place(at);
            let message = format!("`{place}` holds a message of the user that says nothing: give it content");
            return Err(Refused::new(place, message));
        }
        Ok(())
    }

    /// Warns of fields of another dialect that stand on messages and parts.
    fn drop_foreign(&mut self, turn: &Turn) -> Result<(), Refused> {
        let list = self.list();
        if turn.name.is_some() {
            self.notes.losses.dropped(format!("{list}.name"))?;
        }
        for name in turn.bag.foreign_to(OWN) {
            self.notes.losses.dropped(format!("{list}.{name}"))?;
        }
        for part in &turn.parts {
            for name in part.bag.foreign_to(OWN) {
                self.notes.losses.dropped(format!("{list}.{name}"))?;
            }
        }
        Ok(())
    }

    /// Writes parts that follow each other as one message; `with_fields` for the one that the turn's own fields
    /// came with.
    fn message(
        &mut self,
        turn: &Turn,
        parts: &[Part],
        with_fields: bool,
        at: usize,
        input: &mut Array<'_>,
    ) -> Result<(), Refused> {
        let said: Vec<&Part> = parts.iter().filter(|part| part.as_text() != Some("")).collect();
        if let Some(first) = parts.first() {
            self.carried_state(first, input);
        }
        if said.is_empty() {
            return Ok(());
        }
        self.written += 1;
        let mut item = input.object();
        item.field("type", "message");
        item_fields(&mut item, said.first().copied(), true);
        item.field("role", role_name(turn.role));
        if with_fields {
            item.bag(turn.bag.of(OWN));
        }
        let mut content = item.array("content");
        for part in said {
            self.content_part(part, turn.role, at, &mut content)?;
        }
        Ok(())
    }

    fn item(&mut self, part: &Part, at: usize, input: &mut Array<'_>) -> Result<(), Refused> {
        match &part.kind {
            PartKind::ToolCall(call) => {
                self.carried_state(part, input);
                self.call(call, part, input);
            }
            PartKind::ToolResult(result) => self.result(result, part, at, input)?,
            PartKind::Reasoning { text, form } => self.reasoning_item(text, *form, part, input),
            PartKind::Foreign { dialect, json, .. } if *dialect == OWN => {
                input.element(json);
            }
            PartKind::Foreign { name, .. } => return Err(self.refused_part(name, at)),
            PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::Image { .. }
            | PartKind::Audio(_)
            | PartKind::File { .. } => {}
        }
        self.written += 1;
        Ok(())
    }

    /// Refuses a part that this dialect has no word for.
    pub(super) fn refused_part(&self, name: &str, at: usize) -> Refused {
        let place = self.place(at);
        let name: String = name.chars().take(60).collect();
        let message = format!(
            "`{place}` holds content of type {name}, which the Responses API cannot be told: leave it out, or use a model of its own vendor"
        );
        Refused::new(place, message)
    }

    fn call(&mut self, call: &ToolCall, part: &Part, input: &mut Array<'_>) {
        let id = tool_ids::fitted(&call.id, OWN, tool_ids::OPENAI_MAX);
        let mut item = input.object();
        let (kind, key, text, with_status) = match &call.args {
            Args::Json(text) if text.is_empty() => ("function_call", "arguments", "{}", true),
            Args::Json(text) => ("function_call", "arguments", text.as_str(), true),
            Args::Free(text) => ("custom_tool_call", "input", text.as_str(), false),
        };
        item.field("type", kind);
        item_fields(&mut item, Some(part), with_status);
        item.field("call_id", &*id);
        item.field("name", &*self.known_name(&call.name)).field(key, text);
        item.bag(part.bag.of(OWN));
    }

    fn result(
        &mut self,
        result: &ToolResult,
        part: &Part,
        at: usize,
        input: &mut Array<'_>,
    ) -> Result<(), Refused> {
        let free = result.free || self.free_calls.contains(result.id.as_str());
        let id = tool_ids::fitted(&result.id, OWN, tool_ids::OPENAI_MAX);
        let mut item = input.object();
        item.field("type", if free { "custom_tool_call_output" } else { "function_call_output" });
        item_fields(&mut item, Some(part), false);
        item.field("call_id", &*id);
        let said: Vec<&Part> = result.content.iter().filter(|part| part.as_text() != Some("")).collect();
        match said.as_slice() {
            [] => {
                item.field("output", "");
            }
            [only] if only.cache.is_none() && only.as_text().is_some() => {
                item.maybe("output", only.as_text());
            }
            parts => {
                let mut output = item.array("output");
                for part in parts {
                    self.output_part(part, at, &mut output)?;
                }
            }
        }
        item.bag(part.bag.of(OWN));
        Ok(())
    }

    /// Writes the reasoning that a signature on another part stands for: clients of Gemini's API keep it there.
    fn carried_state(&self, part: &Part, input: &mut Array<'_>) {
        let state = part.state.as_ref().and_then(|state| self.target.state(state));
        if let Some(state) = state.filter(|state| !state.payload.is_empty()) {
            reasoning(input, Some(&state), state.text.as_deref().unwrap_or_default(), ReasoningForm::Summary);
        }
    }

    fn reasoning_item(&self, text: &str, form: ReasoningForm, part: &Part, input: &mut Array<'_>) {
        let state = part.state.as_ref().and_then(|state| self.target.state(state));
        // Reasoning that another provider made tells this one nothing (§8.3 of the wire formats); what came
        // without any state is the model's own where the request is of this dialect.
        let foreign = state.is_none() && (part.state.is_some() || !self.own);
        // Where nothing is stored, an item cannot be found by its id alone.
        let by_id_alone = !self.own && state.as_ref().is_some_and(|state| state.payload.is_empty());
        if foreign || by_id_alone {
            return;
        }
        let text = match (&state, text.is_empty()) {
            (Some(State { text: Some(signed), .. }), true) => signed,
            _ => text,
        };
        let mut item = reasoning(input, state.as_ref(), text, form);
        item.bag(part.bag.of(OWN));
    }
}

/// Counts the parts that make one message. Reasoning that one of them carries stands before it, so that a message
/// ends there.
fn message_length(parts: &[Part]) -> usize {
    let carries = |part: &Part| matches!(part.state, Some(Opaque::Sealed(_)));
    let said = parts
        .iter()
        .enumerate()
        .take_while(|(at, part)| is_message_part(part) && (*at == 0 || !carries(part)));
    said.count()
}

fn reasoning<'i>(
    input: &'i mut Array<'_>,
    state: Option<&State>,
    text: &str,
    form: ReasoningForm,
) -> Object<'i> {
    let mut item = input.object();
    item.field("type", "reasoning");
    item.maybe("id", state.and_then(|state| state.item_id.as_deref()));
    {
        let mut summary = item.array("summary");
        if form != ReasoningForm::Raw && !text.is_empty() {
            summary.object().field("type", "summary_text").field("text", text);
        }
    }
    if form == ReasoningForm::Raw && !text.is_empty() {
        item.array("content").object().field("type", "reasoning_text").field("text", text);
    }
    let payload = state.map(|state| state.payload.as_str()).filter(|payload| !payload.is_empty());
    item.maybe("encrypted_content", payload);
    item
}

/// Writes the id of an item that came in this dialect, and with it that the item is whole, which the type of an
/// item with an id requires.
fn item_fields(item: &mut Object<'_>, part: Option<&Part>, with_status: bool) {
    let Some(Opaque::Native(state)) = part.and_then(|part| part.state.as_ref()) else { return };
    if state.dialect != OWN || !state.payload.is_empty() {
        return;
    }
    item.maybe("id", state.item_id.as_deref());
    let own_status = part.is_some_and(|part| part.bag.get("status").is_some());
    if with_status && !own_status {
        item.field("status", "completed");
    }
}
