//! Tools and the choice among them (§9.6 of the wire formats).

use super::{CHAT, Scope, nested};
use crate::{
    form::{FreeFormat, Refused, Tool, ToolChoice, ToolKind},
    free_input,
    json::{Array, Object},
    translate::Notes,
    words::Word,
};
use cliproxy_domain::UnsupportedTools;
use serde_json::{Value, json};
use std::{borrow::Cow, collections::BTreeSet};

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn write(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let mut list = Vec::new();
    let mut array = Array::new(&mut list);
    // Servers that know no subsets are sent only the subset.
    let subset = scope.request.tool_choice.as_ref().filter(|_| scope.plain()).and_then(ToolChoice::subset);
    for (at, tool) in scope.request.tools.iter().enumerate() {
        if subset.as_ref().is_none_or(|names| names.contains(tool.name.as_str())) {
            write_tool(&mut array, tool, at, scope, notes)?;
        }
    }
    let none = array.is_empty();
    drop(array);
    if none {
        return without_tools(body, scope, notes);
    }
    body.raw("tools", &String::from_utf8_lossy(&list));
    if let Some(choice) = &scope.request.tool_choice {
        write_choice(body, choice, scope, notes)?;
    }
    parallel(body, scope, notes)
}

/// Leaves out what only goes with tools; servers refuse it without.
fn without_tools(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    match &scope.request.tool_choice {
        Some(choice) if scope.own => write_choice(body, choice, scope, notes)?,
        None | Some(ToolChoice::None | ToolChoice::Auto) => {}
        Some(_) => notes.losses.dropped("tool_choice")?,
    }
    if scope.own { parallel(body, scope, notes) } else { Ok(()) }
}

fn parallel(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    match scope.request.parallel_tools {
        Some(parallel) if scope.target.profile.parallel_tool_calls => {
            body.field("parallel_tool_calls", &parallel);
        }
        Some(false) => notes.losses.dropped(scope.word(Word::ParallelTools))?,
        Some(true) | None => {}
    }
    Ok(())
}

fn write_tool(
    array: &mut Array<'_>,
    tool: &Tool,
    at: usize,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    for field in tool.bag.foreign_to(CHAT) {
        notes.losses.dropped(format!("tools.{field}"))?;
    }
    match &tool.kind {
        ToolKind::Vendor { dialect: CHAT, json, .. } => {
            array.element(json);
            Ok(())
        }
        ToolKind::Vendor { .. } => notes.vendor_tool(tool, at, scope.target),
        ToolKind::Function { strict, .. } => {
            if *strict == Some(true) && !scope.target.profile.strict_schemas {
                notes.losses.dropped(format!("tools[{at}].strict"))?;
            }
            write_function(array, tool, scope, notes);
            Ok(())
        }
        ToolKind::Free(format) if scope.plain() => {
            if format.as_ref().is_some_and(FreeFormat::is_grammar) {
                notes.losses.dropped(format!("tools[{at}].format"))?;
            }
            notes.free_tools.insert(tool.name.clone());
            write_function(array, tool, scope, notes);
            Ok(())
        }
        ToolKind::Free(format) => {
            let mut object = array.object();
            object.field("type", "custom");
            let mut inner = object.object("custom");
            inner.field("name", &notes.tool_name(&tool.name, scope.target));
            inner.maybe("description", tool.description.as_deref());
            inner.maybe("format", format.as_ref().map(nested_format));
            nested::write_inner(&mut inner, &tool.bag, "custom");
            drop(inner);
            nested::write_outer(&mut object, &tool.bag, &["custom"]);
            Ok(())
        }
    }
}

/// Writes a function, or what stands in for a free-form tool.
fn write_function(array: &mut Array<'_>, tool: &Tool, scope: &Scope<'_>, notes: &mut Notes) {
    let mut object = array.object();
    object.field("type", "function");
    let mut inner = object.object("function");
    inner.field("name", &notes.tool_name(&tool.name, scope.target));
    inner.maybe("description", tool.description.as_deref());
    match &tool.kind {
        ToolKind::Function { schema, strict } => {
            inner.maybe("parameters", schema.as_ref());
            inner.maybe("strict", strict.filter(|_| scope.target.profile.strict_schemas));
        }
        ToolKind::Free(_) | ToolKind::Vendor { .. } => {
            inner.field("parameters", &free_input::schema());
        }
    }
    nested::write_inner(&mut inner, &tool.bag, "function");
    drop(inner);
    nested::write_outer(&mut object, &tool.bag, &["function"]);
}

fn write_choice(
    body: &mut Object<'_>,
    choice: &ToolChoice,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let free = scope.request.free_tools();
    match choice {
        ToolChoice::None => body.field("tool_choice", "none"),
        ToolChoice::Auto => body.field("tool_choice", "auto"),
        ToolChoice::Required => body.field("tool_choice", "required"),
        ToolChoice::Some { required, .. } if scope.plain() => {
            body.field("tool_choice", if *required { "required" } else { "auto" })
        }
        ToolChoice::One(name) => {
            write_named(&mut body.object("tool_choice"), name, &free, scope, notes);
            body
        }
        ToolChoice::Some { names, required } => {
            let mut object = body.object("tool_choice");
            let mut inner = object.field("type", "allowed_tools").object("allowed_tools");
            inner.field("mode", if *required { "required" } else { "auto" });
            let mut array = inner.array("tools");
            for name in names {
                write_named(&mut array.object(), name, &free, scope, notes);
            }
            return Ok(());
        }
        ToolChoice::Vendor { dialect: CHAT, json } => body.field("tool_choice", json),
        ToolChoice::Vendor { .. } => {
            return match scope.target.policy.unsupported_tools {
                UnsupportedTools::Drop => {
                    notes.losses.tell("tool_choice", "dropped");
                    Ok(())
                }
                UnsupportedTools::Reject => Err(Refused::new(
                    "tool_choice",
                    "`tool_choice` names a tool that runs at its own vendor alone: choose another, or use a model of that vendor",
                )),
            };
        }
    };
    Ok(())
}

fn write_named(
    object: &mut Object<'_>,
    name: &str,
    free: &BTreeSet<&str>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) {
    let kind = if free.contains(name) && !scope.plain() { "custom" } else { "function" };
    object.field("type", kind);
    object.object(kind).field("name", &notes.tool_name(name, scope.target));
}

/// Gives a grammar as this dialect has it: nested, where Responses has it flat.
fn nested_format(format: &FreeFormat) -> Cow<'_, Value> {
    let Value::Object(fields) = &format.0 else { return Cow::Borrowed(&format.0) };
    if !fields.contains_key("definition") {
        return Cow::Borrowed(&format.0);
    }
    let mut grammar = fields.clone();
    grammar.shift_remove("type");
    Cow::Owned(json!({"type": "grammar", "grammar": grammar}))
}
