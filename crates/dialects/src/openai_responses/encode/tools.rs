//! Writing tools, and which of them must be called.

use super::{OWN, Writer};
use crate::{
    form::{FreeFormat, Refused, Tool, ToolChoice, ToolKind},
    json::{Array, Object},
};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeSet};

impl Writer<'_> {
    /// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
    pub(super) fn tools(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        let mut kept = 0_usize;
        if !request.tools.is_empty() {
            let mut out = Vec::new();
            let mut list = Array::new(&mut out);
            for (at, tool) in request.tools.iter().enumerate() {
                kept += usize::from(self.tool(tool, at, &mut list)?);
            }
            drop(list);
            if let Ok(json) = std::str::from_utf8(&out)
                && kept > 0
            {
                object.raw("tools", json);
            }
        }
        // Without tools the API refuses to be told how to use them.
        if kept > 0 || self.own {
            if let Some(choice) = &request.tool_choice {
                self.tool_choice(choice, object)?;
            }
            object.maybe("parallel_tool_calls", request.parallel_tools);
        }
        Ok(())
    }

    /// Writes a tool, and tells whether it did.
    fn tool(&mut self, tool: &Tool, at: usize, list: &mut Array<'_>) -> Result<bool, Refused> {
        for name in tool.bag.foreign_to(OWN) {
            self.notes.losses.dropped(format!("tools.{name}"))?;
        }
        match &tool.kind {
            ToolKind::Vendor { dialect: OWN, json, .. } => {
                list.element(json);
            }
            ToolKind::Vendor { .. } => {
                self.notes.vendor_tool(tool, at, self.target)?;
                return Ok(false);
            }
            ToolKind::Function { schema, strict } => {
                let mut object = list.object();
                object.field("type", "function");
                object.field("name", &*self.notes.tool_name(&tool.name, self.target));
                object.maybe("description", tool.description.as_deref());
                self.function(schema.as_ref(), *strict, &mut object);
                object.bag(tool.bag.of(OWN));
            }
            ToolKind::Free(format) => {
                let mut object = list.object();
                object.field("type", "custom");
                object.field("name", &*self.notes.tool_name(&tool.name, self.target));
                object.maybe("description", tool.description.as_deref());
                object.maybe("format", format.as_ref().map(flat_format));
                object.bag(tool.bag.of(OWN));
            }
        }
        Ok(true)
    }

    /// Writes what a function takes. Here, and in no other dialect, a schema is strict when nothing is said.
    fn function(&self, schema: Option<&Value>, strict: Option<bool>, object: &mut Object<'_>) {
        if self.own {
            object.maybe("parameters", schema).maybe("strict", strict);
            return;
        }
        match schema {
            // The API refuses the schema of an object that does not say of which properties, even of none.
            Some(Value::Object(fields)) if !fields.contains_key("properties") && is_object(fields) => {
                let mut parameters = object.object("parameters");
                parameters.bag(fields.iter().map(|(name, value)| (name.as_str(), value)));
                parameters.raw("properties", "{}");
            }
            Some(schema) => _ = object.field("parameters", schema),
            None => _ = object.raw("parameters", r#"{"type":"object","properties":{}}"#),
        }
        object.field("strict", &strict.unwrap_or(false));
    }

    fn tool_choice(&mut self, choice: &ToolChoice, object: &mut Object<'_>) -> Result<(), Refused> {
        let free = self.request.free_tools();
        match choice {
            ToolChoice::None => object.field("tool_choice", "none"),
            ToolChoice::Auto => object.field("tool_choice", "auto"),
            ToolChoice::Required => object.field("tool_choice", "required"),
            ToolChoice::One(name) => {
                let mut choice = object.object("tool_choice");
                self.chosen(name, &free, &mut choice);
                return Ok(());
            }
            ToolChoice::Some { names, required } => {
                let mut choice = object.object("tool_choice");
                choice.field("type", "allowed_tools");
                choice.field("mode", if *required { "required" } else { "auto" });
                let mut tools = choice.array("tools");
                names.iter().for_each(|name| self.chosen(name, &free, &mut tools.object()));
                return Ok(());
            }
            ToolChoice::Vendor { dialect: OWN, json } => object.field("tool_choice", json),
            ToolChoice::Vendor { .. } => return self.notes.losses.dropped("tool_choice"),
        };
        Ok(())
    }

    fn chosen(&mut self, name: &str, free: &BTreeSet<&str>, choice: &mut Object<'_>) {
        choice.field("type", if free.contains(name) { "custom" } else { "function" });
        choice.field("name", &*self.known_name(name));
    }

    /// Gives the name that a tool is sent under.
    pub(super) fn known_name<'n>(&mut self, name: &'n str) -> Cow<'n, str> {
        self.notes.tool_name(name, self.target)
    }
}

fn is_object(schema: &Map<String, Value>) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object")
}

/// Gives a grammar as this dialect has it: flat, where chat nests it.
fn flat_format(format: &FreeFormat) -> Cow<'_, Value> {
    let Some(Value::Object(grammar)) = format.0.get("grammar") else { return Cow::Borrowed(&format.0) };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), Value::String("grammar".to_owned()));
    flat.extend(grammar.iter().map(|(name, value)| (name.clone(), value.clone())));
    Cow::Owned(Value::Object(flat))
}
