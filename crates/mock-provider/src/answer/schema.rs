//! Values that a JSON schema asks for: arguments of calls, and structured answers.

use serde_json::Value;

/// How deep a value follows its schema.
const DEPTH: u32 = 8;

/// Makes a value that a schema's `type`, `enum`, `const` and `required` ask for.
pub(crate) fn sample(schema: &Value) -> Value {
    value(schema, DEPTH)
}

fn value(schema: &Value, depth: u32) -> Value {
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    // Nullable fields are spelled as lists of types; the first one is the field's own.
    let named = match schema.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    // Gemini's own schemas spell types in upper case.
    match named.unwrap_or("object").to_ascii_lowercase().as_str() {
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
            let sample = field.map_or_else(|| "mock".into(), |field| value(field, depth - 1));
            object.insert(name.to_owned(), sample);
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sample_has_what_the_schema_requires() {
        let schema = json!({"type": "object", "required": ["city", "unit", "days", "where", "note"], "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}, "days": {"type": "INTEGER"},
            "where": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}},
            "note": {"type": ["string", "null"]}, "left_out": {"type": "string"},
        }});
        let expected =
            json!({"city": "mock", "unit": "celsius", "days": 1, "where": {"x": 1}, "note": "mock"});
        assert_eq!(sample(&schema), expected);
        assert_eq!(sample(&Value::Null), json!({}));
    }
}
