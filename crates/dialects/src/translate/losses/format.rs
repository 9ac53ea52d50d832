//! The form of the answer (§9.7).

use super::*;

fn schema() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"], "additionalProperties": false})
}

fn of_schema() -> Ask {
    let format = json!({"name": "answer", "strict": true, "schema": schema()});
    ask(Chat, json!({"response_format": {"type": "json_schema", "json_schema": format}}))
}

fn loose() -> ModelTraits {
    ModelTraits { lacks: Needs::of(&[Need::StructuredOutput]), ..ModelTraits::default() }
}

#[test]
fn a_schema_is_told_in_the_subset_of_the_target() {
    let minimum = "/output_config/format/schema/properties/a/minimum";
    of_schema().becomes([
        own(),
        has("/text/format/name", "answer").and("/text/format/strict", true),
        has("/output_config/format/type", "json_schema").and(minimum, Value::Null),
        has("/generationConfig/responseMimeType", "application/json")
            .and("/generationConfig/responseJsonSchema/properties/a/minimum", 1),
    ]);
}

#[test]
fn a_schema_without_a_name_gets_one() {
    let format = json!({"type": "json_schema", "schema": schema()});
    let unnamed = ask(Anthropic, json!({"output_config": {"format": format}}));
    unnamed.becomes([
        has("/response_format/json_schema/name", "structured_output"),
        has("/text/format/name", "structured_output"),
        own(),
        has("/generationConfig/responseJsonSchema/type", "object"),
    ]);
}

#[test]
fn a_schema_is_a_forced_tool_where_the_model_knows_none() {
    let forced = json!({"type": "tool", "name": "structured_output"});
    of_schema().of(loose()).to(Anthropic, warns("response_format=emulated").and("/tool_choice", forced));
    let list = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array", "items": {}}}});
    let asked = ask(Chat, json!({"response_format": list})).of(loose());
    asked.to(Anthropic, lacks(Need::StructuredOutput, "response_format"));
}

#[test]
fn a_schema_is_told_in_words_to_servers_that_know_none() {
    let words = || Profile { strict_schemas: false, ..Profile::default() };
    of_schema()
        .by(words())
        .to(Chat, warns("response_format=emulated").and("/response_format", json!({"type": "json_object"})));
    let json = json!({"responseMimeType": "application/json", "responseJsonSchema": schema()});
    let asked = ask(Gemini, json!({"generationConfig": json})).by(words());
    asked.to(Chat, warns("generationConfig.responseJsonSchema=emulated").and("/messages/0/role", "system"));
}

#[test]
fn json_without_a_schema_is_asked_for_in_words_where_there_is_no_field() {
    let asked = || ask(Chat, json!({"response_format": {"type": "json_object"}}));
    let words = "Answer with one JSON object and nothing else.";
    asked().becomes([
        own(),
        warns("response_format=emulated").and("/text/format/type", "json_object"),
        warns("response_format=emulated").and("/system", words),
        has("/generationConfig", json!({"responseMimeType": "application/json"})),
    ]);
    let mut mentioned = asked();
    mentioned.body["messages"][0]["content"] = json!("as JSON, please");
    mentioned.to(Responses, has("/text/format/type", "json_object"));
    let asked = || ask(Gemini, json!({"generationConfig": {"responseMimeType": "application/json"}}));
    let field = "generationConfig.responseMimeType=emulated";
    asked().becomes([
        warns(field).and("/response_format/type", "json_object"),
        warns(field).and("/text/format/type", "json_object"),
        warns(field),
        own(),
    ]);
}

#[test]
fn a_schema_that_cannot_be_unfolded_is_refused() {
    let broken = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}, "required": ["a"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": broken}});
    ask(Chat, json!({"response_format": format}))
        .to(Anthropic, refused("response_format"))
        .to(Gemini, refused("response_format"));
}

#[test]
fn plain_text_said_aloud_is_no_loss() {
    ask(Chat, json!({"response_format": {"type": "text"}})).becomes([
        own(),
        has("/text/format/type", "text"),
        without("/output_config"),
        without("/generationConfig"),
    ]);
}
