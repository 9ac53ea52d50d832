//! `tools` and `toolConfig` (§5.3, §9.5 and §9.6 of the wire formats).

use super::{super::fields::within, words};
use crate::{
    form::{FreeFormat, OutputFormat, Refused, Request, Tool, ToolChoice, ToolKind},
    free_input,
    json::{Array, Object},
    schema,
    translate::{Notes, STRUCTURED_TOOL, Target},
};
use cliproxy_domain::{Dialect, Need};

/// Tells whether the schema of the answer is told as a tool that must be called: the model takes functions and no
/// schemas.
pub(super) fn emulates_schema(request: &Request, target: &Target<'_>) -> bool {
    request.from != Dialect::Gemini
        && matches!(request.format, Some(OutputFormat::Schema { .. }))
        && target.traits.lacks.has(Need::StructuredOutput)
}

/// Writes what the model may call, and whether it must; tells whether that was anything.
pub(super) fn write(
    object: &mut Object<'_>,
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<bool, Refused> {
    let mut functions = Vec::with_capacity(128);
    let mut servers = Vec::new();
    declare(&mut functions, &mut servers, request, target, notes)?;
    let (called, has_servers) = (functions != b"[]", !servers.is_empty());
    if called || has_servers {
        let mut tools = object.array("tools");
        if called {
            tools.object().raw("functionDeclarations", &String::from_utf8_lossy(&functions));
        }
        for (name, json) in servers {
            tools.object().field(name, json);
        }
    }
    if let Some(spelled) = request.bag.spelling(Dialect::Gemini, "toolConfig") {
        object.field("toolConfig", spelled);
        return Ok(true);
    }
    if called && let Some((mode, names)) = choice(request, target, notes)? {
        let mut config = object.object("toolConfig");
        let mut calling = config.object("functionCallingConfig");
        calling.field("mode", mode);
        if !names.is_empty() {
            calling.field("allowedFunctionNames", &names);
        }
    }
    Ok(called || has_servers)
}

/// A server tool of Gemini's own: its field and what stands in it.
type Server<'r> = (&'r str, &'r serde_json::Value);

fn declare<'r>(
    out: &mut Vec<u8>,
    servers: &mut Vec<Server<'r>>,
    request: &'r Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    // A subset without force is told by declaring no others.
    let subset = match &request.tool_choice {
        Some(choice @ ToolChoice::Some { required: false, .. }) if request.from != Dialect::Gemini => {
            choice.subset()
        }
        _ => None,
    };
    let left_out = |tool: &Tool| subset.as_ref().is_some_and(|names| !names.contains(tool.name.as_str()));
    let mut functions = Array::new(out);
    for (at, tool) in request.tools.iter().enumerate() {
        match &tool.kind {
            ToolKind::Vendor { dialect: Dialect::Gemini, name, json } => servers.push((name, json)),
            ToolKind::Vendor { .. } => notes.vendor_tool(tool, at, target)?,
            _ if left_out(tool) => {}
            _ => declaration(&mut functions.object(), request, at, target, notes)?,
        }
    }
    if emulates_schema(request, target)
        && let Some(OutputFormat::Schema { schema, description, .. }) = &request.format
    {
        notes.structured_tool = true;
        notes.losses.changed(request.field_of(Need::StructuredOutput), "emulated")?;
        let path = request.field_of(Need::StructuredOutput);
        let description = description.as_deref().unwrap_or("Gives the answer.");
        let mut function = functions.object();
        function.field("name", STRUCTURED_TOOL).field("description", description);
        function.field("parametersJsonSchema", &schema::for_gemini(schema, &path)?);
    }
    Ok(())
}

fn declaration(
    function: &mut Object<'_>,
    request: &Request,
    at: usize,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let Some(tool) = request.tools.get(at) else { return Ok(()) };
    function.field("name", &notes.tool_name(&tool.name, target));
    function.maybe("description", tool.description.as_deref());
    match &tool.kind {
        ToolKind::Function { schema: Some(schema), .. } => {
            let spelled = ["parameters", "parametersJsonSchema"]
                .map(|name| (name, tool.bag.spelling(Dialect::Gemini, name)));
            if spelled.iter().any(|(_, spelled)| spelled.is_some()) {
                for (name, spelled) in spelled {
                    function.maybe(name, spelled);
                }
            } else {
                let schema = schema::for_gemini(schema, &words::tool_schema(request.from, at))?;
                function.field("parametersJsonSchema", &schema);
            }
        }
        ToolKind::Free(format) => {
            notes.free_tools.insert(tool.name.clone());
            if format.as_ref().is_some_and(FreeFormat::is_grammar) {
                notes.losses.dropped(format!("tools[{at}].format"))?;
            }
            function.field("parametersJsonSchema", &free_input::schema());
        }
        ToolKind::Function { schema: None, .. } | ToolKind::Vendor { .. } => {}
    }
    function.bag(within(&tool.bag, ""));
    Ok(())
}

/// Gives the mode, and the names that go with it.
fn choice(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Option<(&'static str, Vec<String>)>, Refused> {
    let emulated = emulates_schema(request, target);
    let mut fitted = |names: &[String]| -> Vec<String> {
        let fit = |name: &String| notes.tool_name(name, target).into_owned();
        names.iter().map(fit).collect()
    };
    Ok(match &request.tool_choice {
        // The answer is a call, or a call comes before it.
        None | Some(ToolChoice::Auto | ToolChoice::Required) if emulated => Some(("ANY", Vec::new())),
        Some(ToolChoice::None) if emulated => Some(("ANY", vec![STRUCTURED_TOOL.to_owned()])),
        Some(ToolChoice::Some { names, required: false }) if emulated => {
            let mut names = fitted(names);
            names.push(STRUCTURED_TOOL.to_owned());
            Some(("ANY", names))
        }
        None => None,
        Some(ToolChoice::None) => Some(("NONE", Vec::new())),
        Some(ToolChoice::Auto | ToolChoice::Some { required: false, .. }) => Some(("AUTO", Vec::new())),
        Some(ToolChoice::Required) => Some(("ANY", Vec::new())),
        Some(ToolChoice::One(name)) => Some(("ANY", fitted(std::slice::from_ref(name)))),
        Some(ToolChoice::Some { names, required: true }) => Some(("ANY", fitted(names))),
        Some(ToolChoice::Vendor { .. }) => {
            notes.losses.dropped("tool_choice")?;
            None
        }
    })
}
