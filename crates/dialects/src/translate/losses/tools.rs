//! Tools, calls, results and the choice of a tool (§9.5 and §9.6).

use super::*;

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}})
}

fn with_tools(fields: Value) -> Ask {
    let mut ask = ask(Chat, fields);
    ask.body["tools"] = json!([function("f"), function("g")]);
    ask
}

fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect()
}

const MODE: &str = "/toolConfig/functionCallingConfig/mode";
const ALLOWED: &str = "/toolConfig/functionCallingConfig/allowedFunctionNames";

#[test]
fn a_choice_is_told_in_the_words_of_the_target() {
    for (choice, anthropic, gemini) in
        [("none", "none", "NONE"), ("auto", "auto", "AUTO"), ("required", "any", "ANY")]
    {
        with_tools(json!({"tool_choice": choice})).becomes([
            own(),
            has("/tool_choice", choice),
            has("/tool_choice/type", anthropic),
            has(MODE, gemini),
        ]);
    }
    with_tools(json!({"tool_choice": {"type": "function", "function": {"name": "f"}}})).becomes([
        own(),
        has("/tool_choice", json!({"type": "function", "name": "f"})),
        has("/tool_choice", json!({"type": "tool", "name": "f"})),
        has(MODE, "ANY").and(ALLOWED, json!(["f"])),
    ]);
}

#[test]
fn a_subset_of_the_tools_is_told_or_sent_alone() {
    let subset = |mode: &str| {
        let allowed = json!({"mode": mode, "tools": named(&["g"])});
        with_tools(json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}))
    };
    subset("auto").becomes([
        own(),
        has("/tool_choice/mode", "auto").and("/tool_choice/tools/0/name", "g").and("/tools/1/name", "g"),
        has("/tool_choice/type", "auto").and("/tools/0/name", "g").and("/tools/1", Value::Null),
        has(MODE, "AUTO").and("/tools/0/functionDeclarations/0/name", "g"),
    ]);
    subset("required").becomes([
        own(),
        has("/tool_choice/mode", "required"),
        has("/tool_choice/type", "any").and("/tools/1", Value::Null),
        has(MODE, "ANY").and(ALLOWED, json!(["g"])),
    ]);
}

#[test]
fn one_call_at_a_time_is_asked_for_of_all_but_gemini() {
    with_tools(json!({"parallel_tool_calls": false})).becomes([
        own(),
        has("/parallel_tool_calls", false),
        has("/tool_choice", json!({"type": "auto", "disable_parallel_tool_use": true})),
        warns("parallel_tool_calls=dropped"),
    ]);
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let choice = json!({"type": "auto", "disable_parallel_tool_use": true});
    ask(Anthropic, json!({"tools": [tool], "tool_choice": choice})).becomes([
        has("/parallel_tool_calls", false),
        has("/parallel_tool_calls", false),
        own(),
        warns("tool_choice.disable_parallel_tool_use=dropped"),
    ]);
    let unknowing = Profile { parallel_tool_calls: false, ..Profile::default() };
    with_tools(json!({"parallel_tool_calls": false}))
        .by(unknowing)
        .to(Chat, warns("parallel_tool_calls=dropped"));
}

#[test]
fn free_form_tools_are_functions_of_one_text_where_there_are_none() {
    let tool = json!({"type": "custom", "custom": {"name": "sql"}});
    ask(Chat, json!({"tools": [tool]})).becomes([
        own(),
        has("/tools/0", json!({"type": "custom", "name": "sql"})),
        has("/tools/0/input_schema/required", json!(["input"])),
        has("/tools/0/functionDeclarations/0/parametersJsonSchema/required", json!(["input"])),
    ]);
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}});
    let tool = json!({"type": "custom", "custom": {"name": "sql", "format": grammar}});
    ask(Chat, json!({"tools": [tool]})).becomes([
        own(),
        has("/tools/0/format/syntax", "regex"),
        warns("tools[0].format=dropped"),
        warns("tools[0].format=dropped"),
    ]);
    let grammar = json!({"type": "grammar", "syntax": "regex", "definition": "[a-z]+"});
    let asked = || ask(Responses, json!({"tools": [{"type": "custom", "name": "sql", "format": grammar}]}));
    asked().to(Chat, has("/tools/0/custom/format/grammar/syntax", "regex"));
    let compatible = Profile { developer_role: false, ..Profile::default() };
    asked().by(compatible).to(Chat, warns("tools[0].format=dropped").and("/tools/0/type", "function"));
    let text = json!([{"type": "custom", "name": "sql", "format": {"type": "text"}}]);
    for to in [Anthropic, Gemini] {
        ask(Responses, json!({"tools": text})).to(to, own());
    }
}

#[test]
fn a_strict_tool_is_written_in_the_subset_of_the_target() {
    let tool = || {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"], "additionalProperties": false});
        ask(
            Chat,
            json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": schema}}]}),
        )
    };
    let place = "/tools/0/input_schema/properties/a/minimum";
    tool().becomes([
        own(),
        has("/tools/0/strict", true),
        has("/tools/0/strict", true).and(place, Value::Null),
        has("/tools/0/functionDeclarations/0/strict", Value::Null),
    ]);
    let loose = ModelTraits { lacks: Needs::of(&[Need::StructuredOutput]), ..ModelTraits::default() };
    tool().of(loose).to(Anthropic, warns("tools[0].strict=dropped").and(place, 1));
    let loose = Profile { strict_schemas: false, ..Profile::default() };
    tool().by(loose).to(Chat, warns("tools[0].strict=dropped"));
}

fn called(arguments: &str, result: Value) -> Ask {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}});
    let mut messages =
        vec![json!({"role": "user", "content": "hi"}), json!({"role": "assistant", "tool_calls": [call]})];
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": result}));
    ask(Chat, json!({"messages": messages}))
}

#[test]
fn calls_and_results_have_a_place_everywhere() {
    called("{\"a\":1}", json!("ok")).becomes([
        own(),
        has("/input/1/type", "function_call").and("/input/2/output", "ok"),
        has("/messages/1/content/0/input", json!({"a": 1})).and("/messages/2/content/0/content", "ok"),
        has("/contents/1/parts/0/functionCall/args", json!({"a": 1}))
            .and("/contents/2/parts/0/functionResponse/response", json!({"output": "ok"}))
            .and("/contents/2/parts/0/functionResponse/name", "f"),
    ]);
    called("{}", json!("{\"a\":1}"))
        .to(Gemini, has("/contents/2/parts/0/functionResponse/response/output", json!({"a": 1})));
}

#[test]
fn arguments_that_are_no_object_are_refused_where_an_object_is_needed() {
    for bad in ["{\"a\":", "[1]", "7"] {
        called(bad, json!("ok")).becomes([own(), own(), refused("messages[1]"), refused("messages[1]")]);
    }
    called("", json!("ok")).becomes([
        own(),
        has("/input/1/arguments", "{}"),
        has("/messages/1/content/0/input", json!({})),
        has("/contents/1/parts/0/functionCall/args", json!({})),
    ]);
}

#[test]
fn tools_that_only_the_history_has_are_declared_to_anthropic() {
    called("{}", json!("ok"))
        .to(Anthropic, has("/tools/0/name", "f").and("/tool_choice", json!({"type": "none"})));
}

#[test]
fn a_call_without_a_result_is_refused_where_each_needs_one() {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}, {"role": "user", "content": "so?"}]);
    ask(Chat, json!({"messages": messages})).becomes([
        own(),
        own(),
        refused("messages[1]"),
        refused("messages[1]"),
    ]);
    let messages =
        json!([{"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "x", "content": "ok"}]);
    ask(Chat, json!({"messages": messages}))
        .to(Gemini, refused("messages[1]"))
        .to(Anthropic, refused("messages[1]"));
}

#[test]
fn a_failed_tool_is_told_by_its_text_where_there_is_no_place_for_more() {
    let block =
        json!({"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "broke"});
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [block]}]);
    ask(Anthropic, json!({"messages": messages})).becomes([
        has("/messages/2/content", "broke"),
        has("/input/2/output", "broke"),
        has("/messages/2/content/0/is_error", true),
        has("/contents/2/parts/0/functionResponse/response", json!({"error": "broke"})),
    ]);
}

#[test]
fn images_of_a_tool_follow_in_a_users_message_to_chat() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let block = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": [image]});
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [block]}]);
    ask(Anthropic, json!({"messages": messages})).becomes([
        has("/messages/2/content", "(image below)")
            .and("/messages/3/content/0/image_url/url", "data:image/png;base64,AAAA"),
        has("/input/2/output/0/type", "input_image"),
        own(),
        has("/contents/2/parts/0/functionResponse/parts/0/inlineData/data", "AAAA"),
    ]);
}

#[test]
fn names_that_a_target_refuses_are_rewritten_the_same_way_each_time() {
    let declaration = json!({"functionDeclarations": [{"name": "a.b:c"}]});
    let ask = ask(Gemini, json!({"tools": [declaration]}));
    let request = ask.read();
    for to in [Chat, Responses, Anthropic] {
        let (first, notes) = ask.write(&request, to, OnLoss::Refuse).unwrap();
        let (again, _) = ask.write(&request, to, OnLoss::Refuse).unwrap();
        assert_eq!(first, again);
        let name = first.pointer("/tools/0/name").or_else(|| first.pointer("/tools/0/function/name"));
        let name = name.and_then(Value::as_str).unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{name}");
        assert_eq!(notes.names.original(name), "a.b:c");
    }
}
