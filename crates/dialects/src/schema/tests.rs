use super::*;
use serde_json::json;

fn golden() -> Value {
    serde_json::from_slice(&crate::fixtures::read("golden/schema.json")).unwrap()
}

fn gemini(schema: Value) -> Value {
    for_gemini(&schema, "tools[0].parameters").unwrap()
}

fn anthropic(schema: Value) -> Value {
    for_anthropic(&schema, "tools[0].parameters").unwrap()
}

#[track_caller]
fn assert_refused(schema: &Value, words: &str) {
    for written in [for_gemini(schema, "f.schema"), for_anthropic(schema, "f.schema")] {
        let refused = written.unwrap_err();
        assert_eq!(refused.field, "f.schema");
        assert!(refused.message.contains(words), "{refused}");
    }
}

#[test]
fn the_golden_schema_is_written_for_gemini() {
    assert_eq!(gemini(golden()["input"].clone()), golden()["gemini"]);
}

#[test]
fn the_golden_schema_is_written_for_anthropic() {
    assert_eq!(anthropic(golden()["input"].clone()), golden()["anthropic_strict"]);
}

#[test]
fn the_golden_openapi_schema_is_read_as_json_schema() {
    let mut expected = golden()["gemini"].clone();
    // OpenAPI's subset has neither: they were lost before.
    expected.as_object_mut().unwrap().remove("additionalProperties");
    expected["properties"]["u"] = json!({"type": ["string", "null"], "description": "format: uri"});
    assert_eq!(from_openapi(golden()["gemini_openapi"].clone()), expected);
}

#[test]
fn what_is_in_the_subset_stays_as_it_is_and_in_its_order() {
    let text = r#"{"type":"object","properties":{"z":{"type":"integer","minimum":9007199254740993},"a":{"type":"array","items":{"enum":["x",1]},"minItems":1}},"required":["z"],"additionalProperties":false}"#;
    let schema: Value = serde_json::from_str(text).unwrap();
    assert_eq!(gemini(schema).to_string(), text);
}

#[test]
fn what_a_subset_lacks_is_told_in_the_description() {
    let schema =
        json!({"type": "string", "description": "a code", "pattern": "^a", "maxLength": 3, "default": "a"});
    let told = "pattern: ^a, maxLength: 3, default: a";
    assert_eq!(gemini(schema.clone()), json!({"type": "string", "description": format!("a code\n\n{told}")}));
    assert_eq!(anthropic(schema), json!({"type": "string", "description": format!("a code\n\n{{{told}}}")}));
    assert_eq!(gemini(json!({"not": {"type": "null"}})), json!({"description": "not: {\"type\":\"null\"}"}));
}

#[test]
fn exclusive_limits_of_integers_become_inclusive_for_gemini() {
    let limits = |schema: Value| gemini(schema);
    assert_eq!(
        limits(json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10})),
        json!({"type": "integer", "minimum": 1, "maximum": 9})
    );
    assert_eq!(
        limits(json!({"type": "integer", "minimum": 5, "exclusiveMinimum": 0})),
        json!({"type": "integer", "minimum": 5})
    );
    assert_eq!(
        limits(json!({"type": "integer", "exclusiveMinimum": 7, "minimum": 5})),
        json!({"type": "integer", "minimum": 8})
    );
    assert_eq!(
        limits(json!({"type": "number", "exclusiveMinimum": 0})),
        json!({"type": "number", "description": "exclusiveMinimum: 0"})
    );
    assert_eq!(
        limits(json!({"type": "integer", "exclusiveMinimum": i64::MAX})),
        json!({"type": "integer", "description": format!("exclusiveMinimum: {}", i64::MAX)})
    );
}

#[test]
fn every_object_for_anthropic_is_closed_and_alternatives_are_any_of() {
    assert_eq!(
        anthropic(json!({"oneOf": [{"type": "object"}, {"properties": {"a": {"const": 1}}}]})),
        json!({"anyOf": [
            {"type": "object", "additionalProperties": false},
            {"properties": {"a": {"const": 1}}, "additionalProperties": false}
        ]})
    );
    assert_eq!(
        anthropic(json!({"type": "object", "additionalProperties": {"type": "string"}})),
        json!({
            "type": "object",
            "description": "{additionalProperties: {\"type\":\"string\"}}",
            "additionalProperties": false
        })
    );
    assert_eq!(
        anthropic(json!({"type": "array", "minItems": 2, "items": {"type": "string", "format": "regex"}})),
        json!({
            "type": "array",
            "items": {"type": "string", "description": "{format: regex}"},
            "description": "{minItems: 2}"
        })
    );
}

#[test]
fn several_types_are_alternatives_for_anthropic_each_with_its_own_keywords() {
    assert_eq!(
        anthropic(json!({"type": ["object", "null"], "properties": {}, "required": [], "title": "t"})),
        json!({"title": "t", "anyOf": [
            {"type": "object", "properties": {}, "required": [], "additionalProperties": false},
            {"type": "null"}
        ]})
    );
    assert_eq!(
        anthropic(json!({"type": ["string", "null"], "enum": ["a", null]})),
        json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null", "enum": [null]}]})
    );
    assert_eq!(
        anthropic(json!({"type": ["string"], "enum": ["a"]})),
        json!({"type": "string", "enum": ["a"]})
    );
}

#[test]
fn definitions_move_to_one_place_and_only_those_in_use() {
    let schema = json!({
        "definitions": {"a b": {"type": "string"}, "unused": {"type": "null"}},
        "properties": {
            "x": {"$ref": "#/definitions/a%20b"},
            "y": {"$ref": "#/definitions/a b", "description": "why"},
            "z": {"$ref": "#/properties/x"}
        }
    });
    assert_eq!(
        gemini(schema),
        json!({
            "properties": {
                "x": {"$ref": "#/$defs/a_b"},
                "y": {"description": "why", "anyOf": [{"$ref": "#/$defs/a_b"}]},
                "z": {"$ref": "#/$defs/x"}
            },
            "$defs": {"a_b": {"type": "string"}, "x": {"$ref": "#/$defs/a_b"}}
        })
    );
}

#[test]
fn a_root_that_is_a_reference_is_put_in() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}
    });
    let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}});
    let mut expected = node.clone();
    expected["$defs"] = json!({"node": node});
    assert_eq!(gemini(schema), expected);
}

#[test]
fn all_of_becomes_one_schema() {
    let schema = json!({
        "$defs": {"base": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}},
        "allOf": [
            {"$ref": "#/$defs/base"},
            {"properties": {"id": {"minimum": 3}, "name": {"type": "string"}}, "required": ["name", "id"]}
        ]
    });
    assert_eq!(
        gemini(schema),
        json!({
            "type": "object",
            "properties": {"id": {"type": "integer", "minimum": 3}, "name": {"type": "string"}},
            "required": ["id", "name"]
        })
    );
    let described = json!({
        "$defs": {"a": {"type": "string"}},
        "properties": {"p": {"allOf": [{"$ref": "#/$defs/a"}], "description": "d"}}
    });
    assert_eq!(
        gemini(described)["properties"]["p"],
        json!({"description": "d", "anyOf": [{"$ref": "#/$defs/a"}]})
    );
    assert_eq!(
        gemini(
            json!({"allOf": [{"type": ["integer", "string"], "maxItems": 3}, {"type": "number", "maxItems": 2}]})
        ),
        json!({"type": "integer", "maxItems": 2})
    );
}

#[test]
fn a_reference_that_leads_nowhere_is_refused() {
    for reference in ["#/$defs/none", "https://example.com/schema.json", "other.json#/a", "#name", ""] {
        assert_refused(&json!({"properties": {"a": {"$ref": reference}}}), "leads nowhere");
    }
    assert_refused(&json!({"properties": {"a": {"$ref": 7}}}), "leads nowhere");
}

#[test]
fn recursion_is_taken_in_optional_places_alone() {
    let tree = |required: Value| {
        json!({
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
            "required": required
        })
    };
    assert_eq!(gemini(tree(json!([])))["properties"]["children"]["items"], json!({"$ref": "#"}));
    assert_refused(&tree(json!(["children"])), "leads back to itself");
    let over_two = json!({
        "$defs": {
            "a": {"properties": {"b": {"$ref": "#/$defs/b"}}, "required": ["b"]},
            "b": {"properties": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}, "required": ["a"]}
        },
        "properties": {"a": {"$ref": "#/$defs/a"}}
    });
    assert_refused(&over_two, "leads back to itself");
    assert_refused(&json!({"$ref": "#"}), "leads back to itself");
}

#[test]
fn a_schema_that_would_grow_without_measure_is_refused() {
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"allOf": [next, next, {"title": "t"}]}));
    }
    definitions.insert("d40".to_owned(), json!({"type": "string"}));
    let schema = json!({"$defs": definitions, "properties": {"a": {"allOf": [{"$ref": "#/$defs/d0"}, {}]}}});
    assert_refused(&schema, "lead into each other too often");

    let mut deep = json!({"type": "string"});
    // As deep as a body can be.
    for _ in 0..127 {
        deep = json!({"items": deep});
    }
    assert_refused(&deep, "nested too deeply");
}

#[test]
fn what_is_no_schema_is_refused() {
    assert_refused(&json!({"properties": {"a": 7}}), "not a JSON schema");
    assert_refused(&json!([]), "not a JSON schema");
    assert_eq!(
        gemini(json!({"properties": {"a": true, "b": false}})),
        json!({
            "properties": {"a": {}, "b": {"description": "no value is valid here"}}
        })
    );
}

#[test]
fn openapi_is_read_in_snake_case_too_with_counts_as_texts() {
    let schema = json!({
        "type": "OBJECT",
        "property_ordering": ["b", "a"],
        "properties": {
            "a": {"any_of": [{"type": "string"}, {"type": "INTEGER", "format": "int64"}], "nullable": true},
            "b": {"type": "ARRAY", "min_items": "1", "maxItems": "5", "items": {"type": "TYPE_UNSPECIFIED"}},
            "any_of": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": true}
        }
    });
    assert_eq!(
        from_openapi(schema).to_string(),
        json!({
            "type": "object",
            "properties": {
                "b": {"type": "array", "minItems": 1, "maxItems": 5, "items": {}},
                "a": {"anyOf": [{"type": "string"}, {"type": "integer", "format": "int64"}, {"type": "null"}]},
                "any_of": {"type": ["string", "null"], "enum": ["x", null]}
            }
        })
        .to_string()
    );
}

#[test]
fn many_schemas_of_one_property_are_one_list_and_no_tower() {
    // As many as a body may hold: a tower of them could not even be taken down again.
    let part = |number: usize| json!({"properties": {"p": {"minimum": number}}, "required": ["p", "q"]});
    let parts: Vec<Value> = (0..20_000).map(part).collect();
    let written = gemini(json!({"type": "object", "allOf": parts}));
    assert_eq!(written["properties"]["p"]["minimum"], 19_999);
    assert_eq!(written["required"], json!(["p", "q"]));
}

#[test]
fn a_type_that_is_named_often_is_one_alternative() {
    let types = vec!["object"; 1_000];
    let written = anthropic(json!({"type": types, "properties": {"a": {"type": "null"}}}));
    let expected = json!({
        "type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false
    });
    assert_eq!(written, expected);
    let unknown = anthropic(json!({"type": ["file", "string", "null", "string"], "format": "date"}));
    assert_eq!(unknown, json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}));
}

#[test]
fn an_anchor_leads_to_the_first_definition_that_has_it() {
    let schema = json!({
        "type": "object", "properties": {"a": {"$ref": "#here"}},
        "$defs": {"x": {"type": "null"}, "y/z": {"$anchor": "here", "type": "string"}},
        "definitions": {"w": {"$anchor": "here", "type": "integer"}}
    });
    let written = gemini(schema);
    let name = written["properties"]["a"]["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
    assert_eq!(written["$defs"][name], json!({"type": "string"}));
}
