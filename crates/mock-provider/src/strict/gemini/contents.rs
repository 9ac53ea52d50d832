//! The order of turns, and of calls, their results and their signatures.

use super::{Check, Refusal, list};
use crate::wire::{
    gemini::{CALL_ID, field},
    signature::{On, call_content, holds, sign},
    tools::text_of,
};
use serde_json::Value;

/// What the vendor documents for calls that its model did not make.
const FILLER: &str = "skip_thought_signature_validator";

/// Looks through the turns of a request.
pub(super) fn check(contents: &[Value]) -> Check {
    if contents.is_empty() {
        return Err(Refusal::new("* GenerateContentRequest.contents: contents is not specified"));
    }
    if text_of(&contents[0], "role") == "model" {
        return Err(Refusal::new("Please ensure that the first turn is a user turn."));
    }
    for (at, content) in contents.iter().enumerate() {
        if !matches!(text_of(content, "role"), "" | "user" | "model" | "function") {
            return Err(Refusal::new("Please use a valid role: user, model."));
        }
        let parts = parts(content);
        if parts.is_empty() {
            let text =
                format!("* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.");
            return Err(Refusal::new(text));
        }
        parts.iter().enumerate().try_for_each(|(index, part)| payload(part, at, index))?;
    }
    order(contents)?;
    signatures(contents)
}

fn parts(content: &Value) -> &[Value] {
    list(content.get("parts"))
}

fn call(part: &Value) -> Option<&Value> {
    field(part, "functionCall", "function_call")
}

fn response(part: &Value) -> Option<&Value> {
    field(part, "functionResponse", "function_response")
}

/// Looks at what a part holds: exactly one thing.
fn payload(part: &Value, at: usize, index: usize) -> Check {
    let place = format!("contents[{at}].parts[{index}]");
    let data = field(part, "inlineData", "inline_data");
    let file = field(part, "fileData", "file_data");
    let held = [part.get("text"), data, file, call(part), response(part)];
    let others = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];
    let count =
        held.iter().flatten().count() + others.iter().filter(|name| part.get(**name).is_some()).count();
    if count != 1 {
        return Err(Refusal::new(format!(
            "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field"
        )));
    }
    let signed = field(part, "thoughtSignature", "thought_signature").is_some();
    if part.get("text").and_then(Value::as_str) == Some("") && !signed {
        return Err(Refusal::new(format!("* GenerateContentRequest.{place}: text must not be empty")));
    }
    if let Some(data) = data
        && (text_of(data, "data").is_empty() || field(data, "mimeType", "mime_type").is_none())
    {
        return Err(Refusal::new(format!(
            "* GenerateContentRequest.{place}.inline_data: data and mime_type are required"
        )));
    }
    if let Some(response) = response(part)
        && (text_of(response, "name").is_empty() || !response.get("response").is_some_and(Value::is_object))
    {
        return Err(Refusal::new(format!(
            "* GenerateContentRequest.{place}.function_response.name: Name cannot be empty, and response is an object."
        )));
    }
    if let Some(id) = call(part).or(response(part)).map(|held| text_of(held, "id"))
        && !id.is_empty()
        && !id.starts_with(CALL_ID)
    {
        return Err(Refusal::new(format!(
            "* GenerateContentRequest.{place}: the id {id} is not one of a function call"
        )));
    }
    if let Some(call) = call(part)
        && text_of(call, "name").is_empty()
    {
        return Err(Refusal::new(format!(
            "* GenerateContentRequest.{place}.function_call.name: Name cannot be empty."
        )));
    }
    Ok(())
}

/// A turn of calls follows a user turn, and the next turn has as many results.
fn order(contents: &[Value]) -> Check {
    let count = |content: &Value, of: fn(&Value) -> Option<&Value>| {
        parts(content).iter().filter(|part| of(part).is_some()).count()
    };
    let is_model = |content: &Value| text_of(content, "role") == "model";
    for (at, content) in contents.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| contents.get(before));
        let calls = count(content, call);
        if calls > 0 && before.is_none_or(is_model) {
            return Err(Refusal::new(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            ));
        }
        let asked = before.map_or(0, |before| count(before, call));
        let answered = count(content, response);
        if asked != answered && (asked > 0 || answered > 0) {
            return Err(Refusal::new(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            ));
        }
        if calls > 0 && contents.get(at + 1).is_none() {
            return Err(Refusal::new(
                "Please ensure that a function call turn is followed by a function response turn.",
            ));
        }
    }
    Ok(())
}

/// Checks every signature, and that the first call of each step of the current turn has one. The current turn
/// begins after the last user turn that says something.
fn signatures(contents: &[Value]) -> Check {
    for part in contents.iter().flat_map(parts) {
        signature(part)?;
    }
    let speaks = |content: &Value| {
        text_of(content, "role") != "model" && !parts(content).iter().any(|part| response(part).is_some())
    };
    let current = contents.iter().rposition(speaks).map_or(0, |at| at + 1);
    for (step, content) in contents.iter().skip(current).enumerate() {
        let Some(first) = parts(content).iter().find(|part| call(part).is_some()) else { continue };
        if field(first, "thoughtSignature", "thought_signature").is_none() {
            let name = call(first).map(|call| text_of(call, "name")).unwrap_or_default();
            return Err(Refusal::new(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , position {}.",
                current + step + 1
            )));
        }
    }
    Ok(())
}

fn signature(part: &Value) -> Check {
    let Some(signature) = field(part, "thoughtSignature", "thought_signature").and_then(Value::as_str) else {
        return Ok(());
    };
    let holds = match call(part) {
        Some(call) => {
            let arguments =
                call.get("args").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            signature == FILLER
                || holds(signature, On::Call, &call_content(text_of(call, "name"), &arguments))
        }
        None => signature == sign(On::Text, ""),
    };
    if holds { Ok(()) } else { Err(Refusal::new("Thought signature is not valid.")) }
}
