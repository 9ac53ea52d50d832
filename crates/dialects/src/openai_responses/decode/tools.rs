//! Reading tools, and which of them must be called.

use super::OWN;
use crate::{
    form::{FreeFormat, Refused, Request, Tool, ToolChoice, ToolKind},
    json::Fields,
};
use serde_json::Value;

/// Reads `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn read(fields: &mut Fields, request: &mut Request) -> Result<(), Refused> {
    for tool in fields.objects("tools")? {
        request.tools.push(read_tool(tool)?);
    }
    request.tool_choice = match fields.peek("tool_choice") {
        None => None,
        Some(Value::String(_)) => Some(by_word(fields)?),
        Some(_) => fields.object("tool_choice")?.map(by_form).transpose()?,
    };
    request.parallel_tools = fields.flag("parallel_tool_calls")?;
    Ok(())
}

fn read_tool(mut tool: Fields) -> Result<Tool, Refused> {
    let kind = match tool.peek_text("type") {
        Some("function") => {
            tool.take("type");
            let schema = tool.take("parameters");
            ToolKind::Function { schema, strict: tool.flag("strict")? }
        }
        Some("custom") => {
            tool.take("type");
            ToolKind::Free(tool.take("format").map(FreeFormat))
        }
        Some(kind) => {
            let vendor = kind.to_owned();
            let name = tool.peek_text("name").unwrap_or_default().to_owned();
            let kind = ToolKind::Vendor { dialect: OWN, name: vendor, json: tool.into_value() };
            return Ok(Tool { name, description: None, kind, cache: None, bag: Default::default() });
        }
        None => return Err(tool.missing("type")),
    };
    Ok(Tool {
        name: tool.required_text("name")?,
        description: tool.text("description")?,
        kind,
        cache: None,
        bag: tool.rest(OWN),
    })
}

fn by_word(fields: &mut Fields) -> Result<ToolChoice, Refused> {
    match fields.required_text("tool_choice")?.as_str() {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Required),
        _ => Err(fields.wrong("tool_choice", "`none`, `auto`, `required` or an object")),
    }
}

fn by_form(mut choice: Fields) -> Result<ToolChoice, Refused> {
    match choice.peek_text("type") {
        Some("function" | "custom") => Ok(ToolChoice::One(choice.required_text("name")?)),
        Some("allowed_tools") => {
            let names = names(&choice);
            let required = choice.peek_text("mode") == Some("required");
            Ok(match names {
                Some(names) => ToolChoice::Some { names, required },
                None => ToolChoice::Vendor { dialect: OWN, json: choice.into_value() },
            })
        }
        Some(_) => Ok(ToolChoice::Vendor { dialect: OWN, json: choice.into_value() }),
        None => Err(choice.missing("type")),
    }
}

/// Gives the names of the allowed tools; none when one of them runs at the vendor.
fn names(choice: &Fields) -> Option<Vec<String>> {
    let tools = choice.peek("tools")?.as_array()?;
    let name = |tool: &Value| {
        let called = matches!(tool.get("type").and_then(Value::as_str), Some("function" | "custom"));
        tool.get("name").and_then(Value::as_str).filter(|_| called).map(str::to_owned)
    };
    tools.iter().map(name).collect()
}
