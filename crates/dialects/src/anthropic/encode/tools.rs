//! Tools, and whether the model must call one (§9.5 to §9.7 of the wire formats).

use super::marks::Marks;
use crate::{
    form::{FreeFormat, OutputFormat, PartKind, Refused, Request, Tool, ToolChoice, ToolKind},
    free_input,
    json::{Array, Object},
    schema,
    translate::{Notes, STRUCTURED_TOOL, Target},
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Need};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The tools of a request as Anthropic is told of them.
#[derive(Debug)]
pub(super) struct Tools<'r> {
    pub(super) declared: Vec<Declared<'r>>,
    pub(super) choice: Option<Choice<'r>>,
    one_at_a_time: bool,
}

/// One tool.
#[derive(Debug)]
pub(super) enum Declared<'r> {
    /// A function or a free-form tool of the client, and its place in the client's list.
    Client { at: usize, tool: &'r Tool },
    /// One of Anthropic's own.
    Vendor(&'r Value),
    /// One that the history calls although the request declares none.
    Called(&'r str),
    /// The stand-in for an answer of a schema.
    Structured(&'r Value),
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice<'r> {
    None,
    Auto,
    Any,
    One(&'r str),
    Own(&'r Value),
}

impl<'r> Tools<'r> {
    /// Decides on tools and choice.
    ///
    /// # Errors
    /// For another vendor's tools where these are rejected.
    pub(super) fn of(request: &'r Request, target: &Target<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        let mut tools = Self { declared: Vec::new(), choice: None, one_at_a_time: false };
        tools.declare(request, target, notes)?;
        tools.choose(request, notes);
        tools.stand_in_for_format(request, target, notes)?;
        if tools.declared.is_empty() {
            tools.declare_called(request);
        }
        if tools.declared.is_empty() {
            tools.choice = None;
        } else if request.parallel_tools == Some(false) && tools.choice != Some(Choice::None) {
            tools.one_at_a_time = true;
            tools.choice.get_or_insert(Choice::Auto);
        }
        Ok(tools)
    }

    fn declare(
        &mut self,
        request: &'r Request,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        let subset = request.tool_choice.as_ref().and_then(ToolChoice::subset);
        for (at, tool) in request.tools.iter().enumerate() {
            let wanted = subset.as_ref().is_none_or(|names| names.contains(tool.name.as_str()));
            match &tool.kind {
                ToolKind::Vendor { dialect: Dialect::Anthropic, json, .. } if wanted => {
                    self.declared.push(Declared::Vendor(json));
                }
                ToolKind::Vendor { dialect: Dialect::Anthropic, .. } => {}
                ToolKind::Vendor { .. } => notes.vendor_tool(tool, at, target)?,
                ToolKind::Function { .. } | ToolKind::Free(_) if wanted => {
                    self.declared.push(Declared::Client { at, tool });
                }
                ToolKind::Function { .. } | ToolKind::Free(_) => {}
            }
        }
        Ok(())
    }

    fn choose(&mut self, request: &'r Request, notes: &mut Notes) {
        self.choice = match &request.tool_choice {
            None => None,
            Some(ToolChoice::None) => Some(Choice::None),
            Some(ToolChoice::Auto | ToolChoice::Some { required: false, .. }) => Some(Choice::Auto),
            Some(ToolChoice::Required | ToolChoice::Some { required: true, .. }) => Some(Choice::Any),
            Some(ToolChoice::One(name)) if self.declares(name) => Some(Choice::One(name)),
            Some(ToolChoice::Vendor { dialect: Dialect::Anthropic, json }) => Some(Choice::Own(json)),
            // The tool went with those that only another vendor can run.
            Some(ToolChoice::One(_) | ToolChoice::Vendor { .. }) => {
                notes.losses.tell("tool_choice", "dropped");
                None
            }
        };
    }

    fn declares(&self, wanted: &str) -> bool {
        self.declared.iter().any(|declared| match declared {
            Declared::Client { tool, .. } => tool.name == wanted,
            Declared::Vendor(json) => json.get("name").and_then(Value::as_str) == Some(wanted),
            // Both come after the choice.
            Declared::Called(_) | Declared::Structured(_) => false,
        })
    }

    /// Has a forced call stand in for an answer of a schema, on models that know no schemas.
    fn stand_in_for_format(
        &mut self,
        request: &'r Request,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        let Some(OutputFormat::Schema { schema, .. }) = &request.format else { return Ok(()) };
        if !target.traits.lacks.has(Need::StructuredOutput) {
            return Ok(());
        }
        let of_object = schema.get("type").and_then(Value::as_str) == Some("object");
        if !of_object || request.tools.iter().any(|tool| tool.name == STRUCTURED_TOOL) {
            let field = request.field_of(Need::StructuredOutput);
            return Err(Refused::lacking(Need::StructuredOutput, field));
        }
        notes.losses.changed(word(Word::Format, request), "emulated")?;
        notes.structured_tool = true;
        // Beside tools of the client, any call will do: one of them, or the answer.
        self.choice = match self.choice.take() {
            Some(one @ Choice::One(_)) => Some(one),
            Some(Choice::None) => {
                self.declared.clear();
                Some(Choice::One(STRUCTURED_TOOL))
            }
            _ if self.declared.is_empty() => Some(Choice::One(STRUCTURED_TOOL)),
            _ => Some(Choice::Any),
        };
        self.declared.push(Declared::Structured(schema));
        Ok(())
    }

    /// Anthropic wants tools whenever the history has calls.
    fn declare_called(&mut self, request: &'r Request) {
        let mut known = BTreeSet::new();
        for part in request.turns.iter().flat_map(|turn| &turn.parts) {
            if let PartKind::ToolCall(call) = &part.kind
                && known.insert(call.name.as_str())
            {
                self.declared.push(Declared::Called(&call.name));
                self.choice = Some(Choice::None);
            }
        }
    }

    /// Tells whether the model has to call a tool.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.choice, Some(Choice::Any | Choice::One(_)))
    }

    /// Leaves the model its choice.
    pub(super) fn relax(&mut self) {
        self.choice = Some(Choice::Auto);
    }

    /// Writes `tools` and `tool_choice`.
    ///
    /// # Errors
    /// For a schema that cannot be written in the subset of strict tools.
    pub(super) fn write(
        &self,
        object: &mut Object<'_>,
        target: &Target<'_>,
        own: bool,
        marks: &mut Marks,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        if !self.declared.is_empty() {
            let mut list = object.array("tools");
            for declared in &self.declared {
                write_one(declared, &mut list, target, own, marks, notes)?;
            }
        }
        match &self.choice {
            None => {}
            Some(Choice::Own(json)) => {
                object.field("tool_choice", json);
            }
            Some(choice) => {
                let mut written = object.object("tool_choice");
                match choice {
                    Choice::None => written.field("type", "none"),
                    Choice::Any => written.field("type", "any"),
                    Choice::One(name) => {
                        written.field("type", "tool").field("name", &notes.tool_name(name, target))
                    }
                    Choice::Auto | Choice::Own(_) => written.field("type", "auto"),
                };
                written.maybe("disable_parallel_tool_use", self.one_at_a_time.then_some(true));
            }
        }
        Ok(())
    }
}

fn write_one(
    declared: &Declared<'_>,
    list: &mut Array<'_>,
    target: &Target<'_>,
    own: bool,
    marks: &mut Marks,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let mut object = match declared {
        Declared::Vendor(json) => {
            list.element(&marks.vendor(json));
            return Ok(());
        }
        _ => list.object(),
    };
    match declared {
        Declared::Client { at, tool } => {
            object.field("name", &notes.tool_name(&tool.name, target));
            object.maybe("description", tool.description.as_deref());
            match &tool.kind {
                ToolKind::Function { schema, strict } => {
                    function(schema.as_ref(), *strict, *at, &mut object, target, own, notes)?;
                }
                ToolKind::Free(format) => {
                    if format.as_ref().is_some_and(FreeFormat::is_grammar) {
                        notes.losses.dropped(format!("tools[{at}].format"))?;
                    }
                    notes.free_tools.insert(tool.name.clone());
                    object.field("input_schema", &free_input::schema());
                }
                ToolKind::Vendor { .. } => {}
            }
            marks.write(tool.cache.as_ref(), &mut object);
            object.bag(tool.bag.of(Dialect::Anthropic));
        }
        Declared::Called(name) => {
            object
                .field("name", &notes.tool_name(name, target))
                .field("input_schema", &json!({"type": "object"}));
        }
        Declared::Structured(schema) => {
            object
                .field("name", STRUCTURED_TOOL)
                .field("description", "Gives the answer. Call it once, with the whole answer.")
                .field("input_schema", schema);
        }
        Declared::Vendor(_) => {}
    }
    Ok(())
}

/// Writes a function's schema: as the client wrote it, in the subset that strict tools take where it is strict.
fn function(
    schema: Option<&Value>,
    strict: Option<bool>,
    at: usize,
    object: &mut Object<'_>,
    target: &Target<'_>,
    own: bool,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if own {
        object.maybe("input_schema", schema).maybe("strict", strict);
        return Ok(());
    }
    let mut strict = strict == Some(true);
    if strict && target.traits.lacks.has(Need::StructuredOutput) {
        notes.losses.dropped(format!("tools[{at}].strict"))?;
        strict = false;
    }
    let schema = of_object(schema);
    if strict {
        let subset = schema::for_anthropic(&schema, &format!("tools[{at}]"))?;
        object.field("input_schema", &subset).field("strict", &true);
    } else {
        object.field("input_schema", &schema);
    }
    Ok(())
}

/// The input of a tool is an object, even where the client's schema leaves that unsaid.
fn of_object(schema: Option<&Value>) -> Value {
    match schema {
        Some(Value::Object(map)) if map.contains_key("type") => Value::Object(map.clone()),
        Some(Value::Object(map)) => {
            let mut all = serde_json::Map::new();
            all.insert("type".to_owned(), Value::from("object"));
            all.extend(map.clone());
            Value::Object(all)
        }
        _ => json!({"type": "object", "properties": {}}),
    }
}
