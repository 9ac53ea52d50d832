//! JSON schemas as each provider takes them (`golden/schema.json`).

mod merge;
mod openapi;
mod references;
#[cfg(test)]
mod tests;
mod write;

use crate::form::Refused;
use serde_json::Value;
use write::{Flavour, Writer};

/// Writes a schema in the subset of JSON Schema that Gemini's `parametersJsonSchema` and `responseJsonSchema` take
/// (§5.3 of the wire formats). What the subset cannot say goes into `description`.
///
/// # Errors
/// For a reference that leads nowhere, or to itself in a required place; for a schema that is nested too deeply, or
/// that grows far beyond its size when its references are put in; `path` names the schema.
pub(crate) fn for_gemini(schema: &Value, path: &str) -> Result<Value, Refused> {
    Writer::write(schema, Flavour::Gemini, path)
}

/// Writes a schema in the subset that Anthropic takes for `strict` tools and `output_config.format` (§4.3 of the
/// wire formats). What the subset cannot say goes into `description`.
///
/// # Errors
/// As [`for_gemini`].
pub(crate) fn for_anthropic(schema: &Value, path: &str) -> Result<Value, Refused> {
    Writer::write(schema, Flavour::Anthropic, path)
}

/// Reads the OpenAPI-like schema of Gemini's `parameters` and `responseSchema` as JSON Schema, in either spelling
/// of its field names.
pub(crate) fn from_openapi(schema: Value) -> Value {
    openapi::read(schema)
}
