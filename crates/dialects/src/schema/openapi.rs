//! Reading Gemini's OpenAPI-like schemas (§5.3 of the wire formats).

use serde_json::{Map, Number, Value, json};

/// Reads one as JSON Schema. What it does not know stays as it is.
pub(super) fn read(schema: Value) -> Value {
    let Value::Object(map) = schema else { return schema };
    let mut out = Map::new();
    let (mut nullable, mut ordering) = (false, Vec::new());
    for (key, value) in map {
        match (known(&key), value) {
            ("nullable", value) => nullable = value == Value::Bool(true),
            ("propertyOrdering", Value::Array(names)) => ordering = names,
            ("type", Value::String(of)) => {
                let of = of.to_ascii_lowercase();
                if of != "type_unspecified" {
                    out.insert(key, Value::String(of));
                }
            }
            // Says only that `enum` is there.
            ("format", Value::String(format)) if format == "enum" => {}
            ("example", value) => _ = out.insert("examples".to_owned(), json!([value])),
            ("properties", Value::Object(properties)) => {
                let read_each = properties.into_iter().map(|(name, schema)| (name, read(schema)));
                out.insert(key, Value::Object(read_each.collect()));
            }
            (list @ ("anyOf" | "oneOf" | "allOf" | "prefixItems"), Value::Array(schemas)) => {
                out.insert(list.to_owned(), schemas.into_iter().map(read).collect());
            }
            (name @ ("items" | "additionalProperties"), value @ Value::Object(_)) => {
                out.insert(name.to_owned(), read(value));
            }
            (name @ ("$defs" | "defs"), Value::Object(schemas)) => {
                let read_each = schemas.into_iter().map(|(name, schema)| (name, read(schema)));
                out.insert(
                    if name == "defs" { key } else { name.to_owned() },
                    Value::Object(read_each.collect()),
                );
            }
            (
                name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties"),
                value,
            ) => {
                out.insert(name.to_owned(), as_number(value));
            }
            ("", value) => _ = out.insert(key, value),
            (name, value) => _ = out.insert(name.to_owned(), value),
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    order_properties(&mut out, &ordering);
    Value::Object(out)
}

/// Gives the name of a keyword whichever way it is spelled; empty for one that is not known.
fn known(key: &str) -> &'static str {
    match key {
        "type" => "type",
        "format" => "format",
        "nullable" => "nullable",
        "example" => "example",
        "properties" => "properties",
        "items" => "items",
        "$defs" => "$defs",
        "anyOf" | "any_of" => "anyOf",
        "oneOf" | "one_of" => "oneOf",
        "allOf" | "all_of" => "allOf",
        "prefixItems" | "prefix_items" => "prefixItems",
        "additionalProperties" | "additional_properties" => "additionalProperties",
        "propertyOrdering" | "property_ordering" => "propertyOrdering",
        "minItems" | "min_items" => "minItems",
        "maxItems" | "max_items" => "maxItems",
        "minLength" | "min_length" => "minLength",
        "maxLength" | "max_length" => "maxLength",
        "minProperties" | "min_properties" => "minProperties",
        "maxProperties" | "max_properties" => "maxProperties",
        _ => "",
    }
}

/// Reads a count: 64-bit integers of protocol buffers are texts in JSON.
fn as_number(value: Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
        Some(number) => Value::Number(Number::from(number)),
        None => value,
    }
}

fn allow_null(out: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = out.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(of @ Value::String(_)) = out.get_mut("type") {
        *of = json!([of.take(), "null"]);
    } else if let Some(Value::Array(alternatives)) = out.get_mut("anyOf") {
        alternatives.push(json!({"type": "null"}));
    }
}

/// Brings properties into the order that the client asked for: here their order says it.
fn order_properties(out: &mut Map<String, Value>, ordering: &[Value]) {
    let Some(Value::Object(properties)) = out.get_mut("properties") else { return };
    let mut ordered = Map::new();
    for name in ordering.iter().filter_map(Value::as_str) {
        if let Some(schema) = properties.get_mut(name) {
            ordered.entry(name).or_insert_with(|| schema.take());
        }
    }
    for (name, schema) in std::mem::take(properties) {
        ordered.entry(name).or_insert(schema);
    }
    *properties = ordered;
}
