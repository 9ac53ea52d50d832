use crate::{
    form::{Bag, OutputFormat, Part, Request, Role, Tier, Tool, ToolChoice, ToolKind, Turn},
    openai_chat::{
        CHAT,
        testing::{compatible, encoded, to, to_server},
    },
    scene::To,
};
use cliproxy_domain::{
    Dialect, Effort, MaxTokensName, ModelTraits, Need, Profile, Thinking, TranslationPolicy, UnsupportedTools,
};
use serde_json::{Map, Number, Value, json};

pub(super) fn asked(from: Dialect) -> Request {
    let mut request = Request::new(from, "m");
    request.turns.push(Turn::new(Role::User, vec![Part::text("hi")]));
    request
}

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function { schema: Some(json!({"type": "object"})), strict: Some(true) };
    Tool { name: name.into(), description: None, kind, cache: None, bag: Bag::default() }
}

fn of_kind(kind: ToolKind) -> Tool {
    Tool { kind, ..function("t") }
}

fn number(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}

/// The efforts that come out, and the warnings, for a model of these traits.
fn effort(asked_for: Effort, traits: ModelTraits, tools: bool) -> (Value, Option<String>) {
    let mut request = asked(Dialect::Anthropic);
    request.reasoning.effort = Some(asked_for);
    if tools {
        request.tools.push(function("f"));
    }
    let (body, notes) = To { traits, ..to() }.encoded(&request).unwrap();
    (body["reasoning_effort"].clone(), notes.losses.header())
}

#[test]
fn the_limit_has_the_name_that_the_server_knows() {
    let mut request = asked(Dialect::Anthropic);
    request.max_output = Some(9);
    assert_eq!(encoded(&request).0["max_completion_tokens"], 9);
    let older = Profile { max_tokens: MaxTokensName::MaxTokens, ..Profile::default() };
    let (body, _) = to_server(older).encoded(&request).unwrap();
    assert_eq!((&body["max_tokens"], body.get("max_completion_tokens")), (&json!(9), None));
}

#[test]
fn usage_is_asked_for_of_every_stream_but_where_the_server_refuses() {
    let mut request = asked(Dialect::Gemini);
    assert_eq!(encoded(&request).0.get("stream_options"), None);
    request.stream = true;
    let (body, _) = encoded(&request);
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &json!({"include_usage": true})));
    let server = to_server(Profile { stream_usage: false, ..Profile::default() });
    let (body, notes) = server.encoded(&request).unwrap();
    assert_eq!((body.get("stream_options"), notes.losses.header()), (None, None));
    let mut own = asked(Dialect::OpenAiChat);
    (own.stream, own.stream_usage) = (true, true);
    let (_, notes) = server.encoded(&own).unwrap();
    assert_eq!(notes.losses.header().as_deref(), Some("stream_options.include_usage=dropped"));
}

#[test]
fn what_this_dialect_cannot_say_is_dropped_in_the_clients_words() {
    let mut request = asked(Dialect::Gemini);
    request.sampling.top_k = number("40");
    let fields = Map::from_iter([("safetySettings".to_owned(), json!([]))]);
    request.bag = Bag::new(Dialect::Gemini, fields);
    let (body, warnings) = encoded(&request);
    assert_eq!(warnings.as_deref(), Some("generationConfig.topK=dropped, safetySettings=dropped"));
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert_eq!(To::refusing(CHAT).encoded(&request).unwrap_err().field, "generationConfig.topK");
}

#[test]
fn sampling_is_dropped_for_models_that_refuse_it_and_for_no_other() {
    let mut request = asked(Dialect::Anthropic);
    request.sampling.temperature = number("0.70");
    assert_eq!(encoded(&request).0["temperature"].to_string(), "0.70");
    let traits = ModelTraits { sampling: false, ..ModelTraits::default() };
    let (body, notes) = To { traits, ..to() }.encoded(&request).unwrap();
    assert_eq!(
        (body.get("temperature"), notes.losses.header().as_deref()),
        (None, Some("temperature=dropped"))
    );
}

#[test]
fn more_stop_texts_than_are_allowed_are_refused() {
    let mut request = asked(Dialect::Anthropic);
    request.stop = (0..5).map(|number| number.to_string()).collect();
    assert_eq!(to().encoded(&request).unwrap_err().field, "stop_sequences");
    request.stop.pop();
    assert_eq!(encoded(&request).0["stop"], json!(["0", "1", "2", "3"]));
}

#[test]
fn an_effort_becomes_the_nearest_that_the_model_takes() {
    use Effort::{High, Low, Max, None};
    let traits = |efforts: &[Effort]| ModelTraits { efforts: efforts.to_vec(), ..ModelTraits::default() };
    let warned = Some("output_config.effort=lowered".to_owned());
    assert_eq!(effort(High, traits(&[]), false), (json!("high"), Option::None));
    assert_eq!(effort(Max, traits(&[Low, High]), false), (json!("high"), warned));
    let always = ModelTraits { thinking_optional: false, ..traits(&[None, Low, High]) };
    assert_eq!(effort(None, always, false), (json!("low"), Some("output_config.effort=raised".to_owned())));
    let never = || ModelTraits { thinking: Thinking::Never, ..ModelTraits::default() };
    assert_eq!(effort(None, never(), false), (Value::Null, Option::None));
    let dropped = Some("output_config.effort=dropped".to_owned());
    assert_eq!(effort(Low, never(), false), (Value::Null, dropped.clone()));
    let unknown = ModelTraits { thinking_optional: false, ..ModelTraits::default() };
    assert_eq!(effort(None, unknown, false), (Value::Null, dropped));
}

#[test]
fn functions_go_without_thinking_where_the_model_refuses_both() {
    let traits = || ModelTraits { tools_need_responses: true, ..ModelTraits::default() };
    let disabled = Some("output_config.effort=disabled".to_owned());
    assert_eq!(effort(Effort::High, traits(), true), (json!("none"), disabled));
    assert_eq!(effort(Effort::High, traits(), false), (json!("high"), None));
    assert_eq!(effort(Effort::None, traits(), true), (json!("none"), None));
}

#[test]
fn tiers_and_users_have_the_names_of_this_dialect() {
    let mut request = asked(Dialect::Anthropic);
    (request.tier, request.user) = (Some(Tier::Standard), Some("u".into()));
    let (body, _) = encoded(&request);
    assert_eq!((&body["service_tier"], &body["safety_identifier"]), (&json!("default"), &json!("u")));
    let (body, _) = to_server(compatible()).encoded(&request).unwrap();
    assert_eq!((&body["user"], body.get("safety_identifier")), (&json!("u"), None));
    request.tier = Some(Tier::Other("batch".into()));
    let (body, warnings) = encoded(&request);
    assert_eq!((body.get("service_tier"), warnings.as_deref()), (None, Some("service_tier=dropped")));
}

#[test]
fn state_of_another_provider_and_media_in_answers_are_refused() {
    let mut request = asked(Dialect::OpenAiResponses);
    request.server_state.push("previous_response_id");
    let refused = to().encoded(&request).unwrap_err();
    assert_eq!((&*refused.field, refused.need), ("previous_response_id", Some(Need::ServerState)));
    let mut request = asked(Dialect::Gemini);
    request.media_output = true;
    assert_eq!(to().encoded(&request).unwrap_err().need, Some(Need::MediaOutput));
}

#[test]
fn a_schema_without_a_name_gets_one() {
    let mut request = asked(Dialect::Anthropic);
    let schema = json!({"type": "object"});
    request.format =
        Some(OutputFormat::Schema { name: None, description: None, schema: schema.clone(), strict: None });
    let expected =
        json!({"type": "json_schema", "json_schema": {"name": "structured_output", "schema": schema}});
    assert_eq!(encoded(&request).0["response_format"], expected);
}

#[test]
fn a_schema_is_told_in_words_to_servers_that_know_none() {
    let mut request = asked(Dialect::Anthropic);
    let schema = json!({"type": "object", "title": "T"});
    request.format = Some(OutputFormat::Schema { name: None, description: None, schema, strict: None });
    let server = to_server(Profile { strict_schemas: false, ..Profile::default() });
    let (body, notes) = server.encoded(&request).unwrap();
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    assert_eq!(body["messages"][0]["role"], "system");
    assert!(body["messages"][0]["content"].as_str().unwrap().contains(r#"{"type":"object","title":"T"}"#));
    assert_eq!(notes.losses.header().as_deref(), Some("output_config.format=emulated"));
}

#[test]
fn json_without_a_schema_has_the_word_in_a_message() {
    let mut request = asked(Dialect::Gemini);
    request.format = Some(OutputFormat::Json);
    let (body, warnings) = encoded(&request);
    assert_eq!(body["messages"][0]["content"], "Answer with JSON and nothing else.");
    assert_eq!(warnings.as_deref(), Some("generationConfig.responseMimeType=emulated"));
    request.turns.push(Turn::new(Role::User, vec![Part::text("as Json, please")]));
    let (body, warnings) = encoded(&request);
    assert_eq!((&body["messages"][0]["content"], warnings), (&json!("hi"), None));
}

#[test]
fn tools_are_written_and_the_choice_among_them() {
    let mut request = asked(Dialect::Anthropic);
    request.tools = vec![function("f"), function("mcp.fs/read")];
    request.tool_choice = Some(ToolChoice::One("mcp.fs/read".into()));
    request.parallel_tools = Some(false);
    let (body, notes) = to().encoded(&request).unwrap();
    let sent = body["tools"][1]["function"]["name"].as_str().unwrap();
    assert_eq!(notes.names.original(sent), "mcp.fs/read");
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": sent}}));
    assert_eq!(
        (&body["parallel_tool_calls"], &body["tools"][0]["function"]["strict"]),
        (&json!(false), &json!(true))
    );
    let plain = Profile { strict_schemas: false, parallel_tool_calls: false, ..Profile::default() };
    let (body, notes) = to_server(plain).encoded(&request).unwrap();
    assert_eq!((body.get("parallel_tool_calls"), body["tools"][0]["function"].get("strict")), (None, None));
    let warnings =
        "tools[0].strict=dropped, tools[1].strict=dropped, tool_choice.disable_parallel_tool_use=dropped";
    assert_eq!(notes.losses.header().as_deref(), Some(warnings));
}

#[test]
fn a_subset_of_tools_is_chosen_by_name_or_sent_alone() {
    let mut request = asked(Dialect::OpenAiResponses);
    request.tools = vec![function("f"), function("g")];
    request.tool_choice = Some(ToolChoice::Some { names: vec!["g".into()], required: true });
    let (body, _) = encoded(&request);
    let allowed = json!({"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]});
    assert_eq!(body["tool_choice"], json!({"type": "allowed_tools", "allowed_tools": allowed}));
    let (body, _) = to_server(compatible()).encoded(&request).unwrap();
    assert_eq!((&body["tool_choice"], body["tools"].as_array().unwrap().len()), (&json!("required"), 1));
}

#[test]
fn free_form_tools_go_as_they_are_or_as_functions_of_one_text() {
    let mut request = asked(Dialect::OpenAiResponses);
    let format = crate::form::FreeFormat(json!({"type": "grammar"}));
    request.tools = vec![of_kind(ToolKind::Free(Some(format)))];
    let (body, _) = encoded(&request);
    assert_eq!(
        body["tools"][0],
        json!({"type": "custom", "custom": {"name": "t", "format": {"type": "grammar"}}})
    );
    let (body, notes) = to_server(compatible()).encoded(&request).unwrap();
    assert_eq!(body["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert!(notes.free_tools.contains("t"));
    assert_eq!(notes.losses.header().as_deref(), Some("tools[0].format=dropped"));
}

#[test]
fn tools_of_another_vendor_are_refused_or_dropped_with_the_choice_of_them() {
    let mut request = asked(Dialect::Anthropic);
    let json = json!({"type": "web_search_20260318"});
    request.tools = vec![of_kind(ToolKind::Vendor {
        dialect: Dialect::Anthropic,
        name: "web_search_20260318".into(),
        json,
    })];
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(to().encoded(&request).unwrap_err().field, "tools[0]");
    let policy =
        TranslationPolicy { unsupported_tools: UnsupportedTools::Drop, ..TranslationPolicy::default() };
    let (body, notes) = To { policy, ..to() }.encoded(&request).unwrap();
    assert_eq!((body.get("tools"), body.get("tool_choice")), (None, None));
    let warnings = "tools[0].web_search_20260318=dropped, tool_choice=dropped";
    assert_eq!(notes.losses.header().as_deref(), Some(warnings));
}
