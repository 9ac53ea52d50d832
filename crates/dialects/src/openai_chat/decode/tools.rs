//! Tools and the choice among them (§2.3 of the wire formats).

use super::super::{CHAT, nested};
use crate::{
    form::{Bag, FreeFormat, Refused, Tool, ToolChoice, ToolKind},
    json::Fields,
};
use serde_json::Value;

/// Reads `tools`, and the older `functions` after them.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Tool>, Refused> {
    let mut tools = fields.objects("tools")?.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    for mut older in fields.objects("functions")? {
        let (name, description, kind) = function(&mut older)?;
        // A tool has what is left of it one level further in.
        let left =
            Some(older.into_value()).filter(|left| left.as_object().is_some_and(|left| !left.is_empty()));
        let bag = Bag::new(CHAT, left.map(|left| ("function".to_owned(), left)).into_iter().collect());
        tools.push(Tool { name, description, kind, cache: None, bag });
    }
    Ok(tools)
}

fn tool(mut tool: Fields) -> Result<Tool, Refused> {
    let kind = tool.peek_text("type").unwrap_or("function").to_owned();
    if kind != "function" && kind != "custom" {
        let kind = ToolKind::Vendor { dialect: CHAT, name: kind, json: tool.into_value() };
        return Ok(Tool { name: String::new(), description: None, kind, cache: None, bag: Bag::default() });
    }
    tool.take("type");
    let mut inner = tool.required_object(&kind)?;
    let (name, description, what) =
        if kind == "custom" { custom(&mut inner)? } else { function(&mut inner)? };
    let bag = nested::rest(tool, [(&kind, Some(inner.into_value()))]);
    Ok(Tool { name, description, kind: what, cache: None, bag })
}

type Described = (String, Option<String>, ToolKind);

fn function(inner: &mut Fields) -> Result<Described, Refused> {
    let name = inner.required_text("name")?;
    let description = inner.text("description")?;
    let schema = match inner.take("parameters") {
        Some(Value::Object(schema)) => Some(Value::Object(schema)),
        None => None,
        Some(_) => return Err(inner.wrong("parameters", "an object")),
    };
    Ok((name, description, ToolKind::Function { schema, strict: inner.flag("strict")? }))
}

fn custom(inner: &mut Fields) -> Result<Described, Refused> {
    let name = inner.required_text("name")?;
    let description = inner.text("description")?;
    Ok((name, description, ToolKind::Free(inner.take("format").map(FreeFormat))))
}

/// Reads `tool_choice`, or the older `function_call`.
pub(super) fn choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Refused> {
    let older = match fields.take("function_call") {
        None => None,
        Some(Value::String(mode)) => Some(by_mode(fields, "function_call", &mode)?),
        Some(named) => {
            let mut named = Fields::of(named, fields.path("function_call"))?;
            Some(ToolChoice::One(named.required_text("name")?))
        }
    };
    match fields.take("tool_choice") {
        None => Ok(older),
        Some(Value::String(mode)) => by_mode(fields, "tool_choice", &mode).map(Some),
        Some(chosen) => of_object(Fields::of(chosen, fields.path("tool_choice"))?).map(Some),
    }
}

fn by_mode(fields: &Fields, key: &str, mode: &str) -> Result<ToolChoice, Refused> {
    match mode {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Required),
        _ => Err(fields.wrong(key, "none, auto, required or an object")),
    }
}

fn of_object(mut choice: Fields) -> Result<ToolChoice, Refused> {
    match choice.peek_text("type").unwrap_or_default() {
        kind @ ("function" | "custom") => {
            let kind = kind.to_owned();
            choice.required_object(&kind)?.required_text("name").map(ToolChoice::One)
        }
        "allowed_tools" => allowed(choice.required_object("allowed_tools")?),
        "" => Err(choice.missing("type")),
        _ => Ok(ToolChoice::Vendor { dialect: CHAT, json: choice.into_value() }),
    }
}

fn allowed(mut allowed: Fields) -> Result<ToolChoice, Refused> {
    let required = match allowed.required_text("mode")?.as_str() {
        "auto" => false,
        "required" => true,
        _ => return Err(allowed.wrong("mode", "auto or required")),
    };
    let names = allowed.objects("tools")?.into_iter().map(|mut tool| {
        let kind = tool.text("type")?.unwrap_or_else(|| "function".to_owned());
        tool.required_object(&kind)?.required_text("name")
    });
    Ok(ToolChoice::Some { names: names.collect::<Result<_, _>>()?, required })
}
