//! What Gemini refuses.

mod contents;
mod fields;

use super::{Check, Refusal, has, is_outside, list, schema};
use crate::wire::{gemini::field, tools::text_of};
use http::request::Parts;
use serde_json::{Map, Value};

/// Keywords of the schemas in the fields that take JSON Schema.
const KEYWORDS: &str = "$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems \
    minimum maximum anyOf oneOf properties additionalProperties required propertyOrdering";
/// Keywords of the older schemas, with upper-case types.
const OPENAPI_KEYWORDS: &str = "type format title description nullable enum items minItems maxItems minLength \
    maxLength pattern minimum maximum anyOf properties required propertyOrdering property_ordering example default \
    minProperties maxProperties additionalProperties";

/// Looks through a request for an answer.
pub(super) fn check(body: &Map<String, Value>, _: &Parts) -> Check {
    let whole = Value::Object(body.clone());
    fields::check(&whole, fields::REQUEST, "")?;
    if let Some(config) = field(&whole, "generationConfig", "generation_config") {
        generation(config)?;
    }
    tools(&whole)?;
    contents::check(list(body.get("contents")))
}

/// Looks through a request for a count: of contents, or of a whole request.
pub(super) fn check_count(body: &Map<String, Value>, head: &Parts) -> Check {
    let whole = Value::Object(body.clone());
    fields::check(&whole, fields::COUNT, "")?;
    match field(&whole, "generateContentRequest", "generate_content_request").and_then(Value::as_object) {
        Some(request) if !has(request, "model") => {
            Err(Refusal::new("* CountTokensRequest.generate_content_request.model: model is required"))
        }
        Some(request) => {
            let mut request = request.clone();
            request.remove("model");
            check(&request, head)
        }
        None => contents::check(list(body.get("contents"))),
    }
}

fn generation(config: &Value) -> Check {
    let at = "GenerateContentRequest.generation_config";
    if let Some(object) = config.as_object() {
        for (name, low, high) in [("temperature", 0.0, 2.0), ("topP", 0.0, 1.0), ("candidateCount", 1.0, 8.0)]
        {
            if is_outside(object, name, low, high) {
                return Err(Refusal::new(format!("* {at}.{name}: must be in the range [{low}, {high}]")));
            }
        }
    }
    if list(field(config, "stopSequences", "stop_sequences")).len() > 5 {
        return Err(Refusal::new(format!("* {at}.stop_sequences: at most 5 stop sequences are allowed")));
    }
    if let Some(thinking) = field(config, "thinkingConfig", "thinking_config")
        && field(thinking, "thinkingBudget", "thinking_budget").is_some()
        && field(thinking, "thinkingLevel", "thinking_level").is_some()
    {
        return Err(Refusal::new("You can only set only one of thinking budget and thinking level."));
    }
    let older = field(config, "responseSchema", "response_schema");
    let newer = field(config, "responseJsonSchema", "response_json_schema");
    if older.is_some() && newer.is_some() {
        return Err(Refusal::new(format!(
            "* {at}.response_schema: set it or response_json_schema, not both"
        )));
    }
    let mime = field(config, "responseMimeType", "response_mime_type").and_then(Value::as_str);
    if (older.is_some() || newer.is_some()) && mime != Some("application/json") {
        let text = "* {at}.response_schema: only allowed with response_mime_type 'application/json'";
        return Err(Refusal::new(text.replace("{at}", at)));
    }
    schemas(older, newer, "generation_config.response_schema")
}

/// Looks through a schema in either of its two spellings.
fn schemas(older: Option<&Value>, newer: Option<&Value>, at: &str) -> Check {
    let refused = |keyword: String| Refusal::new(fields::unknown_name(&keyword, at));
    if let Some(older) = older {
        schema::keywords(older, OPENAPI_KEYWORDS).map_err(refused)?;
    }
    if let Some(newer) = newer {
        schema::keywords(newer, KEYWORDS).map_err(refused)?;
    }
    Ok(())
}

fn tools(body: &Value) -> Check {
    let declared: Vec<&Value> = list(body.get("tools"))
        .iter()
        .flat_map(|tool| list(field(tool, "functionDeclarations", "function_declarations")))
        .collect();
    for (at, function) in declared.iter().enumerate() {
        let place = format!("tools[0].function_declarations[{at}]");
        if !is_name(text_of(function, "name")) {
            return Err(Refusal::new(format!(
                "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an underscore."
            )));
        }
        let older = function.get("parameters");
        let newer = field(function, "parametersJsonSchema", "parameters_json_schema");
        if older.is_some() && newer.is_some() {
            return Err(Refusal::new(format!(
                "* {place}: set parameters or parameters_json_schema, not both"
            )));
        }
        schemas(older, newer, &format!("{place}.parameters"))?;
    }
    let config = field(body, "toolConfig", "tool_config");
    let Some(calling) =
        config.and_then(|config| field(config, "functionCallingConfig", "function_calling_config"))
    else {
        return Ok(());
    };
    let mode = text_of(calling, "mode").to_ascii_uppercase();
    let allowed = list(field(calling, "allowedFunctionNames", "allowed_function_names"));
    if !allowed.is_empty() && !matches!(mode.as_str(), "ANY" | "VALIDATED") {
        return Err(Refusal::new("allowed_function_names should only be set when mode is ANY or VALIDATED"));
    }
    let missing = allowed
        .iter()
        .filter_map(Value::as_str)
        .find(|name| !declared.iter().any(|function| text_of(function, "name") == *name));
    match missing {
        Some(name) => Err(Refusal::new(format!("allowed function name {name} is not declared"))),
        None if mode == "ANY" && declared.is_empty() => {
            Err(Refusal::new("Function calling config is set without function_declarations."))
        }
        None => Ok(()),
    }
}

/// Tells whether a function may have this name.
fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    first && name.len() <= 128 && name.chars().all(rest)
}
