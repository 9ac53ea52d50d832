use super::*;
use crate::form::{Bag, FreeFormat, Tool, ToolChoice, ToolKind};
use cliproxy_domain::UnsupportedTools;
use serde_json::json;

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool { name: name.to_owned(), description: None, kind, cache: None, bag: Bag::default() }
}

fn function(name: &str) -> Tool {
    tool(name, ToolKind::Function { schema: Some(json!({"type": "object"})), strict: None })
}

fn with_tools(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    let mut request = chat("a");
    request.tools = tools;
    request.tool_choice = choice;
    request
}

#[test]
fn choices_are_spelled_as_anthropic_does() {
    let choice = |choice| {
        let request = with_tools(vec![function("f"), function("g")], choice);
        let body = to().told(&request).0;
        let names: Vec<_> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect();
        (body.get("tool_choice").cloned().unwrap_or_default(), names.join(","))
    };
    let some = |required| ToolChoice::Some { names: vec!["g".into()], required };
    assert_eq!(choice(None), (Value::Null, "f,g".into()));
    assert_eq!(choice(Some(ToolChoice::None)), (json!({"type": "none"}), "f,g".into()));
    assert_eq!(choice(Some(ToolChoice::Auto)), (json!({"type": "auto"}), "f,g".into()));
    assert_eq!(choice(Some(ToolChoice::Required)), (json!({"type": "any"}), "f,g".into()));
    let one = ToolChoice::One("g".into());
    assert_eq!(choice(Some(one)), (json!({"type": "tool", "name": "g"}), "f,g".into()));
    assert_eq!(choice(Some(some(false))), (json!({"type": "auto"}), "g".into()));
    assert_eq!(choice(Some(some(true))), (json!({"type": "any"}), "g".into()));
}

#[test]
fn one_call_at_a_time_needs_a_choice_to_stand_on() {
    let mut request = with_tools(vec![function("f")], None);
    request.parallel_tools = Some(false);
    let expected = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(to().told(&request).0["tool_choice"], expected);
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(to().told(&request).0["tool_choice"], json!({"type": "none"}));
    request.tools.clear();
    assert_eq!(to().told(&request).0.get("tool_choice"), None);
}

#[test]
fn a_strict_function_is_written_in_the_subset_and_another_as_it_is() {
    let golden = read("golden/schema.json");
    let kind = |strict| ToolKind::Function { schema: Some(golden["input"].clone()), strict };
    let request = with_tools(vec![tool("f", kind(Some(true))), tool("g", kind(None))], None);
    let body = to().told(&request).0;
    assert_eq!(body["tools"][0]["input_schema"], golden["anthropic_strict"]);
    assert_eq!(body["tools"][0]["strict"], true);
    assert_eq!(body["tools"][1]["input_schema"], golden["input"]);
    assert_eq!(body["tools"][1].get("strict"), None);
}

#[test]
fn every_input_is_an_object() {
    let kind = |schema| ToolKind::Function { schema, strict: None };
    let untyped = json!({"properties": {"a": {}}});
    let request = with_tools(vec![tool("f", kind(None)), tool("g", kind(Some(untyped)))], None);
    let body = to().told(&request).0;
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object", "properties": {}}));
    assert_eq!(body["tools"][1]["input_schema"], json!({"type": "object", "properties": {"a": {}}}));
}

#[test]
fn a_free_form_tool_becomes_a_function_of_one_text() {
    let kind = ToolKind::Free(Some(FreeFormat(json!({"type": "grammar"}))));
    let mut request = with_tools(vec![tool("sql", kind)], None);
    let args = Args::Free("select \"1\"".into());
    let called = ToolCall { id: "c1".into(), name: "sql".into(), args };
    request.turns.push(Turn::new(Role::Assistant, vec![Part::new(PartKind::ToolCall(called))]));
    request.turns.push(Turn::new(Role::User, vec![result("c1", "1")]));
    let (body, notes) = to().encoded(&request).unwrap();
    assert!(notes.free_tools.contains("sql"));
    assert_eq!(notes.losses.header().unwrap(), "tools[0].format=dropped");
    assert_eq!(body["tools"][0]["input_schema"]["required"], json!(["input"]));
    assert_eq!(body["messages"][1]["content"][0]["input"], json!({"input": "select \"1\""}));
}

#[test]
fn a_tool_of_another_vendor_is_refused_or_left_out_by_policy() {
    let kind = ToolKind::Vendor {
        dialect: Dialect::OpenAiResponses,
        name: "web_search".into(),
        json: json!({"type": "web_search"}),
    };
    let choice =
        ToolChoice::Vendor { dialect: Dialect::OpenAiResponses, json: json!({"type": "web_search"}) };
    let mut request = with_tools(vec![function("f"), tool("", kind)], Some(choice));
    request.from = Dialect::OpenAiResponses;
    assert_eq!(to().refused(&request), "tools[1]");
    let mut to = to();
    to.policy.unsupported_tools = UnsupportedTools::Drop;
    let (body, losses) = to.told(&request);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body.get("tool_choice"), None);
    assert_eq!(losses, "tools[1].web_search=dropped, tool_choice=dropped");
}

#[test]
fn called_tools_are_declared_where_the_request_declares_none() {
    let mut request = chat("a");
    request.turns.push(Turn::new(Role::Assistant, vec![call("c1", "{}"), call("c2", "{}")]));
    request.turns.push(Turn::new(Role::User, vec![result("c1", "1"), result("c2", "2")]));
    let body = to().told(&request).0;
    assert_eq!(body["tools"], json!([{"name": "look", "input_schema": {"type": "object"}}]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn a_name_that_anthropic_refuses_is_rewritten_everywhere_alike() {
    let mut request = with_tools(vec![function("mcp.fs/read")], Some(ToolChoice::One("mcp.fs/read".into())));
    let called = ToolCall { id: "c1".into(), name: "mcp.fs/read".into(), args: Args::Json(String::new()) };
    request.turns.push(Turn::new(Role::Assistant, vec![Part::new(PartKind::ToolCall(called))]));
    request.turns.push(Turn::new(Role::User, vec![result("c1", "1")]));
    let (body, notes) = to().encoded(&request).unwrap();
    let name = body["tools"][0]["name"].as_str().unwrap();
    assert_eq!(notes.names.original(name), "mcp.fs/read");
    assert_eq!(body["tool_choice"]["name"], name);
    assert_eq!(body["messages"][1]["content"][0]["name"], name);
    assert_eq!(
        body["messages"][1]["content"][0]["input"],
        json!({}),
        "pitfall 2: no arguments are an object"
    );
}
