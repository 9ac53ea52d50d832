//! The fields of each message. The API refuses every other name.

use super::{Check, Refusal};
use serde_json::{Map, Value};

/// A message's fields: in lowerCamelCase, each with the message that it holds, if that is looked into.
pub(super) type Message = &'static [(&'static str, Option<Field>)];

/// A field that holds a message, or a list of them.
#[derive(Clone, Copy)]
pub(super) struct Field(fn() -> Message);

const fn of(message: fn() -> Message) -> Option<Field> {
    Some(Field(message))
}

pub(super) const REQUEST: Message = &[
    ("contents", of(|| CONTENT)),
    ("systemInstruction", of(|| CONTENT)),
    ("tools", of(|| TOOL)),
    ("toolConfig", of(|| TOOL_CONFIG)),
    ("generationConfig", of(|| GENERATION)),
    ("safetySettings", None),
    ("cachedContent", None),
    ("labels", None),
    ("serviceTier", None),
    ("store", None),
    ("continuationToken", None),
    ("model", None),
];
pub(super) const COUNT: Message = &[("contents", of(|| CONTENT)), ("generateContentRequest", of(|| REQUEST))];
const CONTENT: Message = &[("role", None), ("parts", of(|| PART))];
const PART: Message = &[
    ("text", None),
    ("inlineData", of(|| &[("mimeType", None), ("data", None), ("displayName", None)])),
    ("fileData", of(|| &[("mimeType", None), ("fileUri", None), ("displayName", None)])),
    ("functionCall", of(|| &[("name", None), ("args", None), ("id", None)])),
    ("functionResponse", of(|| RESPONSE)),
    ("executableCode", None),
    ("codeExecutionResult", None),
    ("toolCall", None),
    ("toolResponse", None),
    ("thought", None),
    ("thoughtSignature", None),
    ("mediaResolution", None),
    ("videoMetadata", None),
    ("partMetadata", None),
];
const RESPONSE: Message = &[
    ("name", None),
    ("response", None),
    ("id", None),
    ("parts", None),
    ("willContinue", None),
    ("scheduling", None),
];
const TOOL: Message = &[
    ("functionDeclarations", of(|| FUNCTION)),
    ("googleSearch", None),
    ("urlContext", None),
    ("codeExecution", None),
    ("googleSearchRetrieval", None),
    ("computerUse", None),
    ("googleMaps", None),
    ("fileSearch", None),
];
const FUNCTION: Message = &[
    ("name", None),
    ("description", None),
    ("parameters", None),
    ("parametersJsonSchema", None),
    ("response", None),
    ("responseJsonSchema", None),
    ("behavior", None),
];
const TOOL_CONFIG: Message = &[
    ("functionCallingConfig", of(|| &[("mode", None), ("allowedFunctionNames", None)])),
    ("retrievalConfig", None),
    ("includeServerSideToolInvocations", None),
];
const GENERATION: Message = &[
    ("temperature", None),
    ("topP", None),
    ("topK", None),
    ("candidateCount", None),
    ("maxOutputTokens", None),
    ("stopSequences", None),
    ("seed", None),
    ("presencePenalty", None),
    ("frequencyPenalty", None),
    ("responseLogprobs", None),
    ("logprobs", None),
    ("responseMimeType", None),
    ("responseSchema", None),
    ("responseJsonSchema", None),
    ("responseFormat", None),
    ("responseModalities", None),
    ("mediaResolution", None),
    ("speechConfig", None),
    ("imageConfig", None),
    ("enableEnhancedCivicAnswers", None),
    (
        "thinkingConfig",
        of(|| &[("includeThoughts", None), ("thinkingBudget", None), ("thinkingLevel", None)]),
    ),
];

/// Says what the API says about a name that it does not know.
pub(super) fn unknown_name(name: &str, at: &str) -> String {
    let at = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
    format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")
}

/// Looks for names that a message does not have. Recursion ends with the tables, which are finite.
pub(super) fn check(value: &Value, message: Message, at: &str) -> Check {
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().try_for_each(|(index, element)| match element {
                Value::Object(object) => names(object, message, &format!("{at}[{index}]")),
                _ => Ok(()),
            })
        }
        Value::Object(object) => names(object, message, at),
        _ => Ok(()),
    }
}

fn names(object: &Map<String, Value>, message: Message, at: &str) -> Check {
    for (name, value) in object {
        let camel = camel(name);
        let Some((_, inner)) = message.iter().find(|(known, _)| *known == camel) else {
            return Err(Refusal::new(unknown_name(name, at)));
        };
        if let Some(Field(inner)) = inner {
            let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            check(value, inner(), &place)?;
        }
    }
    Ok(())
}

/// Spells a snake_case name as lowerCamelCase; the API takes both.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut rest = word.chars();
        out.extend(rest.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(rest.as_str());
    }
    out
}
