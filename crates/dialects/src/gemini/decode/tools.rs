//! Tools and whether they must be called (§5.3 of the wire formats).

use super::super::fields::{Kept, Spelled};
use crate::{
    form::{Refused, Tool, ToolChoice, ToolKind},
    schema,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Reads `tools`: the functions of all elements, and each server tool as one of its own.
pub(super) fn read(fields: &mut Spelled) -> Result<Vec<Tool>, Refused> {
    let mut tools = Vec::new();
    for mut element in fields.objects("tools")? {
        for declaration in element.objects("functionDeclarations")? {
            tools.push(function(declaration)?);
        }
        if let Value::Object(servers) = element.into_value() {
            tools.extend(servers.into_iter().map(server_tool));
        }
    }
    Ok(tools)
}

fn server_tool((name, json): (String, Value)) -> Tool {
    let kind = ToolKind::Vendor { dialect: Dialect::Gemini, name, json };
    Tool { name: String::new(), description: None, kind, cache: None, bag: Kept::default().into_bag() }
}

fn function(mut fields: Spelled) -> Result<Tool, Refused> {
    let mut kept = Kept::default();
    for name in ["parameters", "parametersJsonSchema"] {
        if let Some(spelled) = fields.peek(name) {
            kept.spelling(name, spelled.clone());
        }
    }
    let name = fields.required_text("name")?;
    let description = fields.text("description")?;
    let openapi = fields.take("parameters");
    let schema = fields.take("parametersJsonSchema").or_else(|| openapi.map(schema::from_openapi));
    kept.rest("", fields);
    let kind = ToolKind::Function { schema, strict: None };
    Ok(Tool { name, description, kind, cache: None, bag: kept.into_bag() })
}

/// Reads `toolConfig`.
pub(super) fn choice(fields: &mut Spelled, kept: &mut Kept) -> Result<Option<ToolChoice>, Refused> {
    if let Some(spelled) = fields.peek("toolConfig") {
        kept.spelling("toolConfig", spelled.clone());
    }
    let Some(mut config) = fields.object("toolConfig")? else { return Ok(None) };
    let calling = config.object("functionCallingConfig")?;
    kept.rest("toolConfig", config);
    let Some(mut calling) = calling else { return Ok(None) };
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let names = calling.texts("allowedFunctionNames")?;
    let choice = match (mode.as_str(), names.as_slice()) {
        ("" | "MODE_UNSPECIFIED", _) => None,
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", []) => Some(ToolChoice::Required),
        ("ANY", [name]) => Some(ToolChoice::One(name.clone())),
        ("ANY", _) => Some(ToolChoice::Some { names, required: true }),
        ("AUTO" | "VALIDATED", []) => Some(ToolChoice::Auto),
        ("AUTO" | "VALIDATED", _) => Some(ToolChoice::Some { names, required: false }),
        _ => return Err(calling.wrong("mode", "one of AUTO, ANY, NONE and VALIDATED")),
    };
    kept.rest("toolConfig.functionCallingConfig", calling);
    Ok(choice)
}
