//! One schema that asks for what two ask for: `allOf`, which no subset takes as it is.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Types that JSON Schema has, and a few more: longer lists are none.
const MAX_TYPES: usize = 16;

/// Adds the keywords of `other` to `into`. What cannot be joined is added to `lost` as text.
pub(super) fn merge<'o>(
    into: &mut Map<String, Value>,
    other: impl Iterator<Item = (&'o String, &'o Value)>,
    lost: &mut Vec<String>,
) {
    for (key, value) in other {
        let Some(known) = into.get_mut(key) else {
            into.insert(key.clone(), value.clone());
            continue;
        };
        if known != value && !join(key, known, value) {
            lost.push(super::write::told(key, value));
        }
    }
}

/// Joins the values of one keyword; tells whether it could.
fn join(key: &str, known: &mut Value, other: &Value) -> bool {
    match (key, known, other) {
        ("properties" | "$defs" | "definitions", Value::Object(known), Value::Object(other)) => {
            for (name, schema) in other {
                match known.get_mut(name) {
                    None => _ = known.insert(name.clone(), schema.clone()),
                    Some(both) if both != schema => add_to_all(both, schema),
                    Some(_) => {}
                }
            }
            true
        }
        ("required", Value::Array(known), Value::Array(other)) => {
            // Names that both have are taken out once, when all is joined.
            known.extend(other.iter().filter(|name| name.is_string()).cloned());
            true
        }
        ("type", known, other) => join_types(known, other),
        ("additionalProperties", known, other) => {
            if *other == Value::Bool(false) || *known == Value::Bool(true) {
                *known = other.clone();
            }
            *known == Value::Bool(false) || *other == Value::Bool(true)
        }
        ("minimum" | "exclusiveMinimum" | "minItems", known, other) => join_limits(known, other, f64::max),
        ("maximum" | "exclusiveMaximum" | "maxItems", known, other) => join_limits(known, other, f64::min),
        // Of two names for one thing the nearer one is the better.
        ("title" | "description" | "$schema" | "$id" | "$comment", _, _) => true,
        _ => false,
    }
}

/// Makes `both` ask for what `other` asks for as well. Of many schemas this is one list: each wrapped in the next
/// would be as deep as they are many.
fn add_to_all(both: &mut Value, other: &Value) {
    if let Value::Object(map) = both
        && map.len() == 1
        && let Some(Value::Array(all)) = map.get_mut("allOf")
    {
        all.push(other.clone());
        return;
    }
    let all = vec![both.take(), other.clone()];
    *both = Value::Object(Map::from_iter([("allOf".to_owned(), Value::Array(all))]));
}

/// Leaves each name once in a joined `required`.
pub(super) fn settle(joined: &mut Map<String, Value>) {
    if let Some(Value::Array(names)) = joined.get_mut("required") {
        let mut seen = BTreeSet::new();
        names.retain(|name| name.as_str().is_none_or(|name| seen.insert(name.to_owned())));
    }
}

fn join_limits(known: &mut Value, other: &Value, stricter: fn(f64, f64) -> f64) -> bool {
    let (Some(left), Some(right)) = (known.as_f64(), other.as_f64()) else { return false };
    if stricter(left, right) == right {
        *known = other.clone();
    }
    true
}

fn join_types(known: &mut Value, other: &Value) -> bool {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let (left, right) = (list(known), list(other));
    if left.len().max(right.len()) > MAX_TYPES {
        return false;
    }
    let within = |of: &Value, types: &[Value]| {
        types.contains(of) || (of == "integer" && types.contains(&json!("number")))
    };
    let mut both: Vec<Value> = left.iter().filter(|of| within(of, &right)).cloned().collect();
    let narrower: Vec<Value> =
        right.iter().filter(|of| within(of, &left) && !both.contains(of)).cloned().collect();
    both.extend(narrower);
    match both.len() {
        0 => return false,
        1 => *known = both.remove(0),
        _ => *known = Value::Array(both),
    }
    true
}
