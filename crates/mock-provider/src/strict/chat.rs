//! What Chat Completions refuses.

use super::{Check, Refusal, has, is_base64, is_outside, is_plain, list, lists, schema, unknown};
use crate::wire::tools::text_of;
use http::request::Parts;
use serde_json::{Map, Value};

const FIELDS: &str = "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens \
    messages metadata modalities model moderation n parallel_tool_calls prediction presence_penalty \
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format \
    safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools \
    top_logprobs top_p user verbosity web_search_options";
const MESSAGE_FIELDS: &str = "annotations audio content function_call name reasoning reasoning_content reasoning_details refusal \
    role tool_call_id tool_calls";
const PARTS: &str = "text image_url input_audio file refusal";

/// Looks through a request.
pub(super) fn check(body: &Map<String, Value>, _: &Parts) -> Check {
    if let Some(name) = unknown(body, FIELDS) {
        return Err(unknown_parameter(name));
    }
    parameters(body)?;
    tools(body)?;
    if let Some(format) = body.get("response_format") {
        response_format(format, body)?;
    }
    messages(list(body.get("messages")))
}

fn unknown_parameter(name: &str) -> Refusal {
    Refusal::of(name, "unknown_parameter", format!("Unknown parameter: '{name}'."))
}

fn invalid(param: &str, message: impl Into<String>) -> Refusal {
    Refusal::of(param, "invalid_value", message)
}

fn parameters(body: &Map<String, Value>) -> Check {
    if has(body, "max_tokens") && has(body, "max_completion_tokens") {
        let text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(invalid("max_tokens", text));
    }
    if has(body, "stream_options") && body.get("stream") != Some(&Value::Bool(true)) {
        let text = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid("stream_options", text));
    }
    if list(body.get("stop")).len() > 4 {
        return Err(invalid(
            "stop",
            "Invalid 'stop': array too long. Expected an array with maximum length 4.",
        ));
    }
    if has(body, "top_logprobs") && body.get("logprobs") != Some(&Value::Bool(true)) {
        return Err(invalid("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is enabled."));
    }
    let ranges =
        [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("presence_penalty", -2.0, 2.0), ("n", 1.0, 128.0)];
    match ranges.into_iter().find(|(name, low, high)| is_outside(body, name, *low, *high)) {
        Some((name, low, high)) => {
            Err(invalid(name, format!("Invalid '{name}': expected a value from {low} to {high}.")))
        }
        None => Ok(()),
    }
}

fn tools(body: &Map<String, Value>) -> Check {
    let tools = list(body.get("tools"));
    if has(body, "tools") && tools.is_empty() {
        return Err(invalid("tools", "[] is too short - 'tools'"));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if has(body, name) && tools.is_empty() && body.get(name).and_then(Value::as_str) != Some("none") {
            return Err(invalid(name, format!("'{name}' is only allowed when 'tools' are specified.")));
        }
    }
    for (at, tool) in tools.iter().enumerate() {
        let kind = text_of(tool, "type");
        if !matches!(kind, "function" | "custom") {
            let param = format!("tools[{at}].type");
            return Err(invalid(
                &param,
                format!("Invalid value: '{kind}'. Supported values are: 'function' and 'custom'."),
            ));
        }
        let Some(inner) = tool.get(kind).and_then(Value::as_object) else {
            let param = format!("tools[{at}].{kind}");
            return Err(invalid(&param, format!("Missing required parameter: '{param}'.")));
        };
        function(inner, &format!("tools[{at}].{kind}"))?;
    }
    Ok(())
}

/// Looks through a declared function, as Chat Completions and Responses spell it.
pub(super) fn function(function: &Map<String, Value>, param: &str) -> Check {
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_plain(name, 64) {
        let text = format!("Invalid '{param}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.");
        return Err(invalid(&format!("{param}.name"), text));
    }
    let strict = function.get("strict") == Some(&Value::Bool(true));
    if let (true, Some(parameters)) = (strict, function.get("parameters")) {
        schema::enforced(parameters, true).map_err(|problem| {
            let text = format!("Invalid schema for function '{name}': {problem}.");
            Refusal::of(format!("{param}.parameters"), "invalid_function_parameters", text)
        })?;
    }
    Ok(())
}

fn response_format(format: &Value, body: &Map<String, Value>) -> Check {
    match text_of(format, "type") {
        "text" => Ok(()),
        "json_object" => {
            let all = body.get("messages").map(Value::to_string).unwrap_or_default();
            if all.to_lowercase().contains("json") {
                return Ok(());
            }
            let text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            Err(invalid("messages", text))
        }
        "json_schema" => {
            let inner = format.get("json_schema").cloned().unwrap_or_default();
            json_schema(&inner, "response_format.json_schema")
        }
        other => Err(invalid("response_format.type", format!("Invalid value: '{other}'."))),
    }
}

/// Looks through a named schema of an answer, as Chat Completions and Responses spell it.
pub(super) fn json_schema(format: &Value, param: &str) -> Check {
    let name = text_of(format, "name");
    if !is_plain(name, 64) {
        let text =
            format!("Missing required parameter: '{param}.name', or it does not match '^[a-zA-Z0-9_-]+$'.");
        return Err(invalid(&format!("{param}.name"), text));
    }
    if let (Some(Value::Bool(true)), Some(inner)) = (format.get("strict"), format.get("schema")) {
        schema::enforced(inner, true).map_err(|problem| {
            invalid(param, format!("Invalid schema for response_format '{name}': {problem}."))
        })?;
    }
    Ok(())
}

fn messages(messages: &[Value]) -> Check {
    if messages.is_empty() {
        return Err(Refusal::of("messages", "empty_array", "Invalid 'messages': empty array."));
    }
    // Calls of the assistant turn before that have no result yet.
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let place = format!("messages[{at}]");
        if let Some(name) = message.as_object().and_then(|message| unknown(message, MESSAGE_FIELDS)) {
            return Err(unknown_parameter(&format!("{place}.{name}")));
        }
        let role = text_of(message, "role");
        if role == "tool" {
            result(message, &place, &mut open)?;
            continue;
        }
        if let Some(id) = open.first() {
            let text = format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {id}"
            );
            return Err(invalid(&place, text));
        }
        match role {
            "system" | "developer" | "user" | "function" => content(message, &place)?,
            "assistant" => open = calls(message, &place)?,
            other => return Err(invalid(&format!("{place}.role"), format!("Invalid value: '{other}'."))),
        }
    }
    match open.first() {
        Some(id) => Err(invalid("messages", format!("No tool message answers the tool_call_id {id}."))),
        None => Ok(()),
    }
}

fn result(message: &Value, place: &str, open: &mut Vec<&str>) -> Check {
    let id = text_of(message, "tool_call_id");
    let Some(index) = open.iter().position(|known| *known == id) else {
        let text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
        return Err(invalid(&format!("{place}.role"), format!("Invalid parameter: {text}")));
    };
    open.swap_remove(index);
    let only_text = list(message.get("content")).iter().all(|part| text_of(part, "type") == "text");
    if message.get("content").is_none_or(Value::is_null) || !only_text {
        return Err(invalid(&format!("{place}.content"), "Tool messages hold a string or text parts."));
    }
    Ok(())
}

/// Looks through an assistant turn and gives the ids of its calls.
fn calls<'a>(message: &'a Value, place: &str) -> Result<Vec<&'a str>, Refusal> {
    let calls = list(message.get("tool_calls"));
    let says = |name| message.get(name).is_some_and(|value| !value.is_null());
    if says("content") {
        content(message, place)?;
    } else if calls.is_empty() && !says("refusal") && !says("function_call") && !says("audio") {
        let text = format!("Invalid value for 'content': expected a string, got null in {place}.");
        return Err(invalid(&format!("{place}.content"), text));
    }
    let mut ids = Vec::with_capacity(calls.len());
    for (at, call) in calls.iter().enumerate() {
        let place = format!("{place}.tool_calls[{at}]");
        if let Some(name) = call.as_object().and_then(|call| unknown(call, "id type function custom index")) {
            return Err(unknown_parameter(&format!("{place}.{name}")));
        }
        let id = text_of(call, "id");
        if id.is_empty() || id.len() > 64 {
            let text = format!("Invalid '{place}.id': expected a string with 1 to 64 characters.");
            return Err(invalid(&format!("{place}.id"), text));
        }
        let inner = call.get(text_of(call, "type"));
        let name = inner.map(|inner| text_of(inner, "name")).unwrap_or_default();
        let said = inner.and_then(|inner| inner.get("arguments").or_else(|| inner.get("input")));
        if !is_plain(name, 64) || !said.is_some_and(Value::is_string) {
            let text = format!("Invalid type for '{place}': expected a name and arguments as a string.");
            return Err(invalid(&place, text));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn content(message: &Value, place: &str) -> Check {
    let parts = match message.get("content") {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(parts)) if !parts.is_empty() => parts,
        _ => {
            let text = format!("Invalid type for '{place}.content': expected a string or an array of parts.");
            return Err(invalid(&format!("{place}.content"), text));
        }
    };
    for (at, part) in parts.iter().enumerate() {
        let kind = text_of(part, "type");
        if !lists(PARTS, kind) {
            let param = format!("{place}.content[{at}].type");
            return Err(invalid(&param, format!("Invalid value: '{kind}'. Supported values are: {PARTS}.")));
        }
        let url = part.get("image_url").map(|image| text_of(image, "url"));
        if url
            .is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://") && !is_image(url))
        {
            let param = format!("{place}.content[{at}].image_url");
            return Err(Refusal::of(
                param,
                "invalid_image_url",
                "Invalid image_url: expected a URL or a base64 data URL.",
            ));
        }
    }
    Ok(())
}

/// Tells whether a URL holds an image by itself.
pub(super) fn is_image(url: &str) -> bool {
    let data = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"));
    data.is_some_and(|(_, data)| is_base64(data))
}
