//! Lists of models, in each family's shape.

use super::CREATED;
use crate::script::Family;
use bytes::Bytes;
use serde_json::{Value, json};

/// The models that are listed when the script names none.
pub(crate) fn usual(family: Family) -> &'static [&'static str] {
    match family {
        Family::Anthropic => &["claude-opus-5-5", "claude-sonnet-5"],
        Family::OpenAi => &["gpt-6-astra", "gpt-6-mini", "text-embedding-3-small"],
        Family::Gemini => &["gemini-3.8-flash", "gemini-3.8-pro", "gemini-embedding-001"],
    }
}

/// Writes a list.
pub(crate) fn list<'a>(family: Family, names: impl Iterator<Item = &'a str>) -> Bytes {
    let models: Vec<Value> = names.map(|name| describe(family, name)).collect();
    let list = match family {
        Family::OpenAi => json!({"object": "list", "data": models}),
        Family::Anthropic => {
            let id = |model: Option<&Value>| model.map(|model| model["id"].clone());
            json!({"has_more": false, "first_id": id(models.first()), "last_id": id(models.last()), "data": models})
        }
        Family::Gemini => json!({ "models": models }),
    };
    list.to_string().into()
}

/// Writes one model.
pub(crate) fn one(family: Family, name: &str) -> Bytes {
    describe(family, name).to_string().into()
}

fn describe(family: Family, name: &str) -> Value {
    match family {
        Family::OpenAi => {
            json!({"id": name, "object": "model", "created": CREATED, "owned_by": "mock", "shutdown_date": null})
        }
        Family::Anthropic => json!({
            "type": "model", "id": name, "display_name": name, "created_at": "2026-09-01T00:00:00Z",
            "lifecycle": "active", "deprecated_at": null, "retires_at": null, "line": "mock",
            "max_input_tokens": 1_000_000, "max_tokens": 128_000, "capabilities": capabilities(),
        }),
        Family::Gemini => json!({
            "name": format!("models/{name}"), "version": "001", "displayName": name,
            "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
            "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": false,
        }),
    }
}

fn capabilities() -> Value {
    let yes = json!({"supported": true});
    let no = json!({"supported": false});
    json!({
        "batch": no, "citations": no, "code_execution": no, "image_input": yes, "pdf_input": yes,
        "structured_outputs": no,
        "context_management": {"supported": false, "clear_thinking_20251015": no,
            "clear_tool_uses_20250919": no, "compact_20260112": no},
        "effort": {"supported": false, "low": no, "medium": no, "high": no, "xhigh": no, "max": no},
        "server_tools": {"supported": false, "code_execution": no, "web_search": no},
        "thinking": {"supported": false,
            "types": {"adaptive": no, "between_tools": no, "disabled": yes, "enabled": no}},
    })
}
