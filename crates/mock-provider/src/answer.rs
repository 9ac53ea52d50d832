//! What an answer says, before any API's spelling: text or a tool call, an id and usage.

use crate::{
    script::{Reply, Usage},
    text::Text,
};
use serde_json::Value;

/// The bytes of one token of filler when the script does not say.
const TOKEN_BYTES: u64 = 8;
/// The same for filler that is given by its whole size.
const LARGE_TOKEN_BYTES: u64 = 16_384;
/// The bytes of one piece of a streamed tool call's arguments.
const ARGUMENT_BYTES: usize = 8;
/// How deep the arguments of a tool call follow its schema.
const SCHEMA_DEPTH: u32 = 8;

/// A request, as far as the answer depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ask {
    /// The model asked for.
    pub(crate) model: String,
    /// Tells whether a stream is wanted.
    pub(crate) stream: bool,
    /// Tells whether a stream is to end with usage (Chat Completions only).
    pub(crate) include_usage: bool,
    /// The tool to call, when the request leads to a call.
    pub(crate) tool: Option<Tool>,
}

/// A tool to be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: String,
    /// The schema of its arguments, or null.
    pub(crate) schema: Value,
}

/// An answer in no API's spelling.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Makes the ids of the answer; the same request gives the same one.
    pub(crate) id: u64,
    /// The model asked for.
    pub(crate) model: String,
    /// What is said.
    pub(crate) content: Content,
    /// What the answer reports.
    pub(crate) usage: Usage,
    /// Tells whether a Chat Completions stream ends with usage.
    pub(crate) include_usage: bool,
}

/// The content of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Text.
    Text(Text),
    /// A call of a tool with this name; the arguments are a JSON object.
    ToolCall { name: String, arguments: Text },
}

impl Content {
    /// Gives the text, or the arguments of the call.
    pub(crate) fn text(&self) -> &Text {
        match self {
            Content::Text(text) => text,
            Content::ToolCall { arguments, .. } => arguments,
        }
    }
}

impl Answer {
    /// Answers `ask`, whose body has `body_bytes` bytes and the hash `hash`, as the mock `name`.
    pub(crate) fn new(name: &str, ask: Ask, body_bytes: u64, hash: u128, reply: &Reply) -> Self {
        let id = hash as u64;
        let content = match ask.tool {
            Some(tool) => Content::ToolCall {
                arguments: Text::runs(arguments(&tool.schema, SCHEMA_DEPTH).to_string(), ARGUMENT_BYTES),
                name: tool.name,
            },
            None => Content::Text(text(name, body_bytes, id, reply)),
        };
        let counted = Usage { input_tokens: tokens_of(body_bytes), output_tokens: content.text().tokens() };
        Self {
            id,
            model: ask.model,
            content,
            usage: reply.usage.unwrap_or(counted),
            include_usage: ask.include_usage,
        }
    }
}

/// Counts the tokens of `bytes` bytes: a quarter, rounded up, at least one.
pub(crate) fn tokens_of(bytes: u64) -> u64 {
    bytes.div_ceil(4).max(1)
}

fn text(name: &str, body_bytes: u64, id: u64, reply: &Reply) -> Text {
    if let Some(text) = &reply.text {
        return Text::words(text.clone());
    }
    if let Some(total) = reply.total_bytes {
        return Text::filler(total, reply.token_bytes.unwrap_or(LARGE_TOKEN_BYTES));
    }
    if let Some(tokens) = reply.tokens {
        let token = reply.token_bytes.unwrap_or(TOKEN_BYTES);
        return Text::filler(tokens.saturating_mul(token), token);
    }
    Text::words(format!("{name} read {body_bytes} bytes with hash {id:016x}."))
}

/// Makes a value that a schema's `type`, `enum`, `const` and `required` ask for.
fn arguments(schema: &Value, depth: u32) -> Value {
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    // Gemini's own schemas spell types in upper case.
    match schema.get("type").and_then(Value::as_str).unwrap_or("object").to_ascii_lowercase().as_str() {
        "string" => "mock".into(),
        "integer" | "number" => 1.into(),
        "boolean" => true.into(),
        "array" => Value::Array(Vec::new()),
        "null" => Value::Null,
        _ => required_fields(schema, depth),
    }
}

fn required_fields(schema: &Value, depth: u32) -> Value {
    let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut object = serde_json::Map::new();
    if depth > 0 {
        for name in required.iter().filter_map(Value::as_str) {
            let field = schema.get("properties").and_then(|fields| fields.get(name));
            let value = field.map_or_else(|| "mock".into(), |field| arguments(field, depth - 1));
            object.insert(name.to_owned(), value);
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_have_what_the_schema_requires() {
        let schema = json!({"type": "object", "required": ["city", "unit", "days", "where"], "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}, "days": {"type": "INTEGER"},
            "where": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}},
            "left_out": {"type": "string"},
        }});
        let expected = json!({"city": "mock", "unit": "celsius", "days": 1, "where": {"x": 1}});
        assert_eq!(arguments(&schema, SCHEMA_DEPTH), expected);
        assert_eq!(arguments(&Value::Null, SCHEMA_DEPTH), json!({}));
    }

    #[test]
    fn the_same_request_gives_the_same_answer() {
        let make = || Answer::new("m", Ask::default(), 41, 7, &Reply::default());
        assert_eq!(make().content.text().as_str(), "m read 41 bytes with hash 0000000000000007.");
        assert_eq!(make().usage, Usage { input_tokens: 11, output_tokens: 7 });
    }

    #[test]
    fn filler_counts_the_tokens_that_were_ordered() {
        let reply = Reply { tokens: Some(200), token_bytes: Some(4), ..Reply::default() };
        let answer = Answer::new("m", Ask::default(), 1, 7, &reply);
        assert_eq!(answer.usage.output_tokens, 200);
    }
}
