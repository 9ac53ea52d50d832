//! JSON schemas as each vendor takes them.

use serde_json::{Map, Value};

/// How deep schemas are followed; deeper ones are refused by every vendor.
const DEPTH: u32 = 32;

/// Finds what OpenAI's and Anthropic's enforced schemas may not have: an object that is not closed, and, where
/// `all_required`, a property that may be left out.
pub(super) fn enforced(schema: &Value, all_required: bool) -> Result<(), String> {
    walk(schema, DEPTH, &|object| {
        let properties = object.get("properties").and_then(Value::as_object);
        let is_object = object.get("type").and_then(Value::as_str) == Some("object") || properties.is_some();
        if !is_object {
            return Ok(());
        }
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err("'additionalProperties' is required to be supplied and to be false".to_owned());
        }
        let required = super::list(object.get("required"));
        let missing = properties.and_then(|properties| {
            properties.keys().find(|name| !required.iter().any(|known| known.as_str() == Some(name)))
        });
        match missing {
            Some(name) if all_required => {
                Err(format!("'required' is required to be supplied and to include '{name}'"))
            }
            _ => Ok(()),
        }
    })
}

/// Finds a keyword that is not among `known`.
pub(super) fn keywords(schema: &Value, known: &str) -> Result<(), String> {
    walk(schema, DEPTH, &|object| match super::unknown(object, known) {
        Some(keyword) => Err(keyword.to_owned()),
        None => Ok(()),
    })
}

/// Shows every schema within a schema to `judge`.
fn walk(
    schema: &Value,
    depth: u32,
    judge: &dyn Fn(&Map<String, Value>) -> Result<(), String>,
) -> Result<(), String> {
    let Value::Object(object) = schema else { return Ok(()) };
    let Some(depth) = depth.checked_sub(1) else { return Err("the schema is too deep".to_owned()) };
    judge(object)?;
    for (keyword, value) in object {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values().try_for_each(|inner| walk(inner, depth, judge))?;
            }
            ("items" | "additionalProperties", inner) => walk(inner, depth, judge)?,
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                list.iter().try_for_each(|inner| walk(inner, depth, judge))?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_enforced_schema_is_closed_all_the_way_down() {
        let inner = json!({"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]});
        let outer = |inner| {
            json!({"type": "object", "additionalProperties": false, "required": ["a"],
                "properties": {"a": {"type": "array", "items": inner}}})
        };
        assert!(enforced(&outer(inner.clone()), true).unwrap_err().contains("additionalProperties"));
        let mut closed = inner;
        closed["additionalProperties"] = json!(false);
        assert_eq!(enforced(&outer(closed.clone()), true), Ok(()));
        closed["required"] = json!([]);
        assert!(enforced(&outer(closed.clone()), true).unwrap_err().ends_with("include 'b'"));
        assert_eq!(enforced(&outer(closed), false), Ok(()));
    }

    #[test]
    fn names_of_properties_are_no_keywords() {
        let schema = json!({"type": "object", "properties": {"$schema": {"type": "string", "minLength": 1}}});
        assert_eq!(keywords(&schema, "type properties"), Err("minLength".to_owned()));
        assert_eq!(keywords(&schema, "type properties minLength"), Ok(()));
    }
}
