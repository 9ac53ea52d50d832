//! What Responses refuses.

use super::{Check, Refusal, chat, has, is_outside, list, lists, unknown};
use crate::wire::{
    signature::{On, holds},
    tools::text_of,
};
use http::request::Parts;
use serde_json::{Map, Value};

const FIELDS: &str = "background context_management conversation include input instructions max_output_tokens \
    max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt \
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier \
    service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p \
    truncation user client_metadata";

/// Looks through a request.
pub(super) fn check(body: &Map<String, Value>, _: &Parts) -> Check {
    if let Some(name) = unknown(body, FIELDS) {
        return Err(Refusal::of(name, "unknown_parameter", format!("Unknown parameter: '{name}'.")));
    }
    parameters(body)?;
    for (at, tool) in list(body.get("tools")).iter().enumerate() {
        if let ("function", Some(function)) = (text_of(tool, "type"), tool.as_object()) {
            chat::function(function, &format!("tools[{at}]"))?;
        }
    }
    if let Some(format) = body.get("text").and_then(|text| text.get("format"))
        && text_of(format, "type") == "json_schema"
    {
        chat::json_schema(format, "text.format")?;
    }
    items(list(body.get("input")))
}

fn invalid(param: &str, message: impl Into<String>) -> Refusal {
    Refusal::of(param, "invalid_value", message)
}

fn parameters(body: &Map<String, Value>) -> Check {
    if is_outside(body, "max_output_tokens", 16.0, f64::MAX) {
        let text = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.";
        return Err(Refusal::of("max_output_tokens", "integer_below_min_value", text));
    }
    if let Some((name, ..)) = [("temperature", 2.0), ("top_p", 1.0)]
        .into_iter()
        .find(|(name, high)| is_outside(body, name, 0.0, *high))
    {
        return Err(invalid(name, format!("Invalid '{name}': the value is out of range.")));
    }
    let options = body.get("stream_options").and_then(Value::as_object);
    if let Some(options) = options {
        if body.get("stream") != Some(&Value::Bool(true)) {
            let text = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            return Err(invalid("stream_options", text));
        }
        if let Some(name) = unknown(options, "include_obfuscation") {
            let name = format!("stream_options.{name}");
            return Err(Refusal::of(
                name.clone(),
                "unknown_parameter",
                format!("Unknown parameter: '{name}'."),
            ));
        }
    }
    if has(body, "tool_choice")
        && list(body.get("tools")).is_empty()
        && !matches!(body.get("tool_choice").and_then(Value::as_str), Some("auto" | "none"))
    {
        return Err(invalid("tool_choice", "Tool choice must be specified with 'tools'."));
    }
    Ok(())
}

fn items(items: &[Value]) -> Check {
    let is_call = |item: &&Value| matches!(text_of(item, "type"), "function_call" | "custom_tool_call");
    let outputs = || items.iter().filter(|item| text_of(item, "type").ends_with("call_output"));
    for (at, item) in items.iter().enumerate() {
        let place = format!("input[{at}]");
        match text_of(item, "type") {
            "" | "message" => message(item, &place)?,
            "reasoning" => reasoning(item, &place)?,
            "function_call" => call(item, &place)?,
            "function_call_output" | "custom_tool_call_output" => {
                let id = text_of(item, "call_id");
                if !items.iter().take(at).filter(is_call).any(|call| text_of(call, "call_id") == id) {
                    let text = format!("No tool call found for function call output with call_id {id}.");
                    return Err(invalid(&place, text));
                }
            }
            _ => {}
        }
    }
    let missing = items
        .iter()
        .filter(is_call)
        .map(|call| text_of(call, "call_id"))
        .find(|id| !outputs().any(|output| text_of(output, "call_id") == *id));
    match missing {
        Some(id) => Err(invalid("input", format!("No tool output found for function call {id}."))),
        None => Ok(()),
    }
}

fn call(item: &Value, place: &str) -> Check {
    let id = text_of(item, "call_id");
    if id.is_empty() || id.len() > 64 {
        let text = format!("Invalid '{place}.call_id': expected a string with 1 to 64 characters.");
        return Err(invalid(&format!("{place}.call_id"), text));
    }
    own_id(item, "fc", place)?;
    if !item.get("arguments").is_some_and(Value::is_string) {
        return Err(invalid(&format!("{place}.arguments"), "Invalid type: expected a string."));
    }
    Ok(())
}

/// Looks at the id of an item, which says what the item is.
fn own_id(item: &Value, prefix: &str, place: &str) -> Check {
    let id = text_of(item, "id");
    if !id.is_empty() && !id.starts_with(prefix) {
        let text = format!("Invalid '{place}.id': '{id}'. Expected an ID that begins with '{prefix}'.");
        return Err(invalid(&format!("{place}.id"), text));
    }
    Ok(())
}

fn reasoning(item: &Value, place: &str) -> Check {
    own_id(item, "rs", place)?;
    if !item.get("summary").is_some_and(Value::is_array) {
        let text = format!("Missing required parameter: '{place}.summary'.");
        return Err(Refusal::of(format!("{place}.summary"), "missing_required_parameter", text));
    }
    let encrypted = text_of(item, "encrypted_content");
    if !encrypted.is_empty() && !holds(encrypted, On::Item, text_of(item, "id")) {
        let text = "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed.";
        return Err(Refusal::of(place, "invalid_encrypted_content", text));
    }
    Ok(())
}

fn message(item: &Value, place: &str) -> Check {
    let role = text_of(item, "role");
    let known = match role {
        "assistant" => "output_text refusal",
        "user" | "system" | "developer" => "input_text input_image input_file",
        other => return Err(invalid(&format!("{place}.role"), format!("Invalid value: '{other}'."))),
    };
    own_id(item, "msg", place)?;
    if !item.get("content").is_some_and(|content| content.is_string() || content.is_array()) {
        return Err(invalid(&format!("{place}.content"), "Missing required parameter: 'content'."));
    }
    for (at, part) in list(item.get("content")).iter().enumerate() {
        let kind = text_of(part, "type");
        let param = format!("{place}.content[{at}]");
        if !lists(known, kind) {
            return Err(invalid(&param, format!("Invalid value: '{kind}'. Supported values are: {known}.")));
        }
        let url = text_of(part, "image_url");
        if !url.is_empty()
            && !url.starts_with("https://")
            && !url.starts_with("http://")
            && !chat::is_image(url)
        {
            return Err(invalid(&param, "Invalid image_url: expected a URL or a base64 data URL."));
        }
    }
    Ok(())
}
