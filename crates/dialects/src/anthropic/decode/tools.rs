//! Tools, and whether the model must call one.

use super::{blocks::verbatim, cache_mark};
use crate::{
    form::{Refused, Request, Tool, ToolChoice, ToolKind},
    json::Fields,
};
use cliproxy_domain::Dialect;

/// Reads `tools` and `tool_choice`.
pub(super) fn read(fields: &mut Fields, request: &mut Request) -> Result<(), Refused> {
    for tool in fields.objects("tools")? {
        request.tools.push(one(tool)?);
    }
    if let Some(choice) = fields.object("tool_choice")? {
        choose(choice, request)?;
    }
    Ok(())
}

fn one(mut fields: Fields) -> Result<Tool, Refused> {
    // A tool with a type of its own, as `web_search_20260318`, is one of the vendor's.
    if let Some(name) = fields.peek_text("type").filter(|name| *name != "custom").map(str::to_owned) {
        let tool = fields.peek_text("name").unwrap_or_default().to_owned();
        let json = fields.into_value();
        let kind = ToolKind::Vendor { dialect: Dialect::Anthropic, name, json };
        return Ok(Tool {
            name: tool,
            description: None,
            kind,
            cache: None,
            bag: crate::form::Bag::default(),
        });
    }
    fields.take("type");
    let name = fields.required_text("name")?;
    let description = fields.text("description")?;
    let schema = verbatim(&mut fields, "input_schema")?;
    let kind = ToolKind::Function { schema, strict: fields.flag("strict")? };
    let cache = cache_mark(&mut fields);
    Ok(Tool { name, description, kind, cache, bag: fields.rest(Dialect::Anthropic) })
}

fn choose(mut fields: Fields, request: &mut Request) -> Result<(), Refused> {
    let choice = match fields.peek_text("type") {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::One(fields.required_text("name")?),
        Some(_) => {
            let json = fields.into_value();
            request.tool_choice = Some(ToolChoice::Vendor { dialect: Dialect::Anthropic, json });
            return Ok(());
        }
        None => return Err(fields.missing("type")),
    };
    request.parallel_tools = fields.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    request.tool_choice = Some(choice);
    Ok(())
}
