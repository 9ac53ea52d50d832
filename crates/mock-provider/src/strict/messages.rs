//! What Anthropic's Messages refuses.

mod blocks;
mod turns;

use super::{Check, Refusal, has, is_outside, is_plain, list, schema, unknown};
use crate::wire::tools::text_of;
use http::request::Parts;
use serde_json::{Map, Value};

const FIELDS: &str = "cache_control container diagnostics inference_geo max_tokens messages metadata model \
    output_config service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p";
/// Taken only together with an `anthropic-beta` header.
const BETA_FIELDS: &str = "betas context_management mcp_servers output_format fallbacks";
const COUNT_FIELDS: &str =
    "cache_control messages model output_config speed system thinking tool_choice tools";
/// Keywords of schemas that are enforced; `$schema` is sent by SDKs in wide use.
const KEYWORDS: &str = "$schema $defs $ref additionalProperties allOf anyOf const description enum format items minItems \
    properties required title type default";
/// Cache marks that a request may have.
const CACHE_MARKS: usize = 4;

/// Looks through a request for an answer.
pub(super) fn check(body: &Map<String, Value>, head: &Parts) -> Check {
    let version = head.headers.get("anthropic-version").and_then(|value| value.to_str().ok());
    let current = match version {
        Some("2023-06-01") => false,
        Some("2026-10-21") => true,
        other => {
            let text = format!("anthropic-version: {} is not a valid version", other.unwrap_or_default());
            return Err(Refusal::new(text));
        }
    };
    known_fields(body, FIELDS, head)?;
    sampling(body, current)?;
    thinking(body)?;
    let blank = |stop: &&Value| stop.as_str().is_none_or(|stop| stop.trim().is_empty());
    if list(body.get("stop_sequences")).iter().any(|stop| blank(&stop)) {
        return Err(Refusal::new("stop_sequences: each stop sequence must contain non-whitespace"));
    }
    if let Some(format) = body.get("output_config").and_then(|config| config.get("format")) {
        output_format(format)?;
    }
    prompt(body)
}

/// Looks through a request for a count.
pub(super) fn check_count(body: &Map<String, Value>, head: &Parts) -> Check {
    known_fields(body, COUNT_FIELDS, head)?;
    prompt(body)
}

fn known_fields(body: &Map<String, Value>, known: &str, head: &Parts) -> Check {
    let beta = if head.headers.contains_key("anthropic-beta") { BETA_FIELDS } else { "" };
    match unknown(body, &format!("{known} {beta}")) {
        Some(name) => Err(extra(name)),
        None => Ok(()),
    }
}

fn extra(place: &str) -> Refusal {
    Refusal::new(format!("{place}: Extra inputs are not permitted"))
}

fn prompt(body: &Map<String, Value>) -> Check {
    tools(body)?;
    system(body.get("system"))?;
    let messages = list(body.get("messages"));
    if messages.is_empty() {
        return Err(Refusal::new("messages: at least one message is required"));
    }
    turns::check(messages, thinks(body))?;
    let uses_tools = messages
        .iter()
        .any(|message| list(message.get("content")).iter().any(|block| text_of(block, "type") == "tool_use"));
    if uses_tools && list(body.get("tools")).is_empty() {
        let text = "Requests which include `tool_use` or `tool_result` blocks must define tools";
        return Err(Refusal::new(text));
    }
    let marks = Value::Object(body.clone()).to_string().matches(r#""cache_control":{"#).count();
    if marks > CACHE_MARKS {
        let text = format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}.");
        return Err(Refusal::new(text));
    }
    Ok(())
}

fn thinks(body: &Map<String, Value>) -> bool {
    let kind = body.get("thinking").map(|thinking| text_of(thinking, "type"));
    matches!(kind, Some("enabled" | "adaptive"))
}

fn sampling(body: &Map<String, Value>, current: bool) -> Check {
    for name in ["temperature", "top_p", "top_k"] {
        if current && has(body, name) {
            return Err(extra(name));
        }
    }
    if is_outside(body, "temperature", 0.0, 1.0) {
        return Err(Refusal::new("temperature: range: 0..1"));
    }
    if is_outside(body, "top_p", 0.0, 1.0) {
        return Err(Refusal::new("top_p: range: 0..1"));
    }
    Ok(())
}

fn thinking(body: &Map<String, Value>) -> Check {
    let Some(thinking) = body.get("thinking").and_then(Value::as_object) else { return Ok(()) };
    if let Some(name) = unknown(thinking, "type budget_tokens display") {
        return Err(extra(&format!("thinking.{name}")));
    }
    let kind = thinking.get("type").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "enabled" | "adaptive" | "disabled" | "between_tools") {
        return Err(Refusal::new(format!(
            "thinking: Input tag '{kind}' does not match any of the expected tags"
        )));
    }
    if kind != "enabled" {
        return Ok(());
    }
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
    let limit = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
    if budget < 1_024 {
        let text = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
        return Err(Refusal::new(text));
    }
    if budget >= limit {
        return Err(Refusal::new("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    let choice = body.get("tool_choice").map(|choice| text_of(choice, "type"));
    if matches!(choice, Some("any" | "tool")) {
        return Err(Refusal::new("Thinking may not be enabled when tool_choice forces tool use."));
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature != 1.0) {
        return Err(Refusal::new("`temperature` may only be set to 1 when thinking is enabled."));
    }
    Ok(())
}

fn output_format(format: &Value) -> Check {
    if text_of(format, "type") != "json_schema" {
        return Err(Refusal::new("output_config.format.type: Input should be 'json_schema'"));
    }
    let Some(object) = format.as_object() else { return Ok(()) };
    if let Some(name) = unknown(object, "type schema") {
        return Err(extra(&format!("output_config.format.{name}")));
    }
    enforced("output_config.format.schema", format.get("schema"))
}

/// Looks through a schema that is enforced.
fn enforced(place: &str, inner: Option<&Value>) -> Check {
    let Some(inner) = inner else { return Err(Refusal::new(format!("{place}: Field required"))) };
    schema::enforced(inner, false).map_err(|problem| Refusal::new(format!("{place}: {problem}")))?;
    schema::keywords(inner, KEYWORDS)
        .map_err(|keyword| Refusal::new(format!("{place}: property '{keyword}' is not supported")))
}

fn tools(body: &Map<String, Value>) -> Check {
    let tools = list(body.get("tools"));
    for (at, tool) in tools.iter().enumerate() {
        // Server tools have a dated type and fields of their own.
        if !matches!(text_of(tool, "type"), "" | "custom") {
            continue;
        }
        let place = format!("tools.{at}.custom");
        let known = "allowed_callers cache_control defer_loading description eager_input_streaming input_examples \
            input_schema name strict type";
        if let Some(name) = tool.as_object().and_then(|tool| unknown(tool, known)) {
            return Err(extra(&format!("{place}.{name}")));
        }
        if !is_plain(text_of(tool, "name"), 128) {
            return Err(Refusal::new(format!(
                "{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        let schema = tool.get("input_schema");
        if schema.map(|schema| text_of(schema, "type")) != Some("object") {
            return Err(Refusal::new(format!("{place}.input_schema.type: Field required")));
        }
        if tool.get("strict") == Some(&Value::Bool(true)) {
            enforced(&format!("{place}.input_schema"), schema)?;
        }
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    if tools.is_empty() {
        return Err(Refusal::new("tool_choice may only be specified while providing tools"));
    }
    match text_of(choice, "type") {
        "auto" | "any" => Ok(()),
        "none" if choice.get("disable_parallel_tool_use").is_some() => {
            Err(extra("tool_choice.none.disable_parallel_tool_use"))
        }
        "none" => Ok(()),
        "tool" if tools.iter().any(|tool| text_of(tool, "name") == text_of(choice, "name")) => Ok(()),
        "tool" => {
            Err(Refusal::new(format!("Tool '{}' not found in provided tools", text_of(choice, "name"))))
        }
        other => Err(Refusal::new(format!(
            "tool_choice: Input tag '{other}' does not match any of the expected tags"
        ))),
    }
}

fn system(system: Option<&Value>) -> Check {
    for (at, block) in list(system).iter().enumerate() {
        if text_of(block, "type") != "text" {
            return Err(Refusal::new(format!("system.{at}.type: Input should be 'text'")));
        }
        blocks::check(block, &format!("system.{at}"), "system")?;
    }
    Ok(())
}
