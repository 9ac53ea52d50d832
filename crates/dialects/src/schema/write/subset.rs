//! Which keywords a provider takes, and what the others become.

use serde_json::{Map, Number, Value, json};

/// Whose subset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::schema) enum Flavour {
    /// That of Gemini's JSON Schema fields.
    Gemini,
    /// That of Anthropic's strict tools and output formats.
    Anthropic,
}

/// What becomes of a keyword.
pub(super) enum Keyword {
    /// It goes without a word: it says nothing about values, or is read elsewhere.
    Silent,
    /// It goes into the description.
    Lost,
    /// It is written with this name and value.
    As(&'static str, Value),
    /// Its value is a schema.
    Schema(&'static str),
    /// Its value is a list or a map of schemas.
    Schemas(&'static str),
}

/// The formats of strings that Anthropic takes (§4.3 of the wire formats).
const ANTHROPIC_FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

impl Flavour {
    /// Decides on a keyword of `source`.
    pub(super) fn keyword(self, key: &str, value: &Value, source: &Map<String, Value>) -> Keyword {
        match (key, value) {
            ("$ref" | "$schema" | "$id" | "$anchor" | "$comment" | "$vocabulary" | "$defs", _)
            | ("definitions" | "nullable", _) => Keyword::Silent,
            ("type", _) => Keyword::As("type", with_null(value, source)),
            ("description", Value::String(_)) => Keyword::As("description", value.clone()),
            ("title", Value::String(_)) => Keyword::As("title", value.clone()),
            ("required", Value::Array(_)) => Keyword::As("required", value.clone()),
            ("enum", Value::Array(_)) => Keyword::As("enum", value.clone()),
            ("properties", Value::Object(_)) => Keyword::Schemas("properties"),
            ("anyOf", Value::Array(_)) => Keyword::Schemas("anyOf"),
            ("items", Value::Object(_) | Value::Bool(true)) => Keyword::Schema("items"),
            _ => match self {
                Flavour::Gemini => gemini(key, value, source),
                Flavour::Anthropic => anthropic(key, value),
            },
        }
    }

    /// Adds what the subset asks for beyond the source.
    pub(super) fn finish(self, out: &mut Map<String, Value>, source: &Map<String, Value>) {
        match self {
            Flavour::Gemini => {
                if let Some(value) = source.get("const").filter(|_| !out.contains_key("type")) {
                    out.insert("type".to_owned(), json!(type_of(value)));
                }
            }
            Flavour::Anthropic => {
                split_types(out);
                let is_object = out.get("type").is_some_and(|of| of == "object")
                    || (out.contains_key("properties") && !out.contains_key("type"));
                if is_object {
                    out.insert("additionalProperties".to_owned(), Value::Bool(false));
                }
            }
        }
    }
}

/// Appends to the description what the subset cannot say.
pub(super) fn describe(flavour: Flavour, out: &mut Map<String, Value>, lost: &[String]) {
    if lost.is_empty() {
        return;
    }
    let told = lost.join(", ");
    let told = if flavour == Flavour::Anthropic { format!("{{{told}}}") } else { told };
    let text = match out.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text}\n\n{told}"),
        None => told,
    };
    out.insert("description".to_owned(), Value::String(text));
}

/// Writes a keyword as it is told in a description.
pub(in crate::schema) fn told(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{key}: {text}"),
        other => format!("{key}: {other}"),
    }
}

fn gemini(key: &str, value: &Value, source: &Map<String, Value>) -> Keyword {
    match (key, value) {
        ("format", _) => Keyword::As("format", value.clone()),
        ("minItems", Value::Number(_)) => Keyword::As("minItems", value.clone()),
        ("maxItems", Value::Number(_)) => Keyword::As("maxItems", value.clone()),
        ("propertyOrdering", Value::Array(_)) => Keyword::As("propertyOrdering", value.clone()),
        ("oneOf", Value::Array(_)) => Keyword::Schemas("oneOf"),
        ("prefixItems" | "items", Value::Array(_)) => Keyword::Schemas("prefixItems"),
        ("additionalProperties", Value::Bool(_)) => Keyword::As("additionalProperties", value.clone()),
        ("additionalProperties", Value::Object(_)) => Keyword::Schema("additionalProperties"),
        ("const", Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            Keyword::As("enum", json!([value]))
        }
        ("minimum", Value::Number(_)) if is_looser(value, closed(source, "exclusiveMinimum", 1), 1) => {
            Keyword::Silent
        }
        ("maximum", Value::Number(_)) if is_looser(value, closed(source, "exclusiveMaximum", -1), -1) => {
            Keyword::Silent
        }
        ("minimum", Value::Number(_)) => Keyword::As("minimum", value.clone()),
        ("maximum", Value::Number(_)) => Keyword::As("maximum", value.clone()),
        ("exclusiveMinimum", Value::Number(_)) => limit("minimum", closed(source, key, 1), source, 1),
        ("exclusiveMaximum", Value::Number(_)) => limit("maximum", closed(source, key, -1), source, -1),
        _ => Keyword::Lost,
    }
}

fn anthropic(key: &str, value: &Value) -> Keyword {
    match (key, value) {
        ("const", _) => Keyword::As("const", value.clone()),
        ("oneOf", Value::Array(_)) => Keyword::Schemas("anyOf"),
        ("format", Value::String(format)) if ANTHROPIC_FORMATS.contains(&format.as_str()) => {
            Keyword::As("format", value.clone())
        }
        ("minItems", Value::Number(count)) if count.as_u64().is_some_and(|count| count <= 1) => {
            Keyword::As("minItems", value.clone())
        }
        // Objects get `false` in any case.
        ("additionalProperties", Value::Bool(_)) => Keyword::Silent,
        _ => Keyword::Lost,
    }
}

/// Gives the nearest whole number inside an exclusive limit of an integer.
fn closed(source: &Map<String, Value>, key: &str, step: i64) -> Option<i64> {
    let is_integer = source.get("type").is_some_and(|of| of == "integer");
    source.get(key).filter(|_| is_integer)?.as_i64()?.checked_add(step)
}

/// Tells whether an inclusive limit says less than an exclusive one beside it.
fn is_looser(inclusive: &Value, closed: Option<i64>, sign: i64) -> bool {
    match (inclusive.as_f64(), closed) {
        (Some(inclusive), Some(closed)) => inclusive * sign as f64 <= closed as f64 * sign as f64,
        _ => false,
    }
}

fn limit(name: &'static str, closed: Option<i64>, source: &Map<String, Value>, sign: i64) -> Keyword {
    let Some(number) = closed else { return Keyword::Lost };
    match source.get(name) {
        Some(inclusive) if !is_looser(inclusive, closed, sign) => Keyword::Silent,
        _ => Keyword::As(name, Value::Number(Number::from(number))),
    }
}

/// Reads OpenAPI's `nullable`, which many libraries write into JSON schemas as well.
fn with_null(of: &Value, source: &Map<String, Value>) -> Value {
    if of.is_string() && of != "null" && source.get("nullable") == Some(&Value::Bool(true)) {
        return json!([of, "null"]);
    }
    of.clone()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Makes several types several alternatives, each with the keywords that concern it.
fn split_types(out: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = out.get("type") else { return };
    let types = known_types(types);
    out.remove("type");
    if out.contains_key("anyOf") {
        return;
    }
    let mut moved = Map::new();
    for key in ["format", "items", "minItems", "properties", "required", "enum", "const"] {
        if let Some(value) = out.remove(key) {
            moved.insert(key.to_owned(), value);
        }
    }
    let mut alternatives: Vec<Value> = types.iter().filter_map(|of| alternative(of, &moved)).collect();
    match alternatives.len() {
        0 => out.extend(moved),
        1 => {
            if let Some(Value::Object(only)) = alternatives.pop() {
                out.extend(only);
            }
        }
        _ => _ = out.insert("anyOf".to_owned(), Value::Array(alternatives)),
    }
}

/// Lists the types that values have, each once: each gets a copy of the keywords that concern it.
fn known_types(named: &[Value]) -> Vec<&'static str> {
    let mut types = Vec::with_capacity(TYPES.len());
    for name in named.iter().filter_map(Value::as_str) {
        if let Some(known) = TYPES.into_iter().find(|known| *known == name)
            && !types.contains(&known)
        {
            types.push(known);
        }
    }
    types
}

/// Gives what a schema says of values of one type; none when it allows none.
fn alternative(of: &str, keywords: &Map<String, Value>) -> Option<Value> {
    let fits = |value: &Value| {
        let actual = type_of(value);
        actual == of || (of == "number" && actual == "integer")
    };
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!(of));
    for (key, value) in keywords {
        match (key.as_str(), value) {
            ("const", value) if !fits(value) => return None,
            ("enum", Value::Array(values)) => {
                let values: Vec<&Value> = values.iter().filter(|value| fits(value)).collect();
                if values.is_empty() {
                    return None;
                }
                schema.insert(key.clone(), json!(values));
            }
            ("format", _) if of != "string" => {}
            ("items" | "minItems", _) if of != "array" => {}
            ("properties" | "required", _) if of != "object" => {}
            _ => _ = schema.insert(key.clone(), value.clone()),
        }
    }
    if of == "object" {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Some(Value::Object(schema))
}
